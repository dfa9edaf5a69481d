"""Only failures refuse: an attempt waits for others whose outcome is not known yet."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.accounts.auth import throttle
from app.accounts.auth.models import AccountFailure, LoginFailure
from app.base.errors import Unavailable
from app.core.db.models import db
from app.core.db.transaction import unit_of_work
from tests.accounts.auth.browser import Browser, now
from tests.support.clients import PASSWORD, ApiClient
from tests.support.clock import Clock, same_moment

__all__ = ["same_moment"]


@dataclass
class Waiting(Clock):
    """In place of the module ``time``: what happens while somebody waits."""

    meanwhile: Callable[[], None] = lambda: None
    waited: float = 0.0

    def monotonic(self) -> float:
        return self()

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        self.waited += seconds
        self.meanwhile()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    clock = Waiting()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


def log_in(app: Flask, person: ApiClient, password: str = PASSWORD) -> int:
    return Browser(app).log_in(person.email, password).status_code


def rows(app: Flask) -> list[tuple[int, int]]:
    """``attempts`` and ``in_flight`` of the counters per network and per account."""
    with app.app_context(), unit_of_work(writes=False):
        found = [db.session.scalars(select(model)).all() for model in (LoginFailure, AccountFailure)]
    return [(row.attempts, row.in_flight) for model_rows in found for row in model_rows]


def set_rows(app: Flask, **values: object) -> None:
    with app.app_context(), unit_of_work():
        for model in (LoginFailure, AccountFailure):
            db.session.execute(update(model).values(**values), execution_options={"synchronize_session": False})


def test_a_failure_is_in_flight_no_longer(app: Flask, person: ApiClient) -> None:
    assert log_in(app, person, "wrong password") == 401

    assert rows(app) == [(1, 0), (1, 0)]


def test_an_attempt_waits_for_those_in_flight_and_passes_after_their_success(
    app: Flask, person: ApiClient, waiting: Waiting
) -> None:
    log_in(app, person, "wrong password")
    set_rows(app, attempts=5, in_flight=5, last_attempt_at=now())
    waiting.meanwhile = lambda: set_rows(app, attempts=0, in_flight=0)

    assert log_in(app, person) == 200
    assert 0 < waiting.waited <= 0.1


def test_an_attempt_is_refused_as_soon_as_those_in_flight_have_failed(
    app: Flask, person: ApiClient, waiting: Waiting
) -> None:
    log_in(app, person, "wrong password")
    set_rows(app, attempts=5, in_flight=1, last_attempt_at=now())
    waiting.meanwhile = lambda: set_rows(app, in_flight=0)

    assert log_in(app, person) == 429
    assert 0 < waiting.waited <= 0.1


def test_an_attempt_waits_two_seconds_at_most(app: Flask, person: ApiClient, waiting: Waiting) -> None:
    log_in(app, person, "wrong password")
    set_rows(app, attempts=9, in_flight=5, last_attempt_at=now() + timedelta(seconds=1))

    assert log_in(app, person) == 429
    assert 2 <= waiting.waited <= 2.1


@pytest.mark.usefixtures("same_moment")
def test_failures_alone_refuse_at_once(app: Flask, person: ApiClient, waiting: Waiting) -> None:
    for _ in range(5):
        log_in(app, person, "wrong password")

    assert log_in(app, person) == 429
    assert waiting.waited == 0


def test_attempts_of_a_dead_process_are_not_waited_for(app: Flask, person: ApiClient, waiting: Waiting) -> None:
    log_in(app, person, "wrong password")
    set_rows(app, attempts=11, in_flight=5, last_attempt_at=now() - timedelta(seconds=16))

    assert log_in(app, person) == 429
    assert waiting.waited == 0


def test_an_attempt_that_was_not_compared_does_not_count(
    app: Flask, person: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> bool:
        raise Unavailable()

    with monkeypatch.context() as patch:
        patch.setattr(app.extensions["identity"].passwords, "verify", refuse)
        assert log_in(app, person) == 503

    assert rows(app) == [(0, 0), (0, 0)]
    assert log_in(app, person) == 200


def test_twenty_right_sign_ins_at_once_all_pass(app: Flask, person: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_WAIT", 30.0)

    with ThreadPoolExecutor(20) as threads:
        answers = Counter(threads.map(lambda _: log_in(app, person), range(20)))

    assert answers == {200: 20}
    assert rows(app) == []
