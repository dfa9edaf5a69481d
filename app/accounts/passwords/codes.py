"""The mailed codes: six digits, stored as a slow hash over a keyed one, at most one alive per account."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, select, update

from app.accounts.auth.models import LoginFailure
from app.accounts.passwords.models import PasswordResetOtp as Otp
from app.base.clock import utcnow
from app.base.keys import derive_key
from app.core.db.models import db
from app.core.db.transaction import company_transaction, execute_and_count
from app.core.jobs.job import Job
from app.core.services import services

CODE = re.compile(r"[0-9]{6}")
PER_DAY = 5
DAY = timedelta(days=1)


def new_code() -> str:
    return f"{secrets.randbelow(10**6):06}"


def secret_of(user_id: UUID, code: str) -> str:
    """What is hashed. A million codes are tried in no time, but not without the key; nor does a row that is copied
    to another account work there."""
    key = derive_key(services().settings.secret_key, "password-reset-code")
    return hmac.digest(key, user_id.bytes + code.encode(), "sha256").hex()


def lifetime() -> timedelta:
    return timedelta(minutes=services().settings.password_reset_otp_ttl_minutes)


def store_code(request: Job, user_id: UUID, hashed: str) -> bool:
    """Put a new code in the place of all earlier ones; False where the request is to have none any more.

    Inside the tenant's unit of work, with the user's row locked. The row is the request's own: another attempt to
    mail it replaces the code, and neither counts as one more of the day nor forgets the guesses.
    """
    forget_old = delete(Otp).where(Otp.user_id == user_id, Otp.created_at <= request.created_at - DAY)
    db.session.execute(forget_old.execution_options(synchronize_session=False))
    rows = db.session.scalars(select(Otp).where(Otp.user_id == user_id)).all()
    current = next((row for row in rows if row.id == request.id), None)
    is_outdated = any((row.created_at, row.id) > (request.created_at, request.id) for row in rows)
    if is_outdated or (current is None and len(rows) >= PER_DAY) or (current is not None and _is_spent(current)):
        return False
    revoke_codes(user_id)
    code = current or Otp(id=request.id, user_id=user_id, created_at=request.created_at)
    code.otp_code, code.expires_at = hashed, utcnow() + lifetime()
    db.session.add(code)
    db.session.flush()
    return True


def _is_spent(current: Otp) -> bool:
    return current.used_at is not None or current.attempts >= services().settings.password_reset_otp_max_attempts


def revoke_codes(user_id: UUID) -> None:
    """None of the user's codes works any more. Inside the tenant's unit of work."""
    statement = update(Otp).where(Otp.user_id == user_id, *_live()).values(expires_at=utcnow())
    db.session.execute(statement.execution_options(synchronize_session=False))


class CountedCode(NamedTuple):
    """The code that a guess was counted against."""

    id: UUID
    otp_code: str


def count_guess(company_id: UUID, user_id: UUID) -> CountedCode | None:
    """The live code, if it still stands a guess, which is counted before it is compared: in one guarded statement
    and a transaction of its own, so that parallel guesses get no more comparisons than the limit."""
    left = Otp.attempts < services().settings.password_reset_otp_max_attempts
    statement = (
        update(Otp)
        .where(Otp.user_id == user_id, *_live(), left)
        .values(attempts=Otp.attempts + 1)
        .returning(Otp.id, Otp.otp_code)
        .execution_options(synchronize_session=False)
    )
    with company_transaction(company_id):
        row = db.session.execute(statement).one_or_none()
        if row is None:
            # A commit that writes takes longer than one that does not: it would tell who has a live code.
            db.session.add(LoginFailure(key=os.urandom(32), attempts=1, last_attempt_at=utcnow()))
            db.session.flush()
    return None if row is None else CountedCode(*row)


def consume_code(counted: CountedCode) -> bool:
    """True once, and only for the code that was compared. Inside the tenant's unit of work."""
    statement = (
        update(Otp).where(Otp.id == counted.id, Otp.otp_code == counted.otp_code, *_live()).values(used_at=utcnow())
    )
    return bool(execute_and_count(statement))


def _live() -> tuple[Any, ...]:
    return Otp.used_at.is_(None), Otp.expires_at > utcnow()
