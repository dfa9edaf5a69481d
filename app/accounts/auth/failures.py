"""The counters of failed attempts. Everything here runs inside a unit of work."""

import math
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Delete, bindparam, case, delete, or_, select, update

from app.accounts.auth.models import AccountFailure, LoginFailure
from app.base.clock import utcnow
from app.base.errors import TooManyRequests
from app.core.db.models import UtcDateTime, db
from app.core.db.transaction import execute_and_count, upsert

CounterTable = type[LoginFailure] | type[AccountFailure]

FREE_ATTEMPTS = 5
MAX_DELAY = 60
MAX_DELAY_STEP = 6
"""The number of failures after the free ones until MAX_DELAY, in seconds, is reached."""
MAX_ACCOUNT_FAILURES = 100
"""NIST SP 800-63B-4 section 3.2.2."""
BARRED_SECONDS = 3600
LONGEST_ATTEMPT = timedelta(seconds=15)
"""An attempt without an outcome by then belongs to a process that has died. It stays counted."""
PER_DAY = 5
DAY = timedelta(hours=24)
RETENTION: dict[CounterTable, timedelta] = {LoginFailure: DAY, AccountFailure: timedelta(days=90)}
SWEEP_ROWS = 1000


class AccountBarred(TooManyRequests):
    message = "Too many failed attempts. Sign in from a network used before, or reset the password by mail."


class Refused(Exception):
    """``is_in_flight``: the outcome of another attempt may still lift the refusal."""

    def __init__(self, row: LoginFailure | AccountFailure | None, error: TooManyRequests) -> None:
        self.error = error
        self.is_in_flight = row is None or _is_in_flight(row)


def are_in_flight(network_key: bytes, account_key: bytes) -> bool:
    """Whether attempts without an outcome are as many as the bounds allow."""
    network, account = db.session.get(LoginFailure, network_key), db.session.get(AccountFailure, account_key)
    bounds = ((network, FREE_ATTEMPTS), (account, MAX_ACCOUNT_FAILURES))
    return any(row is not None and row.attempts >= most and _is_in_flight(row) for row, most in bounds)


def _is_in_flight(row: LoginFailure | AccountFailure) -> bool:
    return row.in_flight > 0 and row.last_attempt_at > utcnow() - LONGEST_ATTEMPT


def count_from_network(key: bytes) -> None:
    """Raises Refused if the delay has not passed."""
    now = utcnow()
    waits = {f"due_{n}": now - timedelta(seconds=_delay(FREE_ATTEMPTS + n)) for n in range(MAX_DELAY_STEP + 1)}
    if _count(_network_statement, key, now, **waits):
        return
    row = db.session.get(LoginFailure, key)
    due = row.last_attempt_at + timedelta(seconds=_delay(row.attempts)) if row else now
    wait = min(MAX_DELAY, max(1, math.ceil((due - now).total_seconds())))
    raise Refused(row, TooManyRequests(wait, limit=FREE_ATTEMPTS))


def count_from_anywhere(key: bytes, bound: int) -> None:
    """Raises Refused after ``bound`` attempts."""
    if not _count(_account_statement, key, utcnow(), bound_=bound):
        row = db.session.get(AccountFailure, key)
        raise Refused(row, AccountBarred(BARRED_SECONDS, limit=MAX_ACCOUNT_FAILURES))


def count_daily(key: bytes) -> bool:
    """False after five, until a day has passed since."""
    now = utcnow()
    return _count(_daily_statement, key, now, over_=now - DAY)


def settle(network_key: bytes, account_key: bytes, *, is_failure: bool) -> None:
    """An attempt has its outcome. One that is no failure is not counted any more."""
    counters: tuple[tuple[CounterTable, bytes], ...] = ((LoginFailure, network_key), (AccountFailure, account_key))
    for model, key in counters:
        values = {"in_flight": model.in_flight - 1, "attempts": model.attempts - int(not is_failure)}
        execute_and_count(update(model).where(model.key == key, model.in_flight > 0).values(values))


def take_over(table: CounterTable, key: bytes, former: list[bytes]) -> None:
    """Add the failures that were counted under former keys. Of simultaneous requests one adds them."""
    counted = delete(table).where(table.key.in_(former)).returning(table.attempts, table.last_attempt_at)
    for attempts, last in db.session.execute(counted.execution_options(synchronize_session=False)).all():
        statement = upsert(table).values(key=key, attempts=attempts, in_flight=0, last_attempt_at=last)
        added = {"attempts": table.attempts + attempts}
        db.session.execute(statement.on_conflict_do_update(index_elements=[table.key], set_=added))


def clear_network(key: bytes) -> None:
    db.session.execute(_clear(LoginFailure), {"key_": key})


def clear_account(key: bytes) -> None:
    db.session.execute(_clear(AccountFailure), {"key_": key})


def delete_old() -> bool:
    """Delete a limited number of counters that were not used lately. True if there may be more of them."""
    return SWEEP_ROWS in [execute_and_count(_delete_old(model, age)) for model, age in RETENTION.items()]


def _delete_old(model: CounterTable, age: timedelta) -> Delete:
    old = select(model.key).where(model.last_attempt_at < utcnow() - age).limit(SWEEP_ROWS)
    return delete(model).where(model.key.in_(old))


def _delay(attempts: int) -> int:
    """Seconds before the next attempt: 1, 2, 4 … 60 after the free ones."""
    return min(MAX_DELAY, 1 << max(0, min(attempts - FREE_ATTEMPTS, MAX_DELAY_STEP)))


def _count(statement: Any, key: bytes, now: datetime, **params: Any) -> bool:
    """Count one more attempt, if it may follow."""
    params |= {"key_": key, "now_": now, "stale_": now - LONGEST_ATTEMPT}
    return db.session.scalar(statement(db.engine.dialect.name), params) is not None


# Cached for each database: to build a statement costs more than to execute it.


@cache
def _clear(model: CounterTable) -> Delete:
    return delete(model).where(model.key == bindparam("key_")).execution_options(synchronize_session=False)


@cache
def _network_statement(_dialect: str) -> Any:
    steps = {LoginFailure.attempts == FREE_ATTEMPTS + n: _time(f"due_{n}") for n in range(MAX_DELAY_STEP)}
    due = case(*steps.items(), else_=_time(f"due_{MAX_DELAY_STEP}"))
    may_follow = or_(LoginFailure.attempts < FREE_ATTEMPTS, LoginFailure.last_attempt_at <= due)
    return _upsert(LoginFailure, may_follow, LoginFailure.attempts + 1)


@cache
def _account_statement(_dialect: str) -> Any:
    return _upsert(AccountFailure, AccountFailure.attempts < bindparam("bound_"), AccountFailure.attempts + 1)


@cache
def _daily_statement(_dialect: str) -> Any:
    is_over = LoginFailure.last_attempt_at <= _time("over_")
    attempts = case((is_over, 1), else_=LoginFailure.attempts + 1)
    return _upsert(LoginFailure, or_(LoginFailure.attempts < PER_DAY, is_over), attempts)


def _time(name: str) -> Any:
    return bindparam(name, type_=UtcDateTime)


def _upsert(model: CounterTable, may_follow: Any, attempts: Any) -> Any:
    now = _time("now_")
    in_flight = case((model.last_attempt_at < _time("stale_"), 1), else_=model.in_flight + 1)
    statement = upsert(model).values(key=bindparam("key_"), attempts=1, in_flight=1, last_attempt_at=now)
    return statement.on_conflict_do_update(
        index_elements=[model.key],
        set_={"attempts": attempts, "in_flight": in_flight, "last_attempt_at": now},
        where=may_follow,
    ).returning(model.attempts)
