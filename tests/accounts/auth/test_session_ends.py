"""Operators read why a session ended, unless its owner signed out."""

from collections.abc import Callable, Iterator

import pytest
import structlog
from flask import Flask
from structlog.testing import capture_logs

from tests.accounts.auth.browser import Browser, current_session, signed_in
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.variants import Variant

pytestmark = one_database


@pytest.fixture
def app(variant: Variant) -> Iterator[Flask]:
    before = structlog.get_config()
    yield variant(LOG_LEVEL="INFO")
    structlog.configure(**before)


def revoke(_admin: ApiClient, browser: Browser, session: str) -> None:
    browser.delete(f"/auth/sessions/{session}")


def revoke_others(_admin: ApiClient, browser: Browser, _session: str) -> None:
    browser.delete("/auth/sessions")


def change_password(_admin: ApiClient, browser: Browser, _session: str) -> None:
    browser.patch("/users/me/change-password", {"current_password": PASSWORD, "new_password": "entirely different"})


def reset_password(admin: ApiClient, browser: Browser, _session: str) -> None:
    admin.post(f"/users/{browser.get('/users/me').get_json()['id']}/admin-reset-password")


def deactivate(admin: ApiClient, browser: Browser, _session: str) -> None:
    admin.patch(f"/users/{browser.get('/users/me').get_json()['id']}", {"is_active": False})


def delete(admin: ApiClient, browser: Browser, _session: str) -> None:
    admin.delete(f"/users/{browser.get('/users/me').get_json()['id']}")


End = Callable[[ApiClient, Browser, str], None]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (revoke, "revoked"),
        (revoke_others, "revoked"),
        (change_password, "password changed"),
        (reset_password, "password reset"),
        (deactivate, "deactivated"),
        (delete, "deleted"),
    ],
)
def test_the_end_of_a_session_is_logged_with_its_reason(
    app: Flask, acme: Tenant, person: ApiClient, end: End, reason: str
) -> None:
    admin, browser, other = ApiClient(app, acme.admin.token), signed_in(app, person), signed_in(app, person)
    session = current_session(other)["id"]

    with capture_logs() as lines:
        end(admin, browser, session)

    ended = [line for line in lines if line["event"] == "session_ended" and str(line["session_id"]) == session]
    assert [(line["reason"], str(line["user_id"])) for line in ended] == [(reason, person.user_id)]


def test_a_logout_is_not_logged_as_an_end(app: Flask, person: ApiClient) -> None:
    browser = signed_in(app, person)

    with capture_logs() as lines:
        browser.post("/auth/logout")

    assert "session_ended" not in [line["event"] for line in lines]
