"""The policy engine's client against a real socket: whatever the engine does, only a strict grant grants."""

import gzip
import io
import json
import os
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.base.errors import ApiError, BadGateway, Forbidden, GatewayTimeout, Unauthenticated, Unavailable
from app.clients.http import connection
from app.clients.policy.guardian import NAMES_003, GuardianClient, Names
from app.clients.policy.parsing import MAX_BODY_BYTES, Reply
from app.clients.policy.request import AccessRequest, GrantAll
from app.clients.policy.transport import RemoteTransport
from tests.fakes.guardian import (
    GRANT,
    Behaviour,
    Exchange,
    FakeGuardian,
    answer,
    answers,
    closes,
    decides,
    denies,
    dribbles,
    grants,
    hangs,
    resets,
    sends,
)
from tests.support.waiting import wait_for

TIMEOUT = 0.3
SLACK = 0.6
QUESTION = AccessRequest(uuid4(), uuid4(), "customer", "UPDATE")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

GRANTED = json.dumps({"access_granted": True}).encode()


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian() as running:
        yield running


def client_of(url: str, *, max_in_flight: int = 8, timeout: float = TIMEOUT) -> GuardianClient:
    return GuardianClient(RemoteTransport(url, timeout, max_in_flight))


def check(client: GuardianClient, question: AccessRequest = QUESTION) -> None:
    client.check(question, token=TOKEN, request_id="request-1")


def refusal(client: GuardianClient) -> ApiError:
    with pytest.raises(ApiError) as raised:
        check(client)
    return raised.value


def refused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def told(status: int, text: bytes) -> Behaviour:
    return answers(status, text)


# Refusals: each behaviour, the error that it becomes.

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
UNBOUNDED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
TEN_MEGABYTES = b'{"access_granted": true, "reason": "' + b"x" * 10_000_000 + b'"}'
ONE_TOO_MANY = GRANTED[:-1] + b" " * (MAX_BODY_BYTES + 1 - len(GRANTED)) + b"}"

DENYING: dict[str, Behaviour] = {
    "200_false": answers(200, {"access_granted": False}),
    "200_false_in_another_spelling": answers(200, {"decision": False}),
    "403": answers(403, {"access_granted": False, "reason": "No."}),
    "404": answers(404, {"error": "Resource not found."}),
    "400": answers(400, {"error": "Operation is invalid."}),
    "400_with_a_grant": answers(400, {"access_granted": True}),
    "403_with_a_grant": answers(403, {"access_granted": True}),
    "404_with_a_grant": answers(404, {"access_granted": True}),
    "true_then_false": answers(200, {"access_granted": True, "allowed": False}),
    "false_then_true": answers(200, {"access_granted": False, "decision": True}),
}

UNUSABLE: dict[str, Behaviour] = {
    "string_false": told(200, b'{"access_granted": "false"}'),
    "string_true": told(200, b'{"access_granted": "true"}'),
    "one": told(200, b'{"access_granted": 1}'),
    "one_point_zero": told(200, b'{"access_granted": 1.0}'),
    "null": told(200, b'{"access_granted": null}'),
    "list_of_true": told(200, b'{"access_granted": [true]}'),
    "true_beside_a_string": told(200, b'{"access_granted": true, "decision": "allow"}'),
    "missing_key": told(200, b'{"reason": "ok"}'),
    "other_case": told(200, b'{"Access_Granted": true}'),
    "nested": told(200, b'{"data": {"access_granted": true}}'),
    "bare_true": told(200, b"true"),
    "bare_null": told(200, b"null"),
    "array": told(200, b'[{"access_granted": true}]'),
    "empty": told(200, b""),
    "empty_object": told(200, b"{}"),
    "duplicate_key": told(200, b'{"access_granted": false, "access_granted": true}'),
    "duplicate_key_escaped": told(200, b'{"access_granted": true, "access_grante\\u0064": true}'),
    "duplicate_key_within": told(200, b'{"access_granted": true, "x": {"a": 1, "a": 2}}'),
    "nan": told(200, b'{"access_granted": true, "x": NaN}'),
    "infinity": told(200, b'{"access_granted": true, "x": -Infinity}'),
    "invalid_utf8": told(200, b'{"access_granted": true, "x": "\xff"}'),
    "utf16": told(200, '{"access_granted": true}'.encode("utf-16")),
    "byte_order_mark": told(200, b"\xef\xbb\xbf" + GRANTED),
    "trailing_text": told(200, GRANTED + b" x"),
    "single_quotes": told(200, b"{'access_granted': true}"),
    "deep": told(200, b"[" * 60_000),
    "long_number": told(200, b'{"access_granted": true, "x": ' + b"9" * 5000 + b"}"),
    "html": answers(200, b"<html>access_granted: true</html>", "text/html"),
    "json_declared_as_html": answers(200, GRANTED, "text/html"),
    "html_404": answers(404, b"<h1>Not Found</h1>", "text/html"),
    "array_403": told(403, b'["No."]'),
    "201": answers(201, {"access_granted": True}),
    "202": answers(202, {"access_granted": True}),
    "203": answers(203, {"access_granted": True}),
    "204": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "206": answers(206, {"access_granted": True}),
    "101": sends(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "101_before_a_grant": sends(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + GRANT),
    "100_for_megabytes": sends(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + GRANT),
    "304": sends(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "401": answers(401, {"access_granted": True, "reason": "Token expired."}),
    "409": answers(409, {"access_granted": True}),
    "500": answers(500, {"access_granted": True}),
    "503": answers(503, {"access_granted": True}),
    "gzip_bomb": answers(200, gzip.compress(TEN_MEGABYTES), headers=["Content-Encoding: gzip"]),
    "gzip_grant": answers(200, gzip.compress(GRANTED), headers=["Content-Encoding: GZIP"]),
    "gzip_undeclared": answers(200, gzip.compress(GRANTED)),
    "unknown_encoding": answers(200, GRANTED, headers=["Content-Encoding: identity, br"]),
    "10_mb": answers(200, TEN_MEGABYTES),
    "10_mb_chunked": sends(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(TEN_MEGABYTES), TEN_MEGABYTES)),
    "10_mb_in_small_chunks": sends(CHUNKED + b"400\r\n%b\r\n" % (b" " * 1024) * 10_000),
    "10_mb_without_length": sends(UNBOUNDED + TEN_MEGABYTES, closes=True),
    "10_mb_behind_a_grant": sends(GRANT + TEN_MEGABYTES),
    "10_mb_of_headers": sends(b"HTTP/1.1 200 OK\r\n" + b"X-Y: %b\r\n" % (b"z" * 60_000) * 170),
    "one_byte_too_many": answers(200, ONE_TOO_MANY),
    "100_kb": answers(200, TEN_MEGABYTES[:100_000]),
    "one_byte_too_many_chunked": sends(CHUNKED + b"10001\r\n%b\r\n0\r\n\r\n" % ONE_TOO_MANY),
    "shorter_than_declared": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + GRANTED, closes=True),
    "chunks_without_end": sends(CHUNKED + b"18\r\n" + GRANTED + b"\r\n", closes=True),
    "chunk_of_negative_size": sends(CHUNKED + b"-5\r\n" + GRANTED, closes=True),
    "chunk_of_no_size": sends(CHUNKED + b"zz\r\n" + GRANTED, closes=True),
    "second_answer_unasked": sends(GRANT + GRANT),
    "not_http": sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", closes=True),
    "http_2": sends(GRANT.replace(b"HTTP/1.1", b"HTTP/2.0")),
    "head_without_end": sends(b"HTTP/1.1 200 OK\r\n", closes=True),
    "head_without_end_in_a_header": sends(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX", closes=True),
    "two_lengths": sends(GRANT.replace(b"Content-Length", b"Content-Length: 1\r\nContent-Length")),
}

UNREACHABLE: dict[str, Behaviour] = {
    "429": answers(429, {"access_granted": True}),
    "reset": resets,
    "closed_without_answer": closes,
    "closed_in_the_first_line": sends(b"HTTP/1.1 200", closes=True),
}


@pytest.mark.parametrize("name", DENYING)
def test_a_denial_is_403(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = DENYING[name]

    error = refusal(client_of(engine.url))

    assert isinstance(error, Forbidden)
    assert error.error_code == "ACCESS_DENIED"


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_answer_is_502(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = UNUSABLE[name]

    error = refusal(client_of(engine.url, timeout=2.0))

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
        engine.behaviour = behaviour

        assert "127.0.0.1" not in refusal(client_of(engine.url)).detail


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


# The question.


def test_the_question_goes_out_as_document_003_wrote_it(engine: FakeGuardian) -> None:
    engine.behaviour = grants

    check(client_of(engine.url))

    seen = engine.seen[0]
    assert (seen.method, seen.path) == ("POST", "/check-access")
    assert seen.headers["host"] == engine.url.removeprefix("http://")
    assert seen.headers["cookie"] == f"access_token={TOKEN}"
    assert seen.headers["x-request-id"] == "request-1"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.asked == {
        "user_id": str(QUESTION.user_id),
        "company_id": str(QUESTION.company_id),
        "service": "identity",
        "resource_name": "customer",
        "operation": "UPDATE",
    }


def test_a_question_of_another_service_names_it(engine: FakeGuardian) -> None:
    engine.behaviour = grants

    check(client_of(engine.url), replace(QUESTION, resource_name="role", service="guardian"))

    assert engine.seen[0].asked["service"] == "guardian"


@pytest.mark.parametrize("base", ["/policy/v1", "/policy/v1/"])
def test_the_path_of_the_url_is_a_prefix(engine: FakeGuardian, base: str) -> None:
    engine.behaviour = grants

    check(client_of(engine.url + base))

    assert engine.seen[0].path == "/policy/v1/check-access"


def test_proxies_of_the_environment_are_ignored(engine: FakeGuardian, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.behaviour = grants
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, refused_url())

    check(client_of(engine.url))

    assert engine.seen[0].path == "/check-access"


def test_cookies_of_the_engine_and_credentials_of_the_environment_are_not_sent(
    engine: FakeGuardian, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    engine.behaviour = answers(200, GRANTED, headers=["Set-Cookie: session=1"])
    client = client_of(engine.url)

    check(client)
    check(client)

    headers = engine.seen[1].headers
    assert headers["cookie"] == f"access_token={TOKEN}"
    declared = {"accept", "content-type", "cookie", "x-request-id"}
    assert set(headers) == declared | {"host", "accept-encoding", "content-length"}


@pytest.mark.parametrize(
    "token", ["", "a\r\nX-Evil: 1", "a\r\n X-Evil: 1", "a\nb", "a\n", "a\x00b", "a; role=admin", 'a"b', "a b", "é"]
)
def test_a_token_that_would_break_out_of_its_cookie_is_401_and_never_sent(engine: FakeGuardian, token: str) -> None:
    engine.behaviour = grants

    with pytest.raises(Unauthenticated):
        client_of(engine.url).check(QUESTION, token=token, request_id="request-1")

    assert engine.connections == 0


@pytest.mark.parametrize("request_id", ["", "a\r\nX-Evil: 1", "a\n", "a b", "é", "x" * 129])
def test_a_request_id_that_the_service_would_not_make_is_never_sent(engine: FakeGuardian, request_id: str) -> None:
    engine.behaviour = grants

    with pytest.raises(ValueError, match="request id"):
        client_of(engine.url).check(QUESTION, token=TOKEN, request_id=request_id)

    assert engine.connections == 0


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/roles?x=1\r\nX-Evil: 1", {}),
        ("GET", "/roles HTTP/1.1", {}),
        ("GET /x", "/roles", {}),
        ("GET", "/roles", {"X-A": "1\r\n folded"}),
        ("GET", "/roles", {"X-A\r\nX-Evil": "1"}),
        ("GET", "/roles", {"X-A": "1\t2"}),
        ("GET", "/roles", {"X-A": "\u010a"}),
    ],
)
def test_the_transport_sends_no_line_that_holds_another(
    engine: FakeGuardian, method: str, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="printable"):
        RemoteTransport(engine.url, TIMEOUT, 1).send(method, path, b"", headers)

    assert engine.connections == 0


@pytest.mark.parametrize(
    "url",
    ["", "engine", "ftp://engine", "http://", "http://u:p@engine", "http://engine?x=1", "http://engine#x", "http://é"],
)
def test_a_url_that_is_not_an_address_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        RemoteTransport(url, TIMEOUT, 1)


# Names of document 003.

NAMES = [
    ("user_role", "", "user_roles"),
    ("user_role", "user", "user_roles"),
    ("user_policy", "user", "user_policies"),
    ("user_permission", "user", "user_permissions"),
    ("user", "position", "user_position"),
    ("organization_unit", "organization_unit", "organization_unit_children"),
    ("position", "organization_unit", "organization_unit_positions"),
    ("user", "", "user"),
    ("user", "company", "user"),
    ("position", "", "position"),
    ("organization_unit", "", "organization_unit"),
    ("version", "", "version"),
]


def asked_as(engine: FakeGuardian, question: AccessRequest, names: Names) -> tuple[str, str]:
    engine.behaviour = grants
    check(GuardianClient(RemoteTransport(engine.url, TIMEOUT, 1), names), question)
    asked = engine.seen[-1].asked
    return asked["resource_name"], asked["operation"]


@pytest.mark.parametrize(("resource_name", "parent_kind", "sent"), NAMES)
def test_the_names_of_document_003_are_sent_when_chosen(
    engine: FakeGuardian, resource_name: str, parent_kind: str, sent: str
) -> None:
    question = replace(QUESTION, resource_name=resource_name, operation="LIST", parent_kind=parent_kind)

    assert asked_as(engine, question, NAMES_003) == (sent, "LIST")


@pytest.mark.parametrize(("resource_name", "parent_kind", "_sent"), NAMES)
def test_the_names_of_this_service_are_sent_otherwise(
    engine: FakeGuardian, resource_name: str, parent_kind: str, _sent: str
) -> None:
    question = replace(QUESTION, resource_name=resource_name, operation="LIST", parent_kind=parent_kind)

    assert asked_as(engine, question, {}) == (resource_name, "LIST")


# Time.


def timed_out_after(client: GuardianClient) -> float:
    started = time.monotonic()
    assert isinstance(refusal(client), GatewayTimeout)
    return time.monotonic() - started


HEAD_BYTES = GRANT.index(b"\r\n\r\n") + 4


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs,
        dribbles(GRANT, 0.05),
        dribbles(GRANT, 0.05, at_once=HEAD_BYTES),
        dribbles(CHUNKED + b"1\r\n \r\n" * 100, 0.05, at_once=len(CHUNKED)),
        dribbles(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.01),
    ],
    ids=["hang", "headers", "body", "chunks", "endless_100"],
)
def test_the_timeout_is_a_total_that_no_dribble_stretches(engine: FakeGuardian, behaviour: Behaviour) -> None:
    engine.behaviour = behaviour

    assert TIMEOUT <= timed_out_after(client_of(engine.url)) < TIMEOUT + SLACK
    assert len(engine.seen) == 1


@pytest.mark.parametrize("at_once", [0, HEAD_BYTES], ids=["headers", "body"])
def test_one_byte_per_500_ms_is_504(engine: FakeGuardian, at_once: int) -> None:
    engine.behaviour = dribbles(GRANT, 0.5, at_once=at_once)

    assert 0.7 <= timed_out_after(client_of(engine.url, timeout=0.7)) < 0.7 + SLACK


def test_connecting_counts() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        url = f"http://127.0.0.1:{full.getsockname()[1]}"

        with socket.create_connection(full.getsockname()):
            assert timed_out_after(client_of(url)) < TIMEOUT + SLACK


def test_a_shaken_hand_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"

        assert timed_out_after(client_of(url)) < TIMEOUT + SLACK


def test_sending_counts() -> None:
    body = b"x" * 12_000_000
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        transport = RemoteTransport(f"http://127.0.0.1:{deaf.getsockname()[1]}", TIMEOUT, 1)
        started = time.monotonic()

        with pytest.raises(GatewayTimeout):
            transport.send("POST", "/check-access", body, {})

        assert time.monotonic() - started < TIMEOUT + SLACK


def test_an_answer_that_was_too_late_is_not_read_by_the_next_question(engine: FakeGuardian) -> None:
    client = client_of(engine.url)
    engine.behaviour = dribbles(GRANT, 0.5, at_once=len(GRANT) - 1)
    assert isinstance(refusal(client), GatewayTimeout)
    engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert engine.connections == 2


@pytest.mark.parametrize("name", ["100_kb", "one_byte_too_many", "one_byte_too_many_chunked", "10_mb_without_length"])
def test_a_reply_is_cut_off_after_64_kb_and_keeps_its_status(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = UNUSABLE[name]

    reply = RemoteTransport(engine.url, 2.0, 1).send("POST", "/check-access", b"", {})

    assert (reply.status, reply.is_cut) == (200, True)
    assert len(reply.body) <= MAX_BODY_BYTES


def test_reading_stops_soon_after_64_kb(engine: FakeGuardian) -> None:
    engine.behaviour = answers(200, TEN_MEGABYTES)

    refusal(client_of(engine.url, timeout=2.0))

    wait_for(lambda: engine.cut_off == 1)


# Connections.


def test_a_connection_is_kept_through_grants_and_denials(engine: FakeGuardian) -> None:
    client = client_of(engine.url)

    for behaviour in (grants, DENYING["403"], grants, denies, answers(500, {}), grants):
        engine.behaviour = behaviour
        _quietly(client)

    assert len(engine.seen) == 6
    assert engine.connections == 1


def _quietly(client: GuardianClient) -> None:
    try:
        check(client)
    except ApiError:
        return


UNCLEAN = (
    "one_byte_too_many",
    "100_kb",
    "10_mb",
    "10_mb_chunked",
    "gzip_grant",
    "shorter_than_declared",
    "chunk_of_negative_size",
    "second_answer_unasked",
    "101",
)


@pytest.mark.parametrize("name", UNCLEAN)
def test_a_connection_that_was_not_read_to_a_clean_end_is_not_used_again(engine: FakeGuardian, name: str) -> None:
    client = client_of(engine.url, timeout=2.0)
    engine.behaviour = UNUSABLE[name]
    refusal(client)
    engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert engine.connections == 2


def test_an_unasked_grant_on_an_idle_connection_is_not_read(engine: FakeGuardian) -> None:
    client = client_of(engine.url)
    engine.behaviour = _denies_and_grants_later
    refusal(client)
    time.sleep(0.1)
    engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert engine.connections == 2


def test_an_unasked_grant_behind_a_reply_in_pieces_is_not_read(engine: FakeGuardian) -> None:
    client = client_of(engine.url, timeout=2.0)
    engine.behaviour = _denies_in_pieces_and_grants
    refusal(client)
    engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert engine.connections == 2


def _denies_in_pieces_and_grants(exchange: Exchange) -> bool:
    """Whoever knows the length of a body reads no further, and leaves the grant where it is."""
    head, end, body = answer(200, {"access_granted": False}).partition(b"\r\n\r\n")
    exchange.socket.sendall(head + end)
    time.sleep(0.03)
    exchange.socket.sendall(body + GRANT)
    return True


def _denies_and_grants_later(exchange: Exchange) -> bool:
    exchange.socket.sendall(answer(200, {"access_granted": False}))
    time.sleep(0.03)
    exchange.socket.sendall(GRANT)
    return True


def test_a_connection_that_the_engine_means_to_close_is_not_kept(engine: FakeGuardian) -> None:
    engine.behaviour = answers(200, GRANTED, headers=["Connection: close"])
    client = client_of(engine.url)

    check(client)
    check(client)

    assert engine.connections == 2


def test_connections_that_the_engine_closed_while_idle_are_replaced_unnoticed(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    client = client_of(engine.url)
    check(client)
    engine.hang_up()
    time.sleep(0.05)

    check(client)

    assert len(engine.seen) == 2
    assert engine.connections == 2


def test_a_connection_that_was_idle_for_too_long_is_replaced(
    engine: FakeGuardian, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.behaviour = grants
    client = client_of(engine.url)
    check(client)
    monkeypatch.setattr(connection, "MAX_IDLE_SECONDS", 0.0)

    check(client)

    assert engine.connections == 2


def test_the_connection_used_last_is_used_next(engine: FakeGuardian) -> None:
    engine.behaviour = _grants_late
    client = client_of(engine.url)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: check(client), range(2)))
    engine.behaviour = grants

    for _ in range(5):
        check(client)

    assert engine.connections == 2
    assert len({seen.connection for seen in engine.seen[2:]}) == 1


def _grants_late(exchange: Exchange) -> bool:
    time.sleep(0.05)
    return grants(exchange)


LARGE = b"x" * 20_000_000


def test_a_request_that_was_cut_off_while_it_was_sent_is_sent_once_more(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    engine.resets_next_body = 1

    reply = RemoteTransport(engine.url, 5.0, 1).send("POST", "/check-access", LARGE, {})

    assert reply.status == 200
    assert engine.connections == 2
    assert len(engine.seen) == 1


def test_a_request_that_was_cut_off_on_a_kept_connection_is_sent_once_more(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    transport = RemoteTransport(engine.url, 5.0, 1)
    transport.send("GET", "/", b"", {})
    engine.resets_next_body = 1

    assert transport.send("POST", "/check-access", LARGE, {}).status == 200
    assert len(engine.seen) == 2


@pytest.mark.parametrize("lost", [closes, resets], ids=["closed", "reset"])
def test_a_question_that_went_out_is_not_asked_again(engine: FakeGuardian, lost: Behaviour) -> None:
    engine.behaviour = grants
    client = client_of(engine.url)
    check(client)
    engine.behaviour = lost

    assert isinstance(refusal(client), Unavailable)
    assert len(engine.seen) == 2


def test_it_is_not_sent_a_third_time(engine: FakeGuardian) -> None:
    engine.resets_next_body = 9

    with pytest.raises(Unavailable):
        RemoteTransport(engine.url, 5.0, 1).send("POST", "/check-access", LARGE, {})

    assert engine.connections == 2


def test_descriptors_above_1023_are_waited_for(engine: FakeGuardian) -> None:
    """A server of many connections has such, and select() knows none of them."""
    engine.behaviour = _grants_late
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2048)), hard))
    taken = [os.dup(0) for _ in range(1100)]
    try:
        check(client_of(engine.url, timeout=2.0))
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_close_gives_up_the_idle_connections(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    transport = RemoteTransport(engine.url, TIMEOUT, 1)
    client = GuardianClient(transport)
    check(client)

    transport.close()
    check(client)

    assert engine.connections == 2


# Threads and processes.


def test_answers_find_the_threads_that_asked(engine: FakeGuardian) -> None:
    friends = {str(uuid4()) for _ in range(4)}
    strangers = {str(uuid4()) for _ in range(4)}
    engine.behaviour = decides(lambda asked: asked["user_id"] in friends)
    client = client_of(engine.url, timeout=5.0)

    def verdicts(user: str) -> set[bool]:
        return {_is_granted(client, UUID(user)) for _ in range(50)}

    with ThreadPoolExecutor(8) as threads:
        friendly = list(threads.map(verdicts, friends))
        strange = list(threads.map(verdicts, strangers))

    assert friendly == [{True}] * 4
    assert strange == [{False}] * 4
    assert engine.connections <= 8


def test_eight_threads_at_once_share_the_pool(engine: FakeGuardian) -> None:
    engine.behaviour = decides(lambda asked: int(asked["user_id"][-1], 16) % 2 == 0)
    client = client_of(engine.url, timeout=5.0)

    def mistakes(seed: int) -> int:
        users = [UUID(int=seed * 1000 + each) for each in range(50)]
        return sum(_is_granted(client, user) != (user.int % 2 == 0) for user in users)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(mistakes, range(8))) == 0

    assert len(engine.seen) == 400
    assert engine.connections <= 8


def _is_granted(client: GuardianClient, user_id: UUID) -> bool:
    try:
        check(client, replace(QUESTION, user_id=user_id))
    except Forbidden:
        return False
    return True


def test_one_call_too_many_is_503_at_once_and_the_places_come_back(engine: FakeGuardian) -> None:
    engine.behaviour = hangs
    client = client_of(engine.url, max_in_flight=2)

    with ThreadPoolExecutor(2) as threads:
        hanging = [threads.submit(refusal, client) for _ in range(2)]
        wait_for(lambda: len(engine.seen) == 2)
        started = time.monotonic()
        error = refusal(client)
        waited = time.monotonic() - started

    assert isinstance(error, Unavailable)
    assert waited < 0.2
    assert [type(each.result()) for each in hanging] == [GatewayTimeout] * 2
    assert len(engine.seen) == 2
    engine.behaviour = grants
    check(client)


def test_a_place_comes_back_after_every_failure(engine: FakeGuardian) -> None:
    client = client_of(engine.url, max_in_flight=1, timeout=2.0)

    for behaviour in (resets, UNUSABLE["not_http"], UNUSABLE["10_mb"], UNREACHABLE["429"], denies):
        engine.behaviour = behaviour
        refusal(client)

    engine.behaviour = grants
    check(client)


def test_a_forked_child_opens_its_own_connection_and_leaves_the_parents(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    client = client_of(engine.url, timeout=2.0)
    check(client)

    child = os.fork()
    if child == 0:
        os._exit(_exit_code(client))
    _, status = os.waitpid(child, 0)
    check(client)

    assert os.waitstatus_to_exitcode(status) == 0
    assert [seen.connection for seen in engine.seen] == [1, 2, 1]


def test_a_child_forked_during_a_call_has_all_its_places(engine: FakeGuardian) -> None:
    engine.behaviour = hangs
    client = client_of(engine.url, max_in_flight=1, timeout=1.0)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(refusal, client)
        wait_for(lambda: len(engine.seen) == 1)
        engine.behaviour = grants

        child = os.fork()
        if child == 0:
            os._exit(_exit_code(client))
        _, status = os.waitpid(child, 0)
        engine.hang_up()

    assert os.waitstatus_to_exitcode(status) == 0


def _exit_code(client: GuardianClient) -> int:
    try:
        check(client)
    except ApiError:
        return 1
    return 0


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "engine.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure_engine(certificate: Path) -> Iterator[FakeGuardian]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FakeGuardian(grants, tls=context) as running:
        yield running


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_https_is_spoken_and_its_connection_kept(secure_engine: FakeGuardian) -> None:
    client = client_of(secure_engine.url, timeout=2.0)

    check(client)
    check(client)

    assert secure_engine.connections == 1


def test_a_certificate_that_nobody_vouches_for_is_503_and_gets_no_token(secure_engine: FakeGuardian) -> None:
    assert isinstance(refusal(client_of(secure_engine.url, timeout=2.0)), Unavailable)
    assert secure_engine.seen == []


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_host_is_503_and_gets_no_token(secure_engine: FakeGuardian) -> None:
    url = secure_engine.url.replace("127.0.0.1", "localhost")

    assert isinstance(refusal(client_of(url, timeout=2.0)), Unavailable)
    assert secure_engine.seen == []


@pytest.mark.usefixtures("trusted")
def test_a_dribble_through_tls_is_504_in_time(secure_engine: FakeGuardian) -> None:
    secure_engine.behaviour = dribbles(GRANT, 0.05)

    assert timed_out_after(client_of(secure_engine.url)) < TIMEOUT + SLACK


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("size", [0, io.DEFAULT_BUFFER_SIZE, 16 * 1024])
def test_an_unasked_grant_that_tls_holds_back_is_not_read(secure_engine: FakeGuardian, size: int) -> None:
    """Behind the rest of a denial, in the same record, stands a grant that the socket does not show."""
    client = client_of(secure_engine.url, timeout=2.0)
    secure_engine.behaviour = sends(_padded_denial(size) + GRANT) if size else _denies_in_pieces_and_grants
    refusal(client)
    secure_engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert secure_engine.connections == 2


def _padded_denial(size: int) -> bytes:
    plain = answer(200, b'{"access_granted": false}', headers=["X-Padding: "])
    return plain.replace(b"X-Padding: ", b"X-Padding: " + b"x" * (size - len(plain)))
