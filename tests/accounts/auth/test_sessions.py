"""Logout, verify, and the list of one's own sessions; every end is immediate and everywhere."""

from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts.auth.models import AuthSession
from tests.accounts.auth.browser import (
    Browser,
    bearer,
    current_session,
    execute,
    now,
    session_row,
    set_cookies,
    signed_in,
)
from tests.accounts.auth.external import mint
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row

pytestmark = one_database

UNKNOWN = "00000000-0000-7000-8000-000000000000"


def access_token(browser: Browser) -> str:
    return browser.cookie("access_token") or ""


def expire(app: Flask, company: Tenant, session: str) -> None:
    past = now() - timedelta(seconds=1)
    execute(app, company, update(AuthSession).where(AuthSession.id == UUID(session)).values(expires_at=past))


# Logout


@both_databases
def test_logout_ends_the_session_in_every_process(
    app: Flask, other_process: Flask, acme: Tenant, browser: Browser
) -> None:
    access, refresh = access_token(browser), browser.cookie("refresh_token")
    session = current_session(browser)["id"]

    answer = browser.post("/auth/logout")

    assert (answer.status_code, answer.get_json()) == (200, {"message": "Logout successful"})
    assert (browser.cookie("access_token"), browser.cookie("refresh_token")) == (None, None)
    assert session_row(app, acme, session).revoked_reason == "logout"
    for service in (app, other_process):
        assert Browser(service).get("/users/me", headers=bearer(access)).status_code == 401
        assert Browser(service).post("/auth/refresh", {"refresh_token": refresh}).status_code == 401


def test_logout_without_anything_is_200_and_clears_the_cookies(app: Flask) -> None:
    answer = Browser(app).post("/auth/logout")

    assert answer.status_code == 200
    assert {each["max-age"] for each in set_cookies(answer).values()} == {"0"}
    assert set(set_cookies(answer)) == {"access_token", "refresh_token"}


def test_logout_with_an_expired_access_token_ends_the_session_of_the_refresh_token(
    app: Flask, person: ApiClient, browser: Browser
) -> None:
    session = current_session(browser)["id"]
    expired = mint(person, sid=session, exp=now() - timedelta(seconds=1))
    browser.keep("access_token", expired)

    answer = browser.post("/auth/logout")

    assert answer.status_code == 200
    assert person.get("/auth/verify").status_code == 200
    assert session not in [each["id"] for each in person.get("/auth/sessions").get_json()["data"]]


def test_logout_with_the_access_token_alone_ends_its_session(app: Flask, person: ApiClient) -> None:
    assert person.post("/auth/logout").status_code == 200

    assert person.get("/users/me").status_code == 401


def test_a_program_logs_out_with_its_refresh_token(app: Flask, browser: Browser) -> None:
    assert Browser(app).post("/auth/logout", {"refresh_token": browser.cookie("refresh_token")}).status_code == 200

    assert browser.get("/users/me").status_code == 401


@pytest.mark.parametrize("token", ["garbage", "AAAAAAAAAAAAAAAAAAAAAA." + "a" * 43])
def test_logout_with_tokens_that_are_none_is_200(app: Flask, token: str) -> None:
    browser = Browser(app)
    browser.keep("access_token", token)
    browser.keep("refresh_token", token)

    assert browser.post("/auth/logout").status_code == 200
    assert browser.cookie("refresh_token") is None


def test_a_second_logout_is_200_and_keeps_the_first_reason(app: Flask, acme: Tenant, person: ApiClient) -> None:
    session = current_session(person)["id"]
    person.post("/auth/logout")
    first = session_row(app, acme, session).revoked_at

    assert person.post("/auth/logout").status_code == 200
    assert session_row(app, acme, session).revoked_at == first


def test_logout_ends_no_other_session(app: Flask, person: ApiClient, browser: Browser) -> None:
    browser.post("/auth/logout")

    assert person.get("/users/me").status_code == 200


def test_logout_of_an_external_token_only_clears_the_cookies(app: Flask, person: ApiClient) -> None:
    external = ApiClient(app, mint(person))

    assert external.post("/auth/logout").status_code == 200

    assert external.get("/auth/verify").status_code == 200
    assert person.get("/auth/verify").status_code == 200


# Verify


def test_verify_says_whose_token_it_is(app: Flask, acme: Tenant, person: ApiClient) -> None:
    body = person.get("/auth/verify").get_json()

    assert 14 * 60 < body.pop("exp") - now().timestamp() <= 15 * 60
    assert body == {
        "valid": True,
        "user_id": person.user_id,
        "company_id": str(acme.company_id),
        "session_id": current_session(person)["id"],
        "email": person.email,
        "password_reset_required": False,
    }


def test_verify_of_nobody_is_401(app: Flask) -> None:
    assert Browser(app).get("/auth/verify").status_code == 401


def test_authentication_costs_one_statement(app: Flask, person: ApiClient, statements) -> None:  # type: ignore[no-untyped-def]
    external = ApiClient(app, mint(person))

    with statements() as ours:
        assert person.get("/auth/verify").status_code == 200
    with statements() as theirs:
        assert external.get("/auth/verify").status_code == 200

    assert (len(ours), len(theirs)) == (1, 1)


# One's own sessions


@by_row("call", ["GET /auth/sessions", "DELETE /auth/sessions", f"DELETE /auth/sessions/{UNKNOWN}"])
def test_sessions_of_nobody_are_401(app: Flask, call: str) -> None:
    method, path = call.split()

    assert Browser(app).request(method, path).status_code == 401


def test_another_users_session_is_404_and_lives_on(app: Flask, acme: Tenant, globex: Tenant, person: ApiClient) -> None:
    for other in (acme.user(), globex.user(), acme.admin):
        session = current_session(other)["id"]

        answer = person.delete(f"/auth/sessions/{session}")

        assert (answer.status_code, answer.get_json()["error_code"]) == (404, "SESSION_NOT_FOUND")
        assert other.get("/auth/verify").status_code == 200


@pytest.mark.parametrize(("id", "status"), [("nonsense", 400), (UNKNOWN, 404)])
def test_a_session_that_is_none_cannot_be_revoked(person: ApiClient, id: str, status: int) -> None:
    assert person.delete(f"/auth/sessions/{id}").status_code == status


@both_databases
def test_the_list_shows_ones_own_live_sessions(app: Flask, acme: Tenant, person: ApiClient, browser: Browser) -> None:
    acme.user()
    expired, revoked = signed_in(app, person), signed_in(app, person)
    expire(app, acme, current_session(expired)["id"])
    revoked.post("/auth/logout")

    listed = browser.get("/auth/sessions").get_json()

    ids = {current_session(each)["id"] for each in (browser, person)}
    assert {each["id"] for each in listed["data"]} == ids
    assert listed["pagination"]["total"] == 2
    assert [each["is_current"] for each in listed["data"] if each["id"] == current_session(browser)["id"]] == [True]


def test_no_listed_session_has_a_secret(person: ApiClient) -> None:
    expected = {"id", "created_at", "last_used_at", "expires_at", "ip", "user_agent", "is_current"}

    assert set(current_session(person)) == expected


def test_one_session_is_revoked_at_once_in_every_process(
    app: Flask, other_process: Flask, acme: Tenant, person: ApiClient, browser: Browser
) -> None:
    lost = signed_in(app, person)
    session = current_session(lost)["id"]

    assert browser.delete(f"/auth/sessions/{session}").status_code == 204

    assert Browser(other_process).get("/users/me", headers=bearer(access_token(lost))).status_code == 401
    assert lost.post("/auth/refresh").status_code == 401
    assert session_row(app, acme, session).revoked_reason == "revoked"
    assert browser.get("/users/me").status_code == 200
    assert browser.delete(f"/auth/sessions/{session}").status_code == 404


def test_ones_current_session_can_be_revoked(browser: Browser) -> None:
    assert browser.delete(f"/auth/sessions/{current_session(browser)['id']}").status_code == 204

    assert browser.get("/users/me").status_code == 401


def test_an_expired_session_is_not_there_to_be_revoked(
    app: Flask, acme: Tenant, person: ApiClient, browser: Browser
) -> None:
    session = current_session(person)["id"]
    expire(app, acme, session)

    assert browser.delete(f"/auth/sessions/{session}").status_code == 404


@both_databases
def test_all_others_are_revoked_and_the_current_one_stays(
    app: Flask, acme: Tenant, person: ApiClient, browser: Browser
) -> None:
    stranger, another = acme.user(), signed_in(app, person)

    assert browser.delete("/auth/sessions").status_code == 204

    assert (person.get("/users/me").status_code, another.get("/users/me").status_code) == (401, 401)
    assert (browser.get("/users/me").status_code, stranger.get("/users/me").status_code) == (200, 200)


# What else ends a session


@both_databases
def test_an_expired_session_ends_before_its_access_token(app: Flask, acme: Tenant, person: ApiClient) -> None:
    expire(app, acme, current_session(person)["id"])

    assert person.get("/users/me").status_code == 401


def test_a_session_carries_its_own_user_only(app: Flask, acme: Tenant, globex: Tenant, person: ApiClient) -> None:
    for other in (acme.user(), globex.user()):
        borrowed = mint(person, sid=current_session(other)["id"])

        assert ApiClient(app, borrowed).get("/users/me").status_code == 401


@both_databases
def test_deactivation_takes_effect_on_the_next_request_in_every_process(
    app: Flask, other_process: Flask, acme: Tenant, person: ApiClient
) -> None:
    elsewhere = ApiClient(other_process, person.token)
    assert elsewhere.get("/users/me").status_code == 200

    acme.admin.patch(f"/users/{person.user_id}", {"is_active": False})

    assert (person.get("/users/me").status_code, elsewhere.get("/users/me").status_code) == (401, 401)


def test_suspension_takes_effect_on_the_next_request_in_every_process(
    app: Flask, other_process: Flask, acme: Tenant, globex: Tenant
) -> None:
    person = globex.user()
    elsewhere = ApiClient(other_process, person.token)
    assert elsewhere.get("/users/me").status_code == 200

    acme.admin.patch(f"/companies/{globex.company_id}", {"status": "suspended"})

    for answer in (person.get("/users/me"), elsewhere.get("/users/me")):
        assert (answer.status_code, answer.get_json()["error_code"]) == (403, "COMPANY_NOT_ACTIVE")


@both_databases
def test_deletion_takes_effect_on_the_next_request(acme: Tenant, person: ApiClient) -> None:
    assert acme.admin.delete(f"/users/{person.user_id}").status_code == 204

    assert person.get("/users/me").status_code == 401
