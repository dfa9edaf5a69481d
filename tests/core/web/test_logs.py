"""One line per request, with what an operator needs and nothing that is secret or personal."""

import json

import pytest
from flask import Flask, request

from app.core.web import logs
from app.core.web.body import answer
from tests.core.conftest import Logged
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database

pytestmark = one_database

OTHER = "another secret phrase 1851"


@pytest.fixture
def loud(logged: Logged) -> Flask:
    return logged.app(LOG_LEVEL="DEBUG")


def test_a_request_is_one_line_that_says_who_did_what_and_how_it_ended(
    loud: Flask, logged: Logged, acme: Tenant
) -> None:
    client = ApiClient(loud, acme.admin.token)

    client.get("/customers/1?x=secret", headers={"X-Request-ID": "req-1"})

    [line] = logged.events("request")
    assert line.pop("ms") > 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request", "level": "info", "request_id": "req-1", "method": "GET", "route": "/customers/<id>",
        "status": 400, "user_id": acme.admin.user_id, "company_id": str(acme.company_id),
        "error_code": "INVALID_ID", "ip": "127.0.0.1",
    }  # fmt: skip


def test_a_request_of_nobody_to_nowhere_is_a_line_too(loud: Flask, logged: Logged) -> None:
    ApiClient(loud).get("/nowhere/at/all")

    [line] = logged.events("request")
    assert (line["route"], line["status"], line["user_id"], line["error_code"]) == (None, 404, None, "NOT_FOUND")


def test_above_the_level_there_is_no_line_per_request(logged: Logged) -> None:
    ApiClient(logged.app(LOG_LEVEL="WARNING")).get("/health/live")

    assert logged.lines == []


def test_signing_in_leaves_no_secret_in_any_line(loud: Flask, logged: Logged, acme: Tenant) -> None:
    user = acme.user()
    client, secrets = ApiClient(loud), [PASSWORD, OTHER, user.email, user.email.upper()]

    client.post("/auth/login", {"email": user.email, "password": OTHER})
    client.post("/auth/login", {"email": "stranger@example.net", "password": OTHER})
    signed_in = client.post("/auth/login?token=body", {"email": user.email, "password": PASSWORD}).get_json()
    refreshed = client.post("/auth/refresh", {"refresh_token": signed_in["refresh_token"]}).get_json()
    me = ApiClient(loud, refreshed["access_token"])
    me.patch("/users/me/change-password", {"current_password": PASSWORD, "new_password": OTHER})
    me.patch("/users/me/change-password", {"current_password": "wrong", "new_password": OTHER})
    client.post("/auth/refresh", {"refresh_token": signed_in["refresh_token"] + "x"})
    client.post("/auth/logout", {"refresh_token": refreshed["refresh_token"]})

    assert len(logged.events("request")) == 8
    for pair in (signed_in, refreshed):
        secrets += [pair["access_token"], pair["refresh_token"], *pair["refresh_token"].split(".")[1:]]
    assert [each for each in [*secrets, "stranger@example.net", "eyJ"] if each in logged.text] == []


def test_requests_that_fail_leave_nothing_of_their_content_in_any_line(
    loud: Flask, logged: Logged, acme: Tenant
) -> None:
    client = ApiClient(loud, acme.admin.token)
    secret = {"email": "wile@example.com", "name": "Wile E. Coyote", "phone_number": "+1 555 0100"}

    client.post("/customers", secret | {"nmae": OTHER})
    client.post("/customers", secret)
    client.post("/customers", secret)
    client.get("/customers", query_string={"email": secret["email"], "name": OTHER, "x": OTHER})
    client.get(f"/customers/{secret['email']}")
    client.get(f"/{OTHER}")
    client.get("/users/me", headers={"Authorization": f"Bearer {OTHER}", "Cookie": f"access_token={OTHER}"})

    assert len(logged.events("request")) == 7
    assert [each for each in (*secret.values(), OTHER, OTHER.replace(" ", "%20")) if each in logged.text] == []


def test_addresses_and_tokens_are_cut_out_of_whatever_is_logged(loud: Flask, logged: Logged, acme: Tenant) -> None:
    def fail() -> None:
        raise RuntimeError(f"{request.json['email']} sent {request.json['token']}")  # type: ignore[index]

    loud.add_url_rule("/faults", "faults", fail, methods=["POST"])
    body = {"email": "wile@example.com", "token": acme.admin.token}

    loud.test_client().post("/faults", json=body)

    [line] = logged.events("unhandled_exception")
    assert "[redacted] sent [redacted]" in line["exception"]
    assert not any(each in logged.text for each in ("wile@", str(acme.admin.token), "eyJ"))


def test_what_is_named_like_a_secret_is_blanked(loud: Flask, logged: Logged) -> None:
    names = (
        "password", "new_password", "JWT_SECRET", "access_token", "Cookie", "authorization", "otp_code",
        "portal_id", "email", "e-mail", "to_email", "api_key", "credentials",
    )  # fmt: skip

    logs.log.warning("told", **dict.fromkeys(names, OTHER), reason="kept")

    [line] = logged.events("told")
    assert {line[name] for name in names} == {"[redacted]"}
    assert line["reason"] == "kept"


def test_every_line_is_one_json_object(loud: Flask, logged: Logged) -> None:
    loud.add_url_rule("/lines", "lines", lambda: answer({}))

    for agent in ("a\tb", "{", '"', "é"):
        loud.test_client().get("/lines", headers={"User-Agent": agent, "X-Request-ID": "{}"})
        loud.test_client().get("/%0a%7b%22event%22%3a1%7d")

    assert len(logged.text.splitlines()) == 8
    assert all(isinstance(json.loads(line), dict) for line in logged.text.splitlines())
