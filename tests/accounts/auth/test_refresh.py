"""POST /auth/refresh: rotation, reuse, and the end of a session."""

from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.accounts.auth import sessions
from app.accounts.auth.models import AuthSession, RefreshToken
from app.base.opaque_tokens import digest, new_token
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from tests.accounts.auth.browser import (
    Browser,
    bearer,
    current_session,
    execute,
    fetch,
    now,
    session_row,
    set_cookies,
    signed_in,
)
from tests.support.clients import ApiClient, Tenant
from tests.support.databases import SECRET
from tests.support.mailbox import Mailbox, mailbox, text_of
from tests.support.marks import one_database
from tests.support.outbox import entries
from tests.support.rows import by_row
from tests.support.variants import Variant

__all__ = ["mailbox"]


def token_of(browser: Browser) -> str:
    found = browser.cookie("refresh_token")
    assert found
    return found


def use(app: Flask, token: str, **options: Any) -> TestResponse:
    """Refresh as somebody who has nothing but the token."""
    thief = Browser(app)
    thief.keep("refresh_token", token)
    return thief.post("/auth/refresh", **options)


def is_alive(app: Flask, access_token: str) -> bool:
    return Browser(app).get("/auth/verify", headers=bearer(access_token)).status_code == 200


def move_rotation(app: Flask, company: Tenant, generation: int, seconds: float) -> None:
    """As if the tokens of a generation had been rotated that many seconds ago."""
    rotated = update(RefreshToken).where(RefreshToken.generation == generation, RefreshToken.rotated_at.is_not(None))
    execute(app, company, rotated.values(rotated_at=now() - timedelta(seconds=seconds)))


def move_session(app: Flask, company: Tenant, id: str, **values: datetime) -> None:
    execute(app, company, update(AuthSession).where(AuthSession.id == UUID(id)).values(**values))


# Refusals


@one_database
@by_row(
    "token",
    [
        "",
        "garbage",
        ".",
        "a.b",
        "AAAAAAAAAAAAAAAAAAAAAA." + "a" * 43,
        "AAAAAAAAAAAAAAAAAAAAAA==." + "a" * 43,
        "é.ü",
        "a" * 1024,
    ],
)
def test_what_is_no_refresh_token_is_401_and_clears_nothing(app: Flask, token: str) -> None:
    answer = use(app, token)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not set_cookies(answer)


@one_database
@by_row("token", [None, 5, "", ["a"], "nul \x00", "AAAAAAAAAAAAAAAAAAAAAA.\ud800", "a" * 1025])
@by_row("path", ["/auth/refresh", "/auth/logout"])
def test_what_can_be_no_token_is_400(app: Flask, path: str, token: Any) -> None:
    answer = Browser(app).post(path, {"refresh_token": token})

    assert answer.status_code == 400
    assert set(answer.get_json()["errors"]) == {"refresh_token"}


@one_database
def test_an_unknown_field_is_400_and_rotates_nothing(app: Flask, browser: Browser) -> None:
    assert browser.post("/auth/refresh", {"token": "x"}).status_code == 400
    assert browser.post("/auth/refresh", query_string="token=cookie").status_code == 400
    assert browser.post("/auth/refresh", data="x", content_type="text/plain").status_code == 415
    assert browser.post("/auth/refresh").status_code == 200


def test_a_token_is_looked_for_in_the_company_that_it_names_only(app: Flask, browser: Browser, globex: Tenant) -> None:
    head = urlsafe_b64encode(globex.company_id.bytes).rstrip(b"=").decode()
    secret = token_of(browser).partition(".")[2]

    assert use(app, f"{head}.{secret}").status_code == 401
    assert use(app, token_of(browser)).status_code == 200


def test_an_expired_session_cannot_be_extended(app: Flask, acme: Tenant, browser: Browser) -> None:
    session = current_session(browser)["id"]
    move_session(app, acme, session, expires_at=now() - timedelta(seconds=1))

    answer = browser.post("/auth/refresh")

    assert answer.status_code == 401
    assert not set_cookies(answer)


@one_database
def test_a_disabled_account_cannot_refresh(app: Flask, acme: Tenant, person: ApiClient, browser: Browser) -> None:
    acme.admin.patch(f"/users/{person.user_id}", {"is_active": False})

    assert browser.post("/auth/refresh").status_code == 401


@one_database
def test_nobody_of_a_suspended_company_can_refresh_until_it_is_active_again(
    app: Flask, acme: Tenant, globex: Tenant
) -> None:
    browser = signed_in(app, globex.user())
    acme.admin.patch(f"/companies/{globex.company_id}", {"status": "suspended"})

    refused = browser.post("/auth/refresh")
    acme.admin.patch(f"/companies/{globex.company_id}", {"status": "active"})

    assert (refused.status_code, refused.get_json()["error_code"]) == (403, "COMPANY_NOT_ACTIVE")
    assert browser.post("/auth/refresh").status_code == 200


# Rotation


def test_a_refresh_gives_a_new_pair_of_the_same_session(app: Flask, browser: Browser) -> None:
    before, session = token_of(browser), current_session(browser)["id"]

    answer = browser.post("/auth/refresh")

    given = set_cookies(answer)
    assert answer.get_json() == {"message": "Token refreshed"}
    assert given["refresh_token"].value != before
    assert is_alive(app, given["access_token"].value)
    assert current_session(browser)["id"] == session
    assert browser.post("/auth/refresh").status_code == 200


@one_database
def test_an_expired_access_token_does_not_matter(app: Flask, browser: Browser) -> None:
    browser.keep("access_token", "expired")

    assert browser.post("/auth/refresh").status_code == 200


@one_database
def test_a_program_gives_and_gets_the_token_in_the_body(app: Flask, browser: Browser) -> None:
    program, token = Browser(app), token_of(browser)

    answer = program.post("/auth/refresh", {"refresh_token": token})

    body = answer.get_json()
    assert set(body) == {"message", "access_token", "refresh_token", "token_type", "expires_in"}
    assert is_alive(app, body["access_token"])
    assert Browser(app).post("/auth/refresh", {"refresh_token": body["refresh_token"]}).status_code == 200


@one_database
def test_the_cookie_may_be_answered_in_the_body_on_demand(app: Flask, browser: Browser) -> None:
    body = browser.post("/auth/refresh", query_string="token=body").get_json()

    assert body["refresh_token"] == token_of(browser)


def test_each_use_extends_the_session_by_seven_days(app: Flask, acme: Tenant, browser: Browser) -> None:
    session = current_session(browser)["id"]
    used = now() - timedelta(days=6)
    move_session(app, acme, session, created_at=used, last_used_at=used, expires_at=now() + timedelta(hours=1))

    answer = browser.post("/auth/refresh")

    row = session_row(app, acme, session)
    assert abs(row.expires_at - now() - timedelta(days=7)) < timedelta(minutes=1)
    assert abs(row.last_used_at - now()) < timedelta(minutes=1)
    assert abs(int(set_cookies(answer)["refresh_token"]["max-age"]) - 7 * 86400) < 60


def test_a_session_lasts_thirty_days_in_all(app: Flask, acme: Tenant, browser: Browser) -> None:
    session, started = current_session(browser)["id"], now() - timedelta(days=29)
    move_session(app, acme, session, created_at=started, expires_at=now() + timedelta(hours=1))

    answer = browser.post("/auth/refresh")

    assert abs(session_row(app, acme, session).expires_at - started - timedelta(days=30)) < timedelta(seconds=1)
    assert abs(int(set_cookies(answer)["refresh_token"]["max-age"]) - 86400) < 60


# Reuse


def stop_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was rotated so many seconds ago stays so, however slow this machine is."""
    moment = now()
    monkeypatch.setattr(sessions, "utcnow", lambda: moment)


def test_a_rotated_token_that_is_used_again_ends_the_session(app: Flask, acme: Tenant, browser: Browser) -> None:
    stolen, session = token_of(browser), current_session(browser)["id"]
    browser.post("/auth/refresh")
    move_rotation(app, acme, 1, 11)

    answer = use(app, stolen)

    row = session_row(app, acme, session)
    assert (answer.status_code, answer.get_json()["error_code"]) == (401, "TOKEN_REUSED")
    assert row.revoked_at is not None
    assert row.revoked_reason == "reuse"
    assert browser.get("/users/me").status_code == 401
    assert browser.post("/auth/refresh").status_code == 401
    assert use(app, stolen).status_code == 401


def test_reuse_ends_no_other_session(app: Flask, acme: Tenant, person: ApiClient, browser: Browser) -> None:
    stolen, elsewhere = token_of(browser), signed_in(app, person)
    browser.post("/auth/refresh")
    move_rotation(app, acme, 1, 11)

    use(app, stolen)

    assert elsewhere.post("/auth/refresh").status_code == 200


def test_the_direct_predecessor_gives_a_working_pair_for_ten_seconds(
    app: Flask, acme: Tenant, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab, predecessor = Browser(app), token_of(browser)
    tab.keep("refresh_token", predecessor)
    stop_time(monkeypatch)
    browser.post("/auth/refresh")
    move_rotation(app, acme, 1, 9.9)

    answer = tab.post("/auth/refresh")

    assert answer.status_code == 200
    for each in (browser, tab):
        assert each.get("/users/me").status_code == 200
        assert each.post("/auth/refresh").status_code == 200


def test_the_ten_seconds_count_from_the_first_rotation(
    app: Flask, acme: Tenant, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    predecessor = token_of(browser)
    with monkeypatch.context() as patch:
        stop_time(patch)
        browser.post("/auth/refresh")
        move_rotation(app, acme, 1, 9.9)
        assert use(app, predecessor).status_code == 200

    rotated = fetch(app, acme, select(RefreshToken.rotated_at).where(RefreshToken.rotated_at.is_not(None)))[0]
    passed = now() - rotated
    move_rotation(app, acme, 1, 11)

    assert passed > timedelta(seconds=9)
    assert use(app, predecessor).status_code == 401


def test_a_token_that_was_stolen_and_used_within_the_grace_is_found_out(
    app: Flask, acme: Tenant, browser: Browser
) -> None:
    thief, session = Browser(app), current_session(browser)["id"]
    thief.keep("refresh_token", token_of(browser))
    browser.post("/auth/refresh")
    assert thief.post("/auth/refresh").status_code == 200
    move_rotation(app, acme, 1, 3600)
    assert token_of(thief) == token_of(browser)

    thief.post("/auth/refresh")
    move_rotation(app, acme, 2, 11)

    assert browser.post("/auth/refresh").get_json()["error_code"] == "TOKEN_REUSED"
    assert session_row(app, acme, session).revoked_reason == "reuse"
    assert thief.post("/auth/refresh").status_code == 401


@pytest.mark.parametrize(("seconds", "status"), [(8, 200), (11, 401)])
def test_a_token_left_behind_by_its_sibling_is_reuse_ten_seconds_after_the_sibling_was_made(
    app: Flask, acme: Tenant, browser: Browser, seconds: int, status: int
) -> None:
    """Former versions gave two tabs two tokens."""
    session = UUID(current_session(browser)["id"])
    browser.post("/auth/refresh")
    sibling, made_at = new_token(acme.company_id), now() - timedelta(seconds=3600)
    with app.app_context(), tenant(acme.company_id), unit_of_work():
        row = {"session_id": session, "token_hash": digest(sibling), "generation": 1, "created_at": made_at}
        db.session.add(RefreshToken(**row))
    first = update(RefreshToken).where(RefreshToken.generation == 1, RefreshToken.rotated_at.is_not(None))
    execute(app, acme, first.values(created_at=now() - timedelta(seconds=seconds)))

    assert use(app, sibling).status_code == status
    assert browser.post("/auth/refresh").status_code == status


def test_the_owner_is_told_of_the_theft_once(app: Flask, acme: Tenant, person: ApiClient, browser: Browser) -> None:
    stolen = token_of(browser)
    browser.post("/auth/refresh")
    move_rotation(app, acme, 1, 11)

    for _ in range(2):
        use(app, stolen)

    [mail] = entries(app)
    assert (mail.kind, mail.payload) == ("mail.stolen_session", {"user_id": person.user_id})


@one_database
@pytest.mark.parametrize(
    ("language", "subject"), [("en", "One of your sessions was ended"), ("fr", "L’une de vos sessions a été fermée")]
)
def test_the_mail_is_in_the_language_of_the_owner(
    app: Flask, acme: Tenant, mailbox: Mailbox, language: str, subject: str
) -> None:
    person = acme.user(language=language)
    browser = signed_in(app, person)
    stolen = token_of(browser)
    browser.post("/auth/refresh")
    move_rotation(app, acme, 1, 11)

    use(app, stolen)

    mail = mailbox.one()
    assert (mail["To"], mail["Subject"]) == (person.email, subject)
    assert " UTC" in text_of(mail)


@one_database
def test_the_successor_stays_the_same_while_the_secret_key_changes(
    app: Flask, browser: Browser, variant: Variant
) -> None:
    predecessor = token_of(browser)
    browser.post("/auth/refresh")

    rotated = variant(SECRET_KEY="another key of 32 bytes or more, 0123456789", SECRET_KEY_PREVIOUS=SECRET)
    answer = use(rotated, predecessor)

    assert answer.status_code == 200
    assert set_cookies(answer)["refresh_token"].value == token_of(browser)


def test_an_earlier_predecessor_is_theft_even_within_ten_seconds(app: Flask, browser: Browser) -> None:
    grandparent = token_of(browser)
    browser.post("/auth/refresh")
    browser.post("/auth/refresh")

    assert use(app, grandparent).get_json()["error_code"] == "TOKEN_REUSED"
    assert browser.get("/users/me").status_code == 401


@one_database
def test_a_lost_race_clears_no_cookie(app: Flask, acme: Tenant, browser: Browser) -> None:
    rotated = token_of(browser)
    browser.post("/auth/refresh")
    move_rotation(app, acme, 1, 11)

    answer = use(app, rotated)

    assert "Set-Cookie" not in answer.headers


def test_many_tabs_that_refresh_at_once_all_go_on(app: Flask, browser: Browser) -> None:
    token = token_of(browser)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: use(app, token), range(8)))

    assert [answer.status_code for answer in answers] == [200] * 8
    pairs = [set_cookies(answer) for answer in answers]
    assert len({pair["refresh_token"].value for pair in pairs}) == 1
    assert all(is_alive(app, pair["access_token"].value) for pair in pairs)
    assert all(use(app, pair["refresh_token"].value).status_code == 200 for pair in pairs)
