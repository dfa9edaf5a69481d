"""The time of a failed sign-in tells nothing about the account."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask import Flask
from sqlalchemy import select, update

from app.accounts.auth import service
from app.accounts.auth.models import LoginFailure
from app.core.db.models import db
from app.core.db.transaction import unit_of_work
from app.core.security import passwords
from app.users.models import User
from tests.accounts.auth.browser import Browser, execute
from tests.core.security.hashing import LEGACY
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.clock import Clock
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database


@dataclass
class Processor(Clock):
    """In place of the module ``time``: only what it is told to takes time."""

    slept: list[float] = field(default_factory=list)
    elsewhere: float = 0.0

    def monotonic(self) -> float:
        return self()

    def thread_time(self) -> float:
        return self() - self.elsewhere

    def work_elsewhere(self, seconds: float) -> None:
        """In other threads, while this one waits."""
        self.advance(seconds)
        self.elsewhere += seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Processor:
    clock = Processor()
    for module in (passwords, service):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def padding(variant: Variant) -> Flask:
    return variant(FAILED_LOGIN_SECONDS="0.5")


def moved_in(app: Flask, acme: Tenant, stored: str) -> ApiClient:
    person = acme.user()
    execute(app, acme, update(User).where(User.email == person.email).values(password_hash=stored))
    return person


def duration(app: Flask, processor: Processor, email: str, password: str = "wrong password") -> float:
    started = processor()
    Browser(app).log_in(email, password)
    return round(processor() - started, 6)


def slow_werkzeug(monkeypatch: pytest.MonkeyPatch, processor: Processor, seconds: float) -> None:
    def check(_stored: str, _password: str) -> bool:
        processor.advance(seconds)
        return False

    monkeypatch.setattr(passwords, "check_password_hash", check)


def test_an_unknown_name_an_own_hash_and_one_from_elsewhere_take_half_a_second(
    padding: Flask, acme: Tenant, person: ApiClient, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = moved_in(padding, acme, LEGACY[0])
    slow_werkzeug(monkeypatch, processor, 0.3)

    found = [duration(padding, processor, email) for email in ("nobody@example.com", person.email, foreign.email)]

    assert found == [0.5] * 3


def test_a_hash_that_takes_longer_prolongs_every_failure(
    padding: Flask, acme: Tenant, person: ApiClient, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = moved_in(padding, acme, LEGACY[0])
    slow_werkzeug(monkeypatch, processor, 2.0)

    found = [duration(padding, processor, email) for email in (foreign.email, "nobody@example.com", person.email)]

    assert found == [3.0] * 3


@pytest.mark.parametrize(("seconds", "shown"), [(2.0, 3.0), (60.0, 60.0)])
def test_lanes_that_compute_in_other_threads_prolong_every_failure_up_to_ten_seconds(
    padding: Flask,
    acme: Tenant,
    processor: Processor,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    shown: float,
) -> None:
    def verify(_hasher: PasswordHasher, stored: str | bytes, _password: str | bytes) -> Literal[True]:
        processor.work_elsewhere(seconds if "p=4" in str(stored) else 0)
        raise VerifyMismatchError

    foreign = moved_in(padding, acme, PasswordHasher(1, 64, 4).hash("another password"))
    monkeypatch.setattr(PasswordHasher, "verify", verify)

    assert duration(padding, processor, foreign.email) == shown
    assert duration(padding, processor, "nobody@example.com") == min(shown, 10)


def test_a_busy_machine_prolongs_no_failure(
    padding: Flask, person: ApiClient, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(_hasher: PasswordHasher, _stored: str | bytes, _password: str | bytes) -> Literal[True]:
        processor.work_elsewhere(2.0)
        raise VerifyMismatchError

    with monkeypatch.context() as patched:
        patched.setattr(PasswordHasher, "verify", verify)
        duration(padding, processor, person.email)

    assert duration(padding, processor, person.email) == 0.5


@by_row("stored", LEGACY, ids=range(len(LEGACY)))
def test_every_kind_of_hash_is_padded(padding: Flask, acme: Tenant, processor: Processor, stored: str) -> None:
    assert duration(padding, processor, moved_in(padding, acme, stored).email) == 0.5


def test_a_success_and_a_refusal_without_a_comparison_are_not_padded(
    padding: Flask, person: ApiClient, processor: Processor
) -> None:
    assert duration(padding, processor, person.email, PASSWORD) == 0
    for _ in range(5):
        duration(padding, processor, person.email)
    assert duration(padding, processor, person.email) == 0


def test_verify_password_is_padded_with_and_without_the_internal_token(
    variant: Variant, acme: Tenant, processor: Processor
) -> None:
    token = "an internal token that nobody guesses"
    service = variant(FAILED_LOGIN_SECONDS="0.5", INTERNAL_AUTH_TOKEN=token)

    for headers in ({}, {"X-Internal-Token": token}):
        body = {"email": "nobody@example.com", "password": "wrong password"}
        assert ApiClient(service).post("/verify_password", body, headers=headers).status_code == 403

    assert [round(seconds, 6) for seconds in processor.slept] == [0.5, 0.5]


def test_nothing_is_held_meanwhile(
    padding: Flask, person: ApiClient, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, seen = padding.extensions["identity"].passwords, []

    def look(_seconds: float) -> None:
        with unit_of_work(writes=False):
            seen.extend(db.session.scalars(select(LoginFailure.in_flight)))
        seen.append(ours._slots._value)

    free = ours._slots._value
    monkeypatch.setattr(processor, "sleep", look)

    duration(padding, processor, person.email)

    assert seen == [0, free]


def test_zero_seconds_pad_nothing(variant: Variant, processor: Processor) -> None:
    unpadded: Any = variant(FAILED_LOGIN_SECONDS="0")

    assert duration(unpadded, processor, "nobody@example.com") == 0
