"""POST /verify_password, asked by an external auth service."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.security import generate_password_hash

from app.companies.models import Company
from app.users.models import User
from tests.accounts.auth.browser import Browser, execute, now, user_row
from tests.accounts.auth.test_throttle import failures
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.variants import PRODUCTION, Variant

pytestmark = one_database

PATH, TOKEN = "/verify_password", "internal-token-0123456789-0123456789"
INTERNAL = {"INTERNAL_AUTH_TOKEN": TOKEN}
WITH_TOKEN = {"X-Internal-Token": TOKEN}


def verify(app: Flask, email: Any, password: Any = PASSWORD, **options: Any) -> Any:
    return ApiClient(app).post(PATH, {"email": email, "password": password}, **options)


# Refusals


def test_a_wrong_password_and_an_unknown_account_get_the_same_403(app: Flask, person: ApiClient) -> None:
    answers = [verify(app, person.email, "wrong password"), verify(app, "nobody@example.com")]

    told = [{name: each.get_json()[name] for name in ("status", "message", "error_code")} for each in answers]
    assert told[0] == told[1]
    assert told[0]["status"] == 403
    assert told[0]["error_code"] == "INVALID_CREDENTIALS"


@by_row("body", [{"email": "ada@example.com"}, {"password": PASSWORD}, {}, {"email": "", "password": ""}])
def test_what_is_missing_is_400(app: Flask, person: ApiClient, body: dict[str, str]) -> None:
    assert ApiClient(app).post(PATH, body).status_code == 400


def test_somebody_disabled_is_403(app: Flask, acme: Tenant, globex: Tenant) -> None:
    away = acme.user(is_active=False)
    execute(app, globex, update(Company).values(status="suspended"))

    answers = [verify(app, away.email), verify(app, globex.admin.email)]

    told = [(each.status_code, each.get_json()["error_code"]) for each in answers]
    assert told == [(403, "ACCOUNT_DISABLED"), (403, "COMPANY_NOT_ACTIVE")]


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", "é", TOKEN.upper()])
def test_production_wants_the_token(variant: Variant, person: ApiClient, token: str | None) -> None:
    headers = {} if token is None else {"X-Internal-Token": token.encode().decode("latin-1")}

    answer = verify(variant(**PRODUCTION, **INTERNAL), person.email, headers=headers)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_production_without_a_token_of_its_own_accepts_none(variant: Variant, person: ApiClient) -> None:
    assert verify(variant(**PRODUCTION), person.email, headers={"X-Internal-Token": ""}).status_code == 401


def test_production_may_be_told_to_answer_anybody(variant: Variant, person: ApiClient) -> None:
    public = variant(**PRODUCTION, VERIFY_PASSWORD_PUBLIC="true")

    assert verify(public, person.email).status_code == 200


# The answer


def test_a_right_password_gets_the_user_as_their_own_page_shows_it(
    variant: Variant, acme: Tenant, person: ApiClient
) -> None:
    answer = verify(variant(**PRODUCTION, **INTERNAL), "ADA@example.com", headers=WITH_TOKEN)

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    shown = answer.get_json()
    assert shown == acme.admin.get(f"/users/{person.user_id}").get_json()
    assert not [name for name in shown if "password" in name and name not in _ABOUT]


_ABOUT = ("password_reset_required", "last_password_change")


def test_it_is_dated_as_a_login_and_opens_no_session(app: Flask, person: ApiClient) -> None:
    before = user_row(app, person)
    sessions = len(person.get("/auth/sessions").get_json()["data"])

    verify(app, person.email)

    after = user_row(app, person)
    assert after.last_login_at
    assert now() - after.last_login_at < timedelta(minutes=1)
    assert after.row_version == before.row_version
    assert len(person.get("/auth/sessions").get_json()["data"]) == sessions


def test_a_hash_of_the_former_system_is_renewed(app: Flask, acme: Tenant, person: ApiClient) -> None:
    old = generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")
    execute(app, acme, update(User).where(User.id == UUID(person.user_id)).values(password_hash=old))

    assert verify(app, person.email).status_code == 200

    assert (user_row(app, person).password_hash or "").startswith("$argon2id$")


# Guessing


@pytest.mark.usefixtures("same_moment")
def test_without_the_token_guessing_is_slowed_down_together_with_logins(app: Flask, person: ApiClient) -> None:
    here = {"environ_overrides": {"REMOTE_ADDR": "198.51.100.7"}}
    assert [verify(app, person.email, "wrong password", **here).status_code for _ in range(5)] == [403] * 5

    assert verify(app, person.email, **here).status_code == 429
    assert Browser(app, address="198.51.100.9").log_in(person.email).status_code == 429
    assert Browser(app, address="203.0.113.9").log_in(person.email).status_code == 200


def test_through_the_auth_service_no_stranger_locks_the_owner_out(variant: Variant, person: ApiClient) -> None:
    service = variant(**INTERNAL)
    for _ in range(20):
        assert verify(service, person.email, "wrong password", headers=WITH_TOKEN).status_code == 403

    assert verify(service, person.email, headers=WITH_TOKEN).status_code == 200
    assert failures(service) == []


def test_an_account_costs_no_statement_more_than_none(app: Flask, person: ApiClient, statements: Any) -> None:
    with statements() as known:
        verify(app, person.email, "wrong password")
    with statements() as unknown:
        verify(app, "nobody@example.com", "wrong password")

    assert known == unknown
