"""Guessing is slowed down per account and network."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Lock

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.accounts.auth.models import LoginFailure
from app.core.db.models import db
from app.core.db.transaction import unit_of_work
from app.core.security.passwords import Passwords
from tests.accounts.auth.browser import Browser, now
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.databases import settings_for
from tests.support.marks import both_databases, one_database
from tests.support.variants import Variant

pytestmark = [one_database, pytest.mark.usefixtures("same_moment")]
HOME, AWAY = "198.51.100.7", "203.0.113.9"


def guess(app: Flask, name: str, times: int = 1, *, password: str = "wrong password", address: str = HOME) -> list[int]:
    field = "email" if "@" in name else "username"
    body = {field: name, "password": password}
    return [Browser(app, address=address).post("/auth/login", body).status_code for _ in range(times)]


def failures(app: Flask) -> list[LoginFailure]:
    with app.app_context(), unit_of_work(writes=False):
        return list(db.session.scalars(select(LoginFailure)))


def change_failures(app: Flask, **values: object) -> None:
    statement = update(LoginFailure).values(**values).execution_options(synchronize_session=False)
    with app.app_context(), unit_of_work():
        db.session.execute(statement)


@pytest.fixture
def person(acme: Tenant) -> ApiClient:
    return acme.user(username="somebody")


@both_databases
def test_five_attempts_are_free_and_the_sixth_must_wait(app: Flask, person: ApiClient) -> None:
    assert guess(app, person.email, 5) == [401] * 5

    answer = Browser(app, address=HOME).log_in(person.email, "wrong password")

    assert (answer.status_code, answer.get_json()["error_code"]) == (429, "RATE_LIMITED")
    assert answer.headers["Retry-After"] == "1"
    assert (answer.headers["RateLimit-Remaining"], answer.headers["RateLimit-Reset"]) == ("0", "1")


def test_the_right_password_must_wait_as_well(app: Flask, person: ApiClient) -> None:
    guess(app, person.email, 5)

    assert guess(app, person.email, password=PASSWORD) == [429]


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 60), (12, 60), (10**6, 60)]
)
def test_the_delay_grows_to_a_minute(
    app: Flask, person: ApiClient, same_moment: datetime, attempts: int, seconds: int
) -> None:
    guess(app, person.email)
    change_failures(app, attempts=attempts, last_attempt_at=same_moment)

    early = Browser(app, address=HOME).log_in(person.email, "wrong password")
    change_failures(app, last_attempt_at=same_moment - timedelta(seconds=seconds))
    due = Browser(app, address=HOME).log_in(person.email, "wrong password")

    assert (early.status_code, early.headers["Retry-After"]) == (429, str(seconds))
    assert due.status_code == 401
    assert [row.attempts for row in failures(app)] == [attempts + 1]


def test_an_attempt_that_was_turned_away_makes_the_delay_no_longer(app: Flask, person: ApiClient) -> None:
    guess(app, person.email, 5)
    before = failures(app)[0]

    guess(app, person.email, 3)

    after = failures(app)[0]
    assert (after.attempts, after.last_attempt_at) == (before.attempts, before.last_attempt_at)


def test_a_clock_that_was_set_back_never_makes_anybody_wait_longer_than_a_minute(app: Flask, person: ApiClient) -> None:
    guess(app, person.email)
    change_failures(app, attempts=20, last_attempt_at=now() + timedelta(hours=1))

    answer = Browser(app, address=HOME).log_in(person.email)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


@both_databases
def test_a_success_forgives(app: Flask, person: ApiClient) -> None:
    guess(app, person.email, 4)

    assert guess(app, person.email, password=PASSWORD) == [200]
    assert failures(app) == []
    assert guess(app, person.email, 5) == [401] * 5


def test_attempts_in_one_field_do_not_tell_in_the_other_whether_there_is_such_an_account(
    app: Flask, person: ApiClient
) -> None:
    told = []
    for name in (person.email, "nobody@example.com"):
        guess(app, name, 5)
        body = {"username": name, "password": "wrong password"}
        told.append(Browser(app, address=HOME).post("/auth/login", body).status_code)

    assert told == [401, 401]


def test_the_owner_elsewhere_is_not_locked_out(app: Flask, person: ApiClient) -> None:
    guess(app, person.email, 6)

    assert guess(app, person.email, password=PASSWORD, address=AWAY) == [200]
    assert guess(app, person.email, password=PASSWORD) == [429]


@pytest.mark.parametrize(
    ("address", "neighbour", "stranger"),
    [
        ("198.51.100.7", "198.51.100.250", "198.51.101.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1:ffff::9", "2001:db8:0:2::7"),
        ("::ffff:198.51.100.7", "198.51.100.9", "::ffff:198.51.101.7"),
    ],
)
def test_a_network_counts_as_one(app: Flask, person: ApiClient, address: str, neighbour: str, stranger: str) -> None:
    guess(app, person.email, 5, address=address)

    assert guess(app, person.email, address=neighbour) == [429]
    assert guess(app, person.email, address=stranger) == [401]


@both_databases
def test_email_and_username_of_an_account_count_together(app: Flask, person: ApiClient) -> None:
    guess(app, person.email, 3)
    guess(app, "SOMEBODY", 2)

    assert guess(app, "somebody") == [429]
    assert len(failures(app)) == 1


def test_a_name_that_nobody_has_counts_alike(app: Flask, acme: Tenant) -> None:
    assert guess(app, "nobody@example.com", 4) == [401] * 4
    assert guess(app, "Nobody@Example.com", 2) == [401, 429]
    assert guess(app, "other@example.com") == [401]


def test_one_account_does_not_slow_down_another(app: Flask, acme: Tenant, person: ApiClient) -> None:
    guess(app, person.email, 6)

    assert guess(app, acme.user().email, password=PASSWORD) == [200]


@both_databases
def test_the_counters_are_rows_that_every_process_reads(app: Flask, other_process: Flask, person: ApiClient) -> None:
    guess(app, person.email, 3)
    guess(other_process, person.email, 2)

    assert guess(app, person.email) == [429]
    assert guess(other_process, person.email) == [429]


def test_the_rows_name_neither_account_nor_address(app: Flask, person: ApiClient) -> None:
    guess(app, person.email)

    row = failures(app)[0]

    assert set(LoginFailure.__table__.columns.keys()) == {"key", "attempts", "in_flight", "last_attempt_at"}
    assert len(row.key) == 32


@both_databases
def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(
    app: Flask, variant: Variant, person: ApiClient
) -> None:
    def wrong(service: Flask, forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return Browser(service, address=HOME).log_in(person.email, "wrong password", headers=headers).status_code

    trusting = variant(TRUSTED_PROXIES="1")
    claimed = [wrong(app, f"10.0.{n}.1") for n in range(6)]
    behind = [wrong(trusting, f"10.0.{n}.1") for n in range(6)]
    spoofed = [wrong(trusting, f"10.1.{n}.1, 10.9.9.9") for n in range(6)]

    assert claimed == [401] * 5 + [429]
    assert behind == [401] * 6
    assert spoofed == [401] * 5 + [429]


class Counted(Passwords):
    """Counts the comparisons."""

    def __init__(self) -> None:
        super().__init__(settings_for("sqlite:///unused.db"))
        self.comparisons = 0
        self._counting = Lock()

    def verify(self, stored: str | None, password: str) -> bool:
        with self._counting:
            self.comparisons += 1
        return super().verify(stored, password)


@both_databases
def test_parallel_guesses_get_no_more_comparisons_than_the_limit(variant: Variant, person: ApiClient) -> None:
    service = variant()
    counted = service.extensions["identity"].passwords = Counted()

    with ThreadPoolExecutor(10) as threads:
        answers = Counter(threads.map(lambda _: guess(service, person.email)[0], range(30)))

    assert answers == {401: 5, 429: 25}
    assert counted.comparisons == 5
    assert [row.attempts for row in failures(service)] == [5]
