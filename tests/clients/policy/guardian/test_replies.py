"""Replies of a Guardian: each grants, denies or is an error."""

from typing import Any

import pytest

from app.base.errors import BadGateway, Forbidden, Unavailable
from app.clients.policy.guardian import GuardianClient
from app.clients.policy.parsing import Reply
from app.clients.policy.request import GrantAll
from tests.clients.policy.guardian.asking import (
    AMPLE,
    CHUNKED,
    DENYING,
    GRANTED,
    ONE_TOO_MANY,
    QUESTION,
    TIMEOUT,
    TOKEN,
    UNBOUNDED,
    UNREACHABLE,
    UNUSABLE,
    check,
    client_of,
    refusal,
    refused_url,
)
from tests.fakes.guardian import GRANT, FakeGuardian, answer, answers, grants, hangs, resets, sends


@pytest.mark.parametrize("name", DENYING)
def test_a_denial_is_403(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = DENYING[name]

    error = refusal(client_of(engine.url))

    assert isinstance(error, Forbidden)
    assert error.error_code == "ACCESS_DENIED"


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_answer_is_502(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = UNUSABLE[name]

    error = refusal(client_of(engine.url))

    assert isinstance(error, BadGateway)
    assert engine.connections == 1


@pytest.mark.parametrize("name", UNREACHABLE)
def test_an_engine_that_takes_no_question_is_503(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = UNREACHABLE[name]

    error = refusal(client_of(engine.url))

    assert isinstance(error, Unavailable)
    assert error.headers["Retry-After"]
    assert len(engine.seen) == 1


def test_a_refused_connection_is_503() -> None:
    assert isinstance(refusal(client_of(refused_url())), Unavailable)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_grant_is_502_and_not_followed(engine: FakeGuardian, status: int) -> None:
    with FakeGuardian(grants) as granting:
        engine.behaviour = answers(status, GRANTED, headers=[f"Location: {granting.url}/check-access"])

        error = refusal(client_of(engine.url))

        assert isinstance(error, BadGateway)
        assert granting.connections == 0


def test_no_error_names_the_host_of_the_engine(engine: FakeGuardian) -> None:
    for behaviour in (UNUSABLE["html"], resets, hangs):
        engine.behaviour, timeout = behaviour, TIMEOUT if behaviour is hangs else AMPLE

        assert "127.0.0.1" not in refusal(client_of(engine.url, timeout=timeout)).detail


# Reasons.


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"reason": "  No role.  "}, "No role."),
        ({"message": "No role."}, "No role."),
        ({"detail": "No role."}, "No role."),
        ({"error": "No role."}, "No role."),
        ({"error": "Access denied", "reason": "No role."}, "No role."),
        ({"reason": {"text": "No role."}, "message": "No role."}, "No role."),
        ({"reason": "\n\t ", "message": "No role."}, "No role."),
        ({"reason": "No\r\nrole\x00\u202e.\ud800"}, "No role ."),
        ({"reason": "x" * 5000}, "x" * 200),
        ({"reason": "x" * 199 + " " + "y" * 99}, "x" * 199),
        ({"reason": 7}, Forbidden.message),
        ({}, Forbidden.message),
    ],
)
def test_the_reason_of_a_denial_is_passed_on(engine: FakeGuardian, body: object, reason: str) -> None:
    engine.behaviour = answers(403, body)

    assert refusal(client_of(engine.url)).detail == reason


# Grants.


@pytest.mark.parametrize("spelling", ["access_granted", "granted", "allowed", "decision"])
def test_each_spelling_of_a_grant_is_accepted(engine: FakeGuardian, spelling: str) -> None:
    engine.behaviour = answers(200, {spelling: True, "reason": "Because.", "status": 200})

    check(client_of(engine.url))


@pytest.mark.parametrize(
    "raw",
    [
        answer(200, GRANTED, "application/json; charset=utf-8"),
        answer(200, GRANTED, "Application/Problem+JSON"),
        answer(200, GRANTED, None),
        answer(200, GRANTED, headers=["Content-Encoding: Identity"]),
        answer(200, ONE_TOO_MANY.replace(b" }", b"}")),
        b"HTTP/1.1 100 Continue\r\n\r\n" + GRANT,
        CHUNKED + b"8\r\n%b\r\n10;x=y\r\n%b\r\n0\r\nTrailer: z\r\n\r\n" % (GRANTED[:8], GRANTED[8:]),
    ],
)
def test_a_grant_is_read_in_every_framing_and_its_connection_kept(engine: FakeGuardian, raw: bytes) -> None:
    engine.behaviour = sends(raw)
    client = client_of(engine.url)

    check(client)
    check(client)

    assert engine.connections == 1


@pytest.mark.parametrize("raw", [UNBOUNDED + GRANTED, GRANT.replace(b"HTTP/1.1", b"HTTP/1.0")])
def test_an_answer_that_ends_with_its_connection_is_read(engine: FakeGuardian, raw: bytes) -> None:
    engine.behaviour = sends(raw, closes=True)
    client = client_of(engine.url)

    check(client)
    check(client)

    assert engine.connections == 2


def test_grant_all_asks_nobody_and_grants() -> None:
    GrantAll().check(QUESTION, token=TOKEN, request_id="request-1")


def test_the_client_judges_what_another_transport_brings() -> None:
    class Local:
        def __init__(self, body: bytes) -> None:
            self.body = body

        def send(self, method: str, path: str, body: bytes, headers: Any) -> Reply:
            return Reply(200, "application/json", self.body)

    check(GuardianClient(Local(GRANTED)))
    for body in (ONE_TOO_MANY, b'{"access_granted": 1}'):
        assert isinstance(refusal(GuardianClient(Local(body))), BadGateway)
