"""Mailed codes: six digits, stored as a slow hash of an HMAC, with at most one live code per account."""

import os
import re
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, String, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.auth.models import LoginFailure
from app.base.clock import utcnow
from app.core.db.models import Identified, Model, belongs_to, db
from app.core.db.tenancy import TenantScoped
from app.core.db.transaction import company_transaction, execute_and_count
from app.core.jobs.outbox import Job
from app.core.security.derived_keys import macs
from app.core.services import services

CODE = re.compile(r"[0-9]{6}")
PER_DAY = 5
DAY = timedelta(days=1)


class PasswordResetOtp(TenantScoped, Identified, Model):
    """``otp_code`` is Argon2id over an HMAC of the code. ``id`` is that of the request's job."""

    __tablename__ = "password_reset_otp"
    __table_args__ = belongs_to("user", "password_reset_otp")

    user_id: Mapped[UUID]
    otp_code: Mapped[str] = mapped_column(String(255))
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def new_code() -> str:
    return f"{secrets.randbelow(10**6):06}"


def secrets_of(user_id: UUID, code: str) -> list[str]:
    """Inputs of the slow hash; the first is stored. The key keeps a copied table from being guessed, the id binds it
    to the account."""
    return [mac.hex() for mac in macs("password-reset-code", user_id.bytes + code.encode())]


def lifetime() -> timedelta:
    return timedelta(minutes=services().settings.password_reset_otp_ttl_minutes)


def store_code(request: Job, user_id: UUID, code_hash: str) -> bool:
    """Store a new code in place of all earlier ones. False if the request is outdated, used or one too many.

    Inside the tenant's unit of work, with the user's row locked. Each request has one row. Another attempt to mail
    it replaces the code and keeps the count of guesses. It is not one more request of the day.
    """
    execute_and_count(
        delete(PasswordResetOtp).where(
            PasswordResetOtp.user_id == user_id, PasswordResetOtp.created_at <= request.created_at - DAY
        )
    )
    rows = db.session.scalars(select(PasswordResetOtp).where(PasswordResetOtp.user_id == user_id)).all()
    current = next((row for row in rows if row.id == request.id), None)
    is_outdated = any((row.created_at, row.id) > (request.created_at, request.id) for row in rows)
    if is_outdated or (current is None and len(rows) >= PER_DAY) or (current is not None and _is_spent(current)):
        return False
    revoke_codes(user_id)
    code = current or PasswordResetOtp(id=request.id, user_id=user_id, created_at=request.created_at)
    code.otp_code, code.expires_at = code_hash, utcnow() + lifetime()
    db.session.add(code)
    db.session.flush()
    return True


def _is_spent(current: PasswordResetOtp) -> bool:
    return current.used_at is not None or current.attempts >= services().settings.password_reset_otp_max_attempts


def revoke_codes(user_id: UUID) -> None:
    """End all live codes of the user. Inside the tenant's unit of work."""
    execute_and_count(
        update(PasswordResetOtp).where(PasswordResetOtp.user_id == user_id, *_live()).values(expires_at=utcnow())
    )


def count_guess(company_id: UUID, user_id: UUID) -> Row[UUID, str] | None:
    """Id and hash of the live code if it has a guess left; one statement counts it before any comparison."""
    has_guess_left = PasswordResetOtp.attempts < services().settings.password_reset_otp_max_attempts
    statement = (
        update(PasswordResetOtp)
        .where(PasswordResetOtp.user_id == user_id, *_live(), has_guess_left)
        .values(attempts=PasswordResetOtp.attempts + 1)
        .returning(PasswordResetOtp.id, PasswordResetOtp.otp_code)
        .execution_options(synchronize_session=False)
    )
    with company_transaction(company_id):
        row = db.session.execute(statement).one_or_none()
        if row is None:
            # A commit with a write takes longer than one without, and would reveal who has a live code.
            db.session.add(LoginFailure(key=os.urandom(32), attempts=1, last_attempt_at=utcnow()))
            db.session.flush()
    return row


def consume_code(live_code: Row[UUID, str]) -> bool:
    """True once, and only for the compared code. Inside the tenant's unit of work."""
    statement = (
        update(PasswordResetOtp)
        .where(PasswordResetOtp.id == live_code.id, PasswordResetOtp.otp_code == live_code.otp_code, *_live())
        .values(used_at=utcnow())
    )
    return bool(execute_and_count(statement))


def _live() -> tuple[Any, ...]:
    return PasswordResetOtp.used_at.is_(None), PasswordResetOtp.expires_at > utcnow()
