"""Logins that are refused, and what they do not tell."""

import statistics
import time
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update

from app.users.models import User
from tests.accounts.auth.browser import Browser, execute, set_cookies
from tests.support.clients import PASSWORD, Tenant
from tests.support.marks import both_databases, flaky, one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database


@pytest.fixture
def refused(app: Flask, acme: Tenant) -> dict[str, Any]:
    """The one answer to everything that is wrong, as a wrong password gets it."""
    return told(Browser(app).log_in(acme.user().email, "wrong password"))


def told(answer: Any) -> dict[str, Any]:
    assert answer.headers.get("WWW-Authenticate") == "Bearer"
    assert not set_cookies(answer)
    found: dict[str, Any] = answer.get_json()
    return {name: found[name] for name in found if name not in ("timestamp", "request_id")}


def test_wrong_credentials_are_401(refused: dict[str, Any]) -> None:
    assert refused["status"] == 401
    assert refused["error_code"] == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(
    "body",
    [
        {"email": "nobody@example.com"},
        {"username": "nobody"},
        {"email": "somebody"},
        {"username": "some@example.com"},
        {"email": ""},
        {"email": "%"},
        {"email": "some@example.com", "password": ""},
        {"email": "some@example.com", "password": PASSWORD.upper()},
        {"email": "some@example.com", "password": f" {PASSWORD}"},
        {"email": "some@example.com", "password": PASSWORD + "x" * 10_000},
        {"email": "some@example.com", "password": "\ud800"},
        {"email": "invited@example.com"},
        {"email": "invited@example.com", "password": ""},
    ],
    ids=str,
)
def test_whatever_is_wrong_gets_the_same_answer(
    app: Flask, acme: Tenant, refused: dict[str, Any], body: dict[str, str]
) -> None:
    acme.user(email="some@example.com", username="somebody")
    invited = acme.user(email="invited@example.com")
    execute(app, acme, update(User).where(User.id == UUID(invited.user_id)).values(password_hash=None))

    answer = Browser(app).post("/auth/login", {"password": PASSWORD} | body)

    assert told(answer) == refused


@both_databases
def test_an_unknown_account_takes_the_same_statements_as_a_known_one(app: Flask, acme: Tenant, statements) -> None:  # type: ignore[no-untyped-def]
    email = acme.user().email

    with statements() as known:
        Browser(app).log_in(email, "wrong password")
    with statements() as unknown:
        Browser(app).log_in("nobody@example.com", "wrong password")

    assert known == unknown
    assert known


@flaky
def test_an_unknown_account_takes_the_same_time_as_a_known_one(variant: Variant, acme: Tenant) -> None:
    slow = variant(ARGON2_TIME_COST="10", ARGON2_MEMORY_KIB="8192")
    person = acme.user()
    assert Browser(slow).log_in(person.email).status_code == 200  # made anew with these parameters

    def seconds(email: str) -> float:
        started = time.perf_counter()
        Browser(slow).log_in(email, "wrong password")
        return time.perf_counter() - started

    known = statistics.median(seconds(person.email) for _ in range(5))
    unknown = statistics.median(seconds("nobody@example.com") for _ in range(5))

    assert 0.6 < unknown / known < 1.6


def test_a_disabled_account_is_told_so_only_with_its_password(app: Flask, acme: Tenant) -> None:
    person = acme.user(is_active=False)

    wrong = Browser(app).log_in(person.email, "wrong password")
    right = Browser(app).log_in(person.email)

    assert wrong.status_code == 401
    assert (right.status_code, right.get_json()["error_code"]) == (403, "ACCOUNT_DISABLED")
    assert not set_cookies(right)


@pytest.mark.parametrize("status", ["inactive", "suspended"])
def test_nobody_of_a_company_that_is_not_active_signs_in(app: Flask, acme: Tenant, globex: Tenant, status: str) -> None:
    person = globex.user()
    acme.admin.patch(f"/companies/{globex.company_id}", {"status": status})

    wrong = Browser(app).log_in(person.email, "wrong password")
    right = Browser(app).log_in(person.email)

    assert wrong.status_code == 401
    assert (right.status_code, right.get_json()["error_code"]) == (403, "COMPANY_NOT_ACTIVE")


def test_the_right_password_of_a_disabled_account_is_no_failure(app: Flask, acme: Tenant) -> None:
    person = acme.user(is_active=False)

    answers = [Browser(app).log_in(person.email).status_code for _ in range(7)]

    assert answers == [403] * 7


@by_row(
    ("body", "named"),
    [
        ({}, {"password"}),
        ({"password": PASSWORD}, {"email"}),
        ({"email": "a@example.com"}, {"password"}),
        ({"email": "a@example.com", "username": "a", "password": PASSWORD}, {"email"}),
        ({"email": "a@example.com", "password": PASSWORD, "remember": True}, {"remember"}),
        ({"email": "a@example.com", "password": None}, {"password"}),
        ({"email": None, "password": PASSWORD}, {"email"}),
        ({"email": ["a@example.com"], "password": PASSWORD}, {"email"}),
        ({"email": "a@example.com", "password": 12345678}, {"password"}),
        ({"email": "a\x00@example.com", "password": PASSWORD}, {"email"}),
        ({"email": "a\ud800@example.com", "password": PASSWORD}, {"email"}),
        ({"username": "a" * 1025, "password": PASSWORD}, {"username"}),
        ({"email": "a@example.com", "password": "nul \x00 inside"}, {"password"}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_body_that_is_no_login_is_400_and_its_fields_are_named(app: Flask, body: Any, named: set[str]) -> None:
    answer = Browser(app).post("/auth/login", body)

    assert answer.status_code == 400
    assert named <= set(answer.get_json()["errors"])


@by_row(
    ("options", "status"),
    [
        ({"data": "email=a&password=b", "content_type": "application/x-www-form-urlencoded"}, 415),
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"data": "[]", "content_type": "application/json"}, 400),
        ({"data": '{"email": "a", "email": "b", "password": "c"}', "content_type": "application/json"}, 400),
    ],
)
def test_only_a_json_object_is_read(app: Flask, options: dict[str, Any], status: int) -> None:
    assert Browser(app).post("/auth/login", **options).status_code == status


@by_row("query", ["token=cookie", "token=", "tokens=body", "token=body&token=body"])
def test_an_unknown_wish_is_400_and_signs_nobody_in(app: Flask, acme: Tenant, query: str) -> None:
    answer = Browser(app).log_in(acme.user().email, query_string=query)

    assert answer.status_code == 400
    assert not set_cookies(answer)
