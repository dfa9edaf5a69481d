"""Questions as a Guardian receives them: path, names, token and request id."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.base.errors import Unauthenticated
from app.clients.policy.guardian import NAMES_003, GuardianClient, Names
from app.clients.policy.request import AccessRequest
from app.clients.policy.transport import RemoteTransport
from tests.clients.policy.guardian.asking import AMPLE, GRANTED, QUESTION, TOKEN, check, client_of, refused_url
from tests.fakes.guardian import FakeGuardian, answers, grants


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
        RemoteTransport(engine.url, AMPLE, 1).send(method, path, b"", headers)

    assert engine.connections == 0


@pytest.mark.parametrize(
    "url",
    ["", "engine", "ftp://engine", "http://", "http://u:p@engine", "http://engine?x=1", "http://engine#x", "http://é"],
)
def test_a_url_that_is_not_an_address_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        RemoteTransport(url, AMPLE, 1)


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
    check(GuardianClient(RemoteTransport(engine.url, AMPLE, 1), names), question)
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
