"""Where a token may stand, and tokens of an external service by the shared secret."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask

from tests.accounts.auth.browser import Browser, bearer, now, set_cookies
from tests.accounts.auth.external import mint
from tests.accounts.auth.identities import UNKNOWN, status
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.databases import SECRET
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database


def test_bearer_and_cookie_may_both_be_there_when_they_are_equal(app: Flask, person: ApiClient) -> None:
    browser = Browser(app)
    browser.keep("access_token", person.token or "")

    assert browser.get("/users/me", headers=bearer(person.token or "")).status_code == 200


@by_row("call", ["GET /users/me", "PATCH /users/me", "GET /customers", "POST /auth/logout"])
def test_two_different_tokens_are_400(app: Flask, acme: Tenant, person: ApiClient, call: str) -> None:
    method, path = call.split()
    browser = Browser(app)
    browser.keep("access_token", acme.user().token or "")

    answer = browser.request(method, path, headers=bearer(person.token or ""))

    assert answer.status_code == 400
    assert person.get("/users/me").status_code == 200


@by_row("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_has_no_case(app: Flask, person: ApiClient, scheme: str) -> None:
    answer = Browser(app).get("/users/me", headers={"Authorization": f"{scheme} {person.token}"})

    assert answer.status_code == 200


def test_no_other_place_is_read(app: Flask, acme: Tenant, person: ApiClient) -> None:
    token = person.token or ""
    elsewhere: list[dict[str, Any]] = [
        {"headers": {"Authorization": token}},
        {"headers": {"Authorization": f"Token {token}"}},
        {"headers": {"Authorization": f"Basic {token}"}},
        {"headers": {"X-Access-Token": token}},
        {"headers": {"X-Auth-Token": token}},
        {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
        {"headers": {"Cookie": f"token={token}"}},
        {"headers": {"Cookie": f"refresh_token={token}"}},
        {"query_string": {"access_token": token}},
        {"data": f"access_token={token}", "content_type": "application/x-www-form-urlencoded"},
    ]

    answers = [ApiClient(app).get("/users/me", **options).status_code for options in elsewhere]

    assert answers == [401] * len(elsewhere)


CLAIMS = (
    "X-User-ID", "X-User-Id", "X-User", "X-Company-ID", "X-Company", "X-Tenant-ID", "X-Email", "X-Role", "X-Roles",
    "X-Forwarded-User", "X-Forwarded-Email", "X-Authenticated-User", "X-Auth-Request-User", "Remote-User",
    "X-Remote-User", "X-Internal-Token", "X-Is-Admin",
)  # fmt: skip


def test_no_other_header_is_an_identity(app: Flask, acme: Tenant) -> None:
    headers = dict.fromkeys(CLAIMS, acme.admin.user_id) | {"X-Company-ID": str(acme.company_id)}

    for path in ("/users/me", "/auth/verify", "/customers", "/companies"):
        assert Browser(app).get(path, headers=headers).status_code == 401


def test_no_other_header_changes_an_identity(app: Flask, acme: Tenant, globex: Tenant) -> None:
    person = globex.user()
    headers = dict.fromkeys(CLAIMS, acme.admin.user_id) | {"X-Company-ID": str(acme.company_id)}

    found = person.get("/auth/verify", headers=headers).get_json()

    assert (found["user_id"], found["company_id"]) == (person.user_id, str(globex.company_id))
    assert person.get("/customers", headers=headers).status_code == 403


def test_a_refresh_token_is_no_access_token(app: Flask, person: ApiClient) -> None:
    refresh = set_cookies(Browser(app).log_in(person.email))["refresh_token"].value

    assert status(app, refresh) == 401


# Tokens of an external service by the shared secret


@pytest.mark.parametrize("subject", ["sub", "user_id"])
def test_a_token_with_the_three_needed_claims_is_accepted(app: Flask, person: ApiClient, subject: str) -> None:
    claims: dict[str, Any] = {"sub": None, subject: person.user_id}
    token = mint(person, **claims)

    found = ApiClient(app, token).get("/auth/verify").get_json()

    assert (found["user_id"], found["session_id"]) == (person.user_id, None)
    assert found["email"] == person.email


def test_an_external_token_asks_the_engine_like_any_other(app: Flask, acme: Tenant) -> None:
    assert status(app, mint(acme.user(role="viewer")), "/customers") == 200
    assert status(app, mint(acme.user()), "/customers") == 403


@by_row(
    "changes",
    [
        {"sub": None},
        {"company_id": None},
        {"exp": None},
        {"sub": UNKNOWN},
        {"company_id": UNKNOWN},
        {"sid": UNKNOWN},
        {"exp": timedelta(seconds=-1)},
        {"exp": timedelta(hours=25)},
        {"secret": "another-secret-0123456789-0123456789-01"},
        {"aud": "somebody-else"},
    ],
    ids=str,
)
def test_a_token_that_is_not_about_a_user_of_ours_is_401(
    app: Flask, person: ApiClient, changes: dict[str, Any]
) -> None:
    dated = {name: now() + value if name == "exp" and value else value for name, value in changes.items()}

    assert status(app, mint(person, **dated)) == 401


@both_databases
def test_the_company_must_be_the_users_own(app: Flask, acme: Tenant, globex: Tenant, person: ApiClient) -> None:
    assert status(app, mint(person, company_id=str(globex.company_id))) == 401
    assert status(app, mint(globex.user(), company_id=str(acme.company_id))) == 401


def test_an_unsigned_token_is_401(app: Flask, person: ApiClient) -> None:
    claims = {"sub": person.user_id, "company_id": person.company_id, "exp": now() + timedelta(hours=1)}
    no_key: Any = None

    assert status(app, jwt.encode(claims, no_key, "none")) == 401


@both_databases
def test_an_inactive_user_is_401_with_an_external_token_too(app: Flask, acme: Tenant, person: ApiClient) -> None:
    token = mint(person)
    assert status(app, token) == 200

    acme.admin.patch(f"/users/{person.user_id}", {"is_active": False})

    assert status(app, token) == 401


@both_databases
def test_a_suspended_company_is_403_with_an_external_token_too(app: Flask, acme: Tenant, globex: Tenant) -> None:
    token = mint(globex.user())
    acme.admin.patch(f"/companies/{globex.company_id}", {"status": "suspended"})

    assert status(app, token) == 403


@both_databases
def test_a_token_from_before_the_last_change_of_password_is_401(app: Flask, person: ApiClient) -> None:
    before = [mint(person, iat=now() - timedelta(seconds=2)), mint(person)]
    assert [status(app, token) for token in before] == [200, 200]

    body = {"current_password": PASSWORD, "new_password": "another good password"}
    assert person.patch("/users/me/change-password", body).status_code == 200

    assert [status(app, token) for token in before] == [401, 401]
    assert status(app, mint(person, iat=now() + timedelta(seconds=1))) == 200


@both_databases
def test_somebody_new_can_come_with_an_external_token_at_once(app: Flask, acme: Tenant) -> None:
    made = acme.admin.create("/users", {"email": "new@example.com", "password": PASSWORD})
    person = ApiClient(app, user_id=made["id"], company_id=str(acme.company_id))

    assert status(app, mint(person, iat=now())) == 200
    assert made["last_password_change"] is None


def test_the_former_secret_is_accepted_while_it_is_set(variant: Variant, app: Flask, person: ApiClient) -> None:
    former = "the-former-secret-0123456789-0123456789"
    token = mint(person, secret=former)

    assert status(variant(JWT_SECRET_PREVIOUS=former), token) == 200
    assert status(app, token) == 401


def test_with_an_audience_tokens_name_it(variant: Variant, app: Flask, person: ApiClient) -> None:
    service = variant(JWT_AUDIENCE="identity")

    own = set_cookies(Browser(service).log_in(person.email))["access_token"].value

    assert jwt.decode(own, SECRET, ["HS256"], audience="identity")["aud"] == "identity"
    assert status(service, own) == 200
    assert status(service, mint(person, aud=["other", "identity"])) == 200
    assert status(service, mint(person)) == 401
    assert status(app, own) == 401
