"""A policy engine that does not clearly grant: the request is not executed, and the answer says why."""

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from flask import Flask

from tests.fakes.guardian import (
    Behaviour,
    FakeGuardian,
    answer,
    answers,
    closes,
    denies,
    dribbles,
    grants,
    hangs,
    resets,
    sends,
)
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.variants import Variant

pytestmark = one_database

DEADLINE = 0.5
PAGE = b"<!doctype html><title>Login</title>"
GRANT = json.dumps({"access_granted": True}).encode()
LONG = json.dumps({"access_granted": True, "reason": "x" * 10_000_000}).encode()

MODES: dict[str, tuple[Behaviour, int]] = {
    "false": (denies, 403),
    "400": (answers(400, {"reason": "Unknown resource."}), 403),
    "403": (answers(403, {"reason": "No."}), 403),
    "404": (answers(404, {"reason": "No such user."}), 403),
    "true as a string": (answers(200, {"access_granted": "true"}), 502),
    "1": (answers(200, {"access_granted": 1}), 502),
    "null": (answers(200, {"access_granted": None}), 502),
    "no decision": (answers(200, {"status": "ok"}), 502),
    "a bare true": (answers(200, True), 502),
    "an array": (answers(200, [{"access_granted": True}]), 502),
    "a grant and a denial": (answers(200, {"access_granted": True, "allowed": False}), 403),
    "html": (answers(200, PAGE, "text/html"), 502),
    "html called json": (answers(200, PAGE), 502),
    "empty": (answers(200, b""), 502),
    "201": (answers(201, {"access_granted": True}), 502),
    "204": (sends(b"HTTP/1.1 204 No Content\r\n\r\n"), 502),
    "302": (answers(302, {"access_granted": True}, headers=["Location: /elsewhere"]), 502),
    "401": (answers(401, {"error": "Who are you?"}), 502),
    "500": (answers(500, {"access_granted": True}), 502),
    "503": (answers(503, {"access_granted": True}), 502),
    "10 MB": (sends(answer(200, LONG)), 502),
    "10 MB without a length": (sends(b"HTTP/1.1 200 OK\r\n\r\n" + LONG, closes=True), 502),
    "shorter than it says": (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + GRANT, closes=True), 502),
    "not http": (sends(b"220 mail.example ESMTP\r\n", closes=True), 502),
    "429": (answers(429, {"access_granted": True}), 503),
    "a reset": (resets, 503),
    "a closed connection": (closes, 503),
    "nothing": (hangs, 504),
    "one byte per second": (dribbles(answer(200, GRANT), 1.0), 504),
    "one byte per second after the head": (dribbles(answer(200, GRANT), 1.0, at_once=60), 504),
}  # fmt: skip


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian(grants) as found:
        yield found


@pytest.fixture
def service(variant: Variant, engine: FakeGuardian) -> Flask:
    return variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_SERVICE_TIMEOUT=str(DEADLINE))


@pytest.fixture
def admin(service: Flask, acme: Tenant) -> ApiClient:
    return ApiClient(service, acme.admin.token)


@one_database
@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_executed_and_the_answer_comes_within_the_deadline(
    acme: Tenant, admin: ApiClient, engine: FakeGuardian, mode: str
) -> None:
    kept = admin.create("/customers", {"name": "Kept"})
    engine.behaviour, status = MODES[mode]

    started = time.monotonic()
    created = admin.post("/customers", {"name": "Never"})
    seconds = time.monotonic() - started
    deleted = admin.delete(f"/customers/{kept['id']}")

    assert (created.status_code, deleted.status_code) == (status, status), created.text
    assert seconds < DEADLINE + 0.5
    assert [row["name"] for row in acme.admin.get("/customers").get_json()["data"]] == ["Kept"]


@pytest.mark.parametrize("mode", ["false", "html", "10 MB", "a reset", "nothing"])
def test_no_answer_names_the_engine_or_quotes_more_than_its_reason(
    admin: ApiClient, engine: FakeGuardian, mode: str
) -> None:
    engine.behaviour, status = MODES[mode]

    found = admin.get("/customers")

    parts = urlsplit(engine.url)
    assert found.mimetype == "application/problem+json"
    assert found.status_code == status
    assert str(parts.port) not in found.text
    assert len(found.text) < 1000
    assert ("Retry-After" in found.headers) == (status == 503)


def test_a_denial_passes_the_reason_on(admin: ApiClient, engine: FakeGuardian) -> None:
    engine.behaviour = answers(403, {"reason": "Only on weekdays."})

    found = admin.get("/customers").get_json()

    assert (found["error_code"], found["detail"]) == ("ACCESS_DENIED", "Only on weekdays.")


def test_an_engine_that_is_not_there_is_503(variant: Variant, acme: Tenant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    admin = ApiClient(variant(GUARDIAN_SERVICE_URL=f"http://127.0.0.1:{port}"), acme.admin.token)

    found = admin.post("/customers", {"name": "Never"})

    assert found.status_code == 503
    assert acme.admin.get("/customers").get_json()["pagination"]["total"] == 0


def test_nothing_of_the_target_is_read_before_the_engine_answered(
    acme: Tenant, globex: Tenant, admin: ApiClient, engine: FakeGuardian
) -> None:
    own = acme.admin.create("/customers", {"name": "Own"})
    foreign = globex.admin.create("/customers", {"name": "Foreign"})
    engine.behaviour = denies

    found = [admin.get(f"/customers/{id}").status_code for id in (own["id"], foreign["id"], uuid4(), "nonsense")]
    malformed = admin.post("/customers", data="{", content_type="application/json").status_code

    assert found == [403] * 4
    assert malformed == 403


def test_who_is_nobody_is_never_asked_about(service: Flask, engine: FakeGuardian) -> None:
    assert ApiClient(service).get("/customers").status_code == 401
    assert ApiClient(service, "garbage").get("/customers").status_code == 401
    assert engine.seen == []


def test_public_and_own_endpoints_do_not_need_the_engine(admin: ApiClient, engine: FakeGuardian) -> None:
    engine.behaviour = hangs

    started = time.monotonic()
    found = [admin.get(path).status_code for path in ("/auth/verify", "/users/me", "/auth/sessions", "/version")]

    assert found == [200] * 4
    assert time.monotonic() - started < DEADLINE
    assert engine.seen == []


def test_config_leaves_the_settings_out_when_the_engine_fails(admin: ApiClient, engine: FakeGuardian) -> None:
    assert "settings" in admin.get("/config").get_json()
    engine.behaviour = hangs

    found = admin.get("/config")

    assert found.status_code == 200
    assert "settings" not in found.get_json()


def test_an_expansion_asks_for_the_embedded_kind_and_a_denial_is_403(
    acme: Tenant, admin: ApiClient, engine: FakeGuardian
) -> None:
    def allows(exchange):  # type: ignore[no-untyped-def]
        granted = exchange.seen.asked["resource_name"] != "position"
        exchange.socket.sendall(answer(200, {"access_granted": granted}))
        return True

    engine.behaviour = allows

    assert admin.get("/users").status_code == 200
    assert admin.get("/users", query_string={"expand": "position"}).status_code == 403


def test_the_question_is_about_the_token_and_nothing_that_the_request_says(
    acme: Tenant, globex: Tenant, admin: ApiClient, engine: FakeGuardian
) -> None:
    claimed = {"X-User-ID": globex.admin.user_id, "X-Company-ID": str(globex.company_id), "X-Request-ID": "trace-7"}

    admin.get("/customers", headers=claimed)

    seen = engine.seen[-1]
    assert seen.asked == {
        "user_id": acme.admin.user_id,
        "company_id": str(acme.company_id),
        "service": "identity",
        "resource_name": "customer",
        "operation": "LIST",
    }
    assert seen.headers["cookie"] == f"access_token={admin.token}"
    assert seen.headers["x-request-id"] == "trace-7"
