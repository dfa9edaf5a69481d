"""Guessing is slowed down per account and network, so that no stranger can lock the owner out."""

from __future__ import annotations

import hmac
import ipaddress
import math
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.auth.models import LoginFailure
from app.core.db import db, unit_of_work, utcnow
from app.core.errors import TooManyRequests
from app.core.kernel import kernel
from app.core.keys import derived_key

FREE_ATTEMPTS = 5
LONGEST_DELAY = 60
FORGOTTEN_AFTER = timedelta(hours=24)
SWEPT = 1000


def attempt_key(account: str, address: str | None) -> bytes:
    key = derived_key(kernel().settings.secret_key, "login-failure")
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
        if db.session.scalar(_counting(key, now)) is not None:
            return
        row = db.session.get(LoginFailure, key)
        due = row.last_attempt_at + timedelta(seconds=_delay(row.attempts)) if row else now
    raise TooManyRequests(min(LONGEST_DELAY, max(1, math.ceil((due - now).total_seconds()))))


def forgive(key: bytes) -> None:
    """After a success. Joins the current unit of work."""
    db.session.execute(delete(LoginFailure).where(LoginFailure.key == key))


def forget_old() -> None:
    """A bounded sweep: a flood of made-up names must not burden the sign-in that finds it."""
    old = select(LoginFailure.key).where(LoginFailure.last_attempt_at < utcnow() - FORGOTTEN_AFTER).limit(SWEPT)
    statement = delete(LoginFailure).where(LoginFailure.key.in_(old))
    db.session.execute(statement.execution_options(synchronize_session=False))


def _delay(attempts: int) -> int:
    """Seconds before the next attempt: 1, 2, 4 … 60 once the free ones are used up."""
    return min(LONGEST_DELAY, 1 << max(0, min(attempts - FREE_ATTEMPTS, 6)))


def _counting(key: bytes, now: datetime) -> Any:
    """Counts and returns a row, or returns none when the delay has not passed."""
    insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    waits = {
        LoginFailure.attempts == FREE_ATTEMPTS + n: now - timedelta(seconds=_delay(FREE_ATTEMPTS + n)) for n in range(6)
    }
    due = case(*waits.items(), else_=now - timedelta(seconds=LONGEST_DELAY))
    statement = insert(LoginFailure).values(key=key, attempts=1, last_attempt_at=now)
    return statement.on_conflict_do_update(
        index_elements=[LoginFailure.key],
        set_={"attempts": LoginFailure.attempts + 1, "last_attempt_at": now},
        where=or_(LoginFailure.attempts < FREE_ATTEMPTS, LoginFailure.last_attempt_at <= due),
    ).returning(LoginFailure.attempts)
