"""After a hundred failures without a success, an account is tried from known networks only."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.accounts.auth.models import AccountFailure
from app.core.db.models import db
from app.core.db.transaction import unit_of_work
from tests.accounts.auth.browser import Browser, now, signed_in
from tests.accounts.passwords.codes import NEW, confirm, given_code
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.clock import same_moment
from tests.support.databases import SECRET
from tests.support.mailbox import mailbox
from tests.support.marks import one_database
from tests.support.variants import Variant

__all__ = ["mailbox", "same_moment"]

HOME, AWAY, ELSEWHERE = "198.51.100.7", "203.0.113.9", "192.0.2.1"
WRONG = "wrong password"


def status(app: Flask, email: str, password: str, address: str) -> int:
    return Browser(app, address=address).log_in(email, password).status_code


def counts(app: Flask) -> list[int]:
    with app.app_context(), unit_of_work(writes=False):
        return sorted(db.session.scalars(select(AccountFailure.attempts)))


def set_counts(app: Flask, **values: Any) -> None:
    statement = update(AccountFailure).values(**values).execution_options(synchronize_session=False)
    with app.app_context(), unit_of_work():
        db.session.execute(statement)


def failed(app: Flask, email: str, times: int) -> None:
    """As if so many attempts had failed, in as many networks."""
    assert status(app, email, WRONG, ELSEWHERE) in (401, 429)
    set_counts(app, attempts=times)


def test_a_hundred_and_fifty_guesses_from_thirty_networks_get_a_hundred_comparisons(
    app: Flask, person: ApiClient
) -> None:
    answers = Counter(status(app, person.email, WRONG, f"10.0.{number % 30}.1") for number in range(150))

    assert answers == {401: 100, 429: 50}
    assert counts(app) == [100]


def test_the_owner_goes_on_at_a_known_network_only(app: Flask, person: ApiClient) -> None:
    signed_in(app, person, address=HOME)
    failed(app, person.email, 100)

    at_new_network = status(app, person.email, PASSWORD, AWAY)
    at_home = status(app, person.email, PASSWORD, HOME)

    assert (at_new_network, at_home) == (429, 200)
    assert counts(app) == []
    assert status(app, person.email, PASSWORD, AWAY) == 200


@pytest.mark.usefixtures("same_moment")
def test_guesses_at_a_known_network_are_counted_and_slowed_down(app: Flask, person: ApiClient) -> None:
    signed_in(app, person, address=HOME)
    failed(app, person.email, 100)

    assert [status(app, person.email, WRONG, HOME) for _ in range(6)] == [401] * 5 + [429]
    assert counts(app) == [105]


def test_the_refusal_names_the_ways_out(app: Flask, person: ApiClient) -> None:
    failed(app, person.email, 100)

    answer = Browser(app, address=AWAY).log_in(person.email)

    assert (answer.status_code, answer.get_json()["error_code"]) == (429, "RATE_LIMITED")
    assert "reset the password by mail" in answer.get_json()["detail"]
    assert (answer.headers["Retry-After"], answer.headers["RateLimit-Limit"]) == ("3600", "100")


def test_a_success_anywhere_begins_to_count_anew(app: Flask, person: ApiClient) -> None:
    failed(app, person.email, 99)

    assert status(app, person.email, PASSWORD, AWAY) == 200
    assert counts(app) == []


def test_a_reset_by_mail_opens_the_account_again(app: Flask, acme: Tenant) -> None:
    person = acme.user()
    code = given_code(person)
    failed(app, person.email, 100)

    assert confirm(app, person.email, code).status_code == 200

    assert status(app, person.email, NEW, AWAY) == 200


def test_a_password_reset_by_an_administrator_opens_it_too(app: Flask, acme: Tenant, person: ApiClient) -> None:
    failed(app, person.email, 100)

    given = acme.admin.post(f"/users/{person.user_id}/admin-reset-password").get_json()

    assert status(app, person.email, given["temporary_password"], AWAY) == 200


@one_database
def test_a_name_that_nobody_has_is_refused_alike(app: Flask, person: ApiClient, acme: Tenant) -> None:
    told = []
    for email in (person.email, "nobody@example.com"):
        failed(app, email, 100)
        answer = Browser(app, address=AWAY).log_in(email, WRONG)
        told.append((answer.status_code, answer.get_json()["detail"], answer.headers["Retry-After"]))

    assert told[0] == told[1]
    assert told[0][0] == 429


@one_database
def test_names_that_nobody_has_share_a_bounded_number_of_counters(app: Flask, person: ApiClient) -> None:
    for name in (person.email, "nobody@example.com", "other@example.com"):
        status(app, name, WRONG, AWAY)

    with app.app_context(), unit_of_work(writes=False):
        keys = list(db.session.scalars(select(AccountFailure.key)))
    assert sorted(len(key) for key in keys) == [3, 3, 32]


def test_it_costs_no_statement_more_to_refuse_an_account_than_a_name_that_nobody_has(
    app: Flask, acme: Tenant, person: ApiClient, statements: Any
) -> None:
    counted = []
    for email in (person.email, "nobody@example.com"):
        failed(app, email, 100)
        with statements() as found:
            assert status(app, email, WRONG, AWAY) == 429
        counted.append(len(found))

    assert counted[0] == counted[1]


@pytest.mark.parametrize("hours", [25, 24 * 89])
def test_time_alone_does_not_open_an_account(app: Flask, person: ApiClient, hours: int) -> None:
    failed(app, person.email, 100)
    set_counts(app, last_attempt_at=now() - timedelta(hours=hours))

    assert status(app, person.email, PASSWORD, AWAY) == 429


def test_guesses_of_a_thief_of_a_session_at_its_password_have_the_bound_too(app: Flask, person: ApiClient) -> None:
    body = {"current_password": WRONG, "new_password": NEW}
    browser = signed_in(app, person, address=HOME)
    browser.patch("/users/me/change-password", body)
    set_counts(app, attempts=100)

    def guess(address: str) -> int:
        browser.address = address
        return browser.patch("/users/me/change-password", body).status_code

    assert (guess(AWAY), guess(HOME)) == (429, 400)


@one_database
def test_failures_that_were_counted_with_the_former_secret_key_count_on(
    app: Flask, person: ApiClient, variant: Variant
) -> None:
    failed(app, person.email, 100)

    rotated = variant(SECRET_KEY="another key of 32 bytes or more, 0123456789", SECRET_KEY_PREVIOUS=SECRET)

    assert status(rotated, person.email, PASSWORD, AWAY) == 429
    assert counts(rotated) == [100]
