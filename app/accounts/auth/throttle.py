"""Delays after failed attempts, per account and network: a stranger cannot lock the owner out."""

import math
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import bindparam, case, delete, or_, select

from app.accounts.auth.models import LoginFailure
from app.accounts.auth.networks import client_network
from app.base.clock import utcnow
from app.base.errors import TooManyRequests
from app.core.db.models import UtcDateTime, db
from app.core.db.transaction import unit_of_work, upsert
from app.core.security.derived_keys import macs

FREE_ATTEMPTS = 5
MAX_DELAY = 60
MAX_DELAY_STEP = 6
"""The number of failures after the free ones until MAX_DELAY, in seconds, is reached."""
RETENTION = timedelta(hours=24)
SWEEP_ROWS = 1000
PER_DAY = 5


def attempt_key(account: str, address: str | None) -> bytes:
    """Outside of transactions: with SECRET_KEY_PREVIOUS it takes over what was counted before."""
    key, *former = macs("login-failure", f"{account}\n{client_network(address)}".encode())
    if former:
        _take_over(key, former)
    return key


def _take_over(key: bytes, former: list[bytes]) -> None:
    """Add the failures that were counted under former keys. Of simultaneous requests one adds them."""
    counted = delete(LoginFailure).where(LoginFailure.key.in_(former))
    taken = counted.returning(LoginFailure.attempts, LoginFailure.last_attempt_at)
    with unit_of_work():
        for attempts, last in db.session.execute(taken.execution_options(synchronize_session=False)).all():
            statement = upsert(LoginFailure).values(key=key, attempts=attempts, last_attempt_at=last)
            added = {"attempts": LoginFailure.attempts + attempts}
            db.session.execute(statement.on_conflict_do_update(index_elements=[LoginFailure.key], set_=added))


def reserve_attempt(key: bytes) -> None:
    """Count an attempt before its check; parallel guesses share the limit. Raises TooManyRequests."""
    now = utcnow()
    with unit_of_work():
        if _count_attempt(key, now) is not None:
            return
        row = db.session.get(LoginFailure, key)
        due = row.last_attempt_at + timedelta(seconds=_delay(row.attempts)) if row else now
    wait = min(MAX_DELAY, max(1, math.ceil((due - now).total_seconds())))
    raise TooManyRequests(wait, limit=FREE_ATTEMPTS)


def reserve_daily(subject: str, address: str | None = None) -> bool:
    """Count an attempt from a network, in its own transaction. False after five, until a day has passed since."""
    now = utcnow()
    params = {"key_": attempt_key(f"daily {subject}", address), "now_": now, "over_": now - RETENTION}
    with unit_of_work():
        return db.session.scalar(_daily_statement(db.engine.dialect.name), params) is not None


def clear_attempts(key: bytes) -> None:
    """After a success, in the current unit of work."""
    db.session.execute(_CLEAR, {"key_": key})


def delete_old_attempts() -> None:
    """A bounded sweep: a flood of invented names must not slow down the next sign-in."""
    db.session.execute(_DELETE_OLD, {"before_": utcnow() - RETENTION})


_CLEAR = delete(LoginFailure).where(LoginFailure.key == bindparam("key_")).execution_options(synchronize_session=False)
_DELETE_OLD = (
    delete(LoginFailure)
    .where(
        LoginFailure.key.in_(
            select(LoginFailure.key)
            .where(LoginFailure.last_attempt_at < bindparam("before_", type_=UtcDateTime))
            .limit(SWEEP_ROWS)
        )
    )
    .execution_options(synchronize_session=False)
)


def _delay(attempts: int) -> int:
    """Seconds before the next attempt: 1, 2, 4 … 60 after the free ones."""
    return min(MAX_DELAY, 1 << max(0, min(attempts - FREE_ATTEMPTS, MAX_DELAY_STEP)))


def _count_attempt(key: bytes, now: datetime) -> int | None:
    """The number of attempts with this one; None if the delay has not passed."""
    waits = {f"due_{n}": now - timedelta(seconds=_delay(FREE_ATTEMPTS + n)) for n in range(MAX_DELAY_STEP + 1)}
    statement = _attempt_statement(db.engine.dialect.name)
    attempts: int | None = db.session.scalar(statement, {"key_": key, "now_": now, **waits})
    return attempts


@cache
def _attempt_statement(_dialect: str) -> Any:
    """Cached for each database: to build it costs more than to execute it."""
    steps = {LoginFailure.attempts == FREE_ATTEMPTS + n: _time(f"due_{n}") for n in range(MAX_DELAY_STEP)}
    due = case(*steps.items(), else_=_time(f"due_{MAX_DELAY_STEP}"))
    may_follow = or_(LoginFailure.attempts < FREE_ATTEMPTS, LoginFailure.last_attempt_at <= due)
    return _upsert(LoginFailure.attempts + 1, may_follow)


@cache
def _daily_statement(_dialect: str) -> Any:
    is_over = LoginFailure.last_attempt_at <= _time("over_")
    attempts = case((is_over, 1), else_=LoginFailure.attempts + 1)
    return _upsert(attempts, or_(LoginFailure.attempts < PER_DAY, is_over))


def _time(name: str) -> Any:
    return bindparam(name, type_=UtcDateTime)


def _upsert(attempts: Any, may_follow: Any) -> Any:
    now = _time("now_")
    statement = upsert(LoginFailure).values(key=bindparam("key_"), attempts=1, last_attempt_at=now)
    return statement.on_conflict_do_update(
        index_elements=[LoginFailure.key], set_={"attempts": attempts, "last_attempt_at": now}, where=may_follow
    ).returning(LoginFailure.attempts)
