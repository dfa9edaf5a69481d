"""Acceptance: the account comes alive, and its owner is signed in, once."""

from typing import Any

import pytest
from sqlalchemy import Engine, update

from app.base.clock import utcnow
from app.core.jobs.one_time_links import OneTimeLink
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything
from tests.support.letters import Letters
from tests.support.marks import both_databases, one_database
from tests.support.roles import role_id

__all__ = ["everything"]
pytestmark = one_database
PATH = "/auth/accept-invitation"
ADDRESS = "wile@example.com"


@pytest.fixture
def token(acme: Tenant, letters: Letters) -> str:
    acme.admin.create("/users/invitations", {"email": ADDRESS, "role_ids": [role_id(acme, "viewer")]})
    return letters.one(ADDRESS).token


def accept(anonymous: ApiClient, token: str, password: str = PASSWORD, query: str = "", **options: Any) -> Any:
    return anonymous.post(f"{PATH}{query}", {"token": token, "password": password}, **options)


def test_acceptance_answers_as_a_login_does(acme: Tenant, anonymous: ApiClient, token: str) -> None:
    answer = accept(anonymous, token, query="?token=body")

    body = answer.get_json()
    assert answer.status_code == 200
    assert set(body) == {
        "message", "user", "password_reset_required", "access_token", "refresh_token", "token_type", "expires_in",
    }  # fmt: skip
    assert (body["user"]["is_active"], body["user"]["is_verified"], body["password_reset_required"]) == (
        True, True, False,
    )  # fmt: skip
    assert body["user"]["last_password_change"] is not None
    assert ApiClient(acme.app, body["access_token"]).get("/users").status_code == 200
    assert anonymous.post("/auth/login", {"email": ADDRESS, "password": PASSWORD}).status_code == 200
    assert anonymous.post("/auth/refresh", {"refresh_token": body["refresh_token"]}).status_code == 200


def test_browser_gets_both_cookies_and_no_token_in_the_body(anonymous: ApiClient, token: str) -> None:
    answer = accept(anonymous, token)

    assert set(answer.get_json()) == {"message", "user", "password_reset_required"}
    cookies = [line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")]
    assert sorted(cookies) == ["access_token", "refresh_token"]


@both_databases
def test_link_works_once(anonymous: ApiClient, token: str) -> None:
    assert accept(anonymous, token).status_code == 200

    again = accept(anonymous, token, "another good password")

    assert (again.status_code, again.get_json()["error_code"]) == (400, "INVALID_LINK")
    assert anonymous.post("/auth/login", {"email": ADDRESS, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize("password", ["short", ADDRESS, "wile", "password", "x" * 129])
def test_unacceptable_password_does_not_use_the_link_up(anonymous: ApiClient, token: str, password: str) -> None:
    refused = accept(anonymous, token, password)

    assert refused.status_code == 400
    assert list(refused.get_json()["errors"]) == ["password"]
    assert accept(anonymous, token).status_code == 200


@both_databases
def test_expired_invitation_is_refused_until_it_is_sent_again(
    acme: Tenant, anonymous: ApiClient, letters: Letters, token: str, everything: Engine
) -> None:
    with everything.begin() as connection:
        connection.execute(update(OneTimeLink).values(expires_at=utcnow()))
    [invitation] = acme.admin.get("/users/invitations").get_json()["data"]

    assert accept(anonymous, token).status_code == 400

    acme.admin.post(f"/users/invitations/{invitation['id']}/resend")
    assert accept(anonymous, letters.one(ADDRESS).token).status_code == 200


def test_link_for_another_purpose_is_refused(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()
    anonymous.post("/auth/verify-email/request", {"email": user.email})

    answer = accept(anonymous, letters.one(user.email).token)

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_LINK")


def test_address_is_compared_even_if_the_link_is_still_there(
    anonymous: ApiClient, token: str, everything: Engine
) -> None:
    with everything.begin() as connection:
        connection.execute(update(OneTimeLink).values(address="elsewhere@example.com"))

    assert accept(anonymous, token).status_code == 400


def test_company_that_is_not_active_lets_nobody_in(
    acme: Tenant, globex: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    globex.admin.create("/users/invitations", {"email": ADDRESS})
    token, company = letters.one(ADDRESS).token, f"/companies/{globex.company_id}"
    acme.admin.patch(company, {"status": "suspended"})

    refused = accept(anonymous, token)

    assert (refused.status_code, refused.get_json()["error_code"]) == (403, "COMPANY_NOT_ACTIVE")
    acme.admin.patch(company, {"status": "active"})
    assert accept(anonymous, token).status_code == 200


def test_form_that_another_site_sends_is_refused(anonymous: ApiClient, token: str) -> None:
    refused = accept(anonymous, token, headers={"Sec-Fetch-Site": "cross-site"})

    assert (refused.status_code, refused.get_json()["error_code"]) == (403, "CSRF_REJECTED")
    assert accept(anonymous, token).status_code == 200
