"""Guessing is slowed down per account and network, so that no stranger can lock the owner out."""

from __future__ import annotations

import hmac
import ipaddress
import math
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import bindparam, case, delete, or_, select

from app.accounts.auth.models import LoginFailure
from app.base.clock import utcnow
from app.base.errors import TooManyRequests
from app.base.keys import derive_key
from app.core.db.models import UtcDateTime, db
from app.core.db.transaction import unit_of_work
from app.core.db.upsert import upsert
from app.core.services import services

FREE_ATTEMPTS = 5
LONGEST_DELAY = 60
LONGEST_STEP = 6
"""So many failures beyond the free ones make the delay the longest."""
FORGOTTEN_AFTER = timedelta(hours=24)
SWEPT = 1000
MOST_A_DAY = 5


def attempt_key(account: str, address: str | None) -> bytes:
    key = derive_key(services().settings.secret_key, "login-failure")
    return hmac.digest(key, f"{account}\n{network_of(address)}".encode(), "sha256")


def network_of(address: str | None) -> str:
    """The /24 or /64 of an address; IPv4 written as IPv6 counts as IPv4."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 64), strict=False))


def reserve_attempt(key: bytes) -> None:
    """Count an attempt before its password is looked at, in a transaction of its own.

    One guarded statement, so that parallel guesses get no more checks than the limit.
    Raises TooManyRequests with the seconds to wait.
    """
    now = utcnow()
    with unit_of_work():
        if _counting(key, now) is not None:
            return
        row = db.session.get(LoginFailure, key)
        due = row.last_attempt_at + timedelta(seconds=_delay(row.attempts)) if row else now
    wait = min(LONGEST_DELAY, max(1, math.ceil((due - now).total_seconds())))
    raise TooManyRequests(wait, limit=FREE_ATTEMPTS)


def reserve_daily(what: str, address: str | None = None) -> bool:
    """Whether ``what`` may be done once more, from the network of ``address``: five times, then not before a day
    has passed since.

    In a transaction of its own, with no tenant bound.
    """
    with unit_of_work():
        return _counting_daily(attempt_key(f"daily {what}", address), utcnow()) is not None


def clear_attempts(key: bytes) -> None:
    """After a success. Joins the current unit of work."""
    db.session.execute(_FORGIVING, {"key_": key})


def delete_old_attempts() -> None:
    """A bounded sweep: a flood of made-up names must not burden the sign-in that finds it."""
    db.session.execute(_FORGETTING, {"before_": utcnow() - FORGOTTEN_AFTER})


_FORGIVING = (
    delete(LoginFailure).where(LoginFailure.key == bindparam("key_")).execution_options(synchronize_session=False)
)
_FORGETTING = (
    delete(LoginFailure)
    .where(
        LoginFailure.key.in_(
            select(LoginFailure.key)
            .where(LoginFailure.last_attempt_at < bindparam("before_", type_=UtcDateTime))
            .limit(SWEPT)
        )
    )
    .execution_options(synchronize_session=False)
)


def _delay(attempts: int) -> int:
    """Seconds before the next attempt: 1, 2, 4 … 60 once the free ones are used up."""
    return min(LONGEST_DELAY, 1 << max(0, min(attempts - FREE_ATTEMPTS, LONGEST_STEP)))


def _counting(key: bytes, now: datetime) -> int | None:
    """Counts and answers how many, or none when the delay has not passed."""
    waits = {f"due_{n}": now - timedelta(seconds=_delay(FREE_ATTEMPTS + n)) for n in range(LONGEST_STEP + 1)}
    statement = _counting_statement(db.engine.dialect.name)
    found: int | None = db.session.scalar(statement, {"key_": key, "now_": now, **waits})
    return found


@cache
def _counting_statement(_dialect: str) -> Any:
    """Built once for each database: composing it costs more than running it."""
    steps = {LoginFailure.attempts == FREE_ATTEMPTS + n: _time(f"due_{n}") for n in range(LONGEST_STEP)}
    due = case(*steps.items(), else_=_time(f"due_{LONGEST_STEP}"))
    may_follow = or_(LoginFailure.attempts < FREE_ATTEMPTS, LoginFailure.last_attempt_at <= due)
    return _upsert(LoginFailure.attempts + 1, may_follow)


def _counting_daily(key: bytes, now: datetime) -> int | None:
    statement = _daily_statement(db.engine.dialect.name)
    wanted = {"key_": key, "now_": now, "over_": now - FORGOTTEN_AFTER}
    found: int | None = db.session.scalar(statement, wanted)
    return found


@cache
def _daily_statement(_dialect: str) -> Any:
    is_over = LoginFailure.last_attempt_at <= _time("over_")
    attempts = case((is_over, 1), else_=LoginFailure.attempts + 1)
    return _upsert(attempts, or_(LoginFailure.attempts < MOST_A_DAY, is_over))


def _time(name: str) -> Any:
    return bindparam(name, type_=UtcDateTime)


def _upsert(attempts: Any, may_follow: Any) -> Any:
    now = _time("now_")
    statement = upsert(LoginFailure).values(key=bindparam("key_"), attempts=1, last_attempt_at=now)
    return statement.on_conflict_do_update(
        index_elements=[LoginFailure.key],
        set_={"attempts": attempts, "last_attempt_at": now},
        where=may_follow,
    ).returning(LoginFailure.attempts)
