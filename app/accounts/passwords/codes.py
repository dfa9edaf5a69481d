"""Mailed codes: six digits, stored as a slow hash of an HMAC. Each known network has a budget, all others share one."""

import os
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, String, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.accounts.auth.models import LoginFailure
from app.accounts.auth.networks import client_network, is_known_network
from app.base.clock import utcnow
from app.core.db.lookup import lock
from app.core.db.models import Identified, Model, belongs_to, db
from app.core.db.tenancy import TenantScoped
from app.core.db.transaction import company_transaction, execute_and_count
from app.core.jobs.outbox import Job
from app.core.security.derived_keys import macs
from app.core.services import services
from app.users.models import User

CODE = re.compile(r"[0-9]{6}")
PER_DAY = 5
VALID = 2
"""How many of the latest codes of a budget are valid."""
DAY = timedelta(days=1)


class PasswordResetOtp(TenantScoped, Identified, Model):
    """``otp_code`` is Argon2id over an HMAC of the code, ``network`` its budget. ``id`` is that of the job."""

    __tablename__ = "password_reset_otp"
    __table_args__ = belongs_to("user", "password_reset_otp")

    user_id: Mapped[UUID]
    network: Mapped[str] = mapped_column(String(43), default="")
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


def budget_of(user_id: UUID, ip: str | None) -> str:
    """The network of the address if the user signed in from it lately, else empty. Inside the tenant's unit of work.

    So a stranger neither replaces nor uses up the codes of an owner at a known network.
    """
    network = client_network(ip)
    return network if is_known_network(user_id, network) else ""


def store_code(request: Job, user_id: UUID, network: str, code_hash: str) -> bool:
    """Store a new code of a budget, and end all but its predecessor. False if the request is outdated, used or one
    too many.

    Inside the tenant's unit of work, with the user's row locked. Each request has one row. Another attempt to mail
    it replaces the code and keeps the count of guesses. It is not one more request of the day.
    """
    of_user = PasswordResetOtp.user_id == user_id
    execute_and_count(delete(PasswordResetOtp).where(of_user, PasswordResetOtp.created_at <= request.created_at - DAY))
    in_order = select(PasswordResetOtp).where(of_user).order_by(PasswordResetOtp.created_at, PasswordResetOtp.id)
    of_all = db.session.scalars(in_order).all()
    current = next((row for row in of_all if row.id == request.id), None)
    rows = [row for row in of_all if row.network == (current.network if current else network)]
    is_outdated = any((row.created_at, row.id) > (request.created_at, request.id) for row in rows)
    if is_outdated or (current is None and len(rows) >= PER_DAY) or (current is not None and _is_spent(current)):
        return False
    others = [row.id for row in rows if row is not current]
    revoke_codes(user_id, PasswordResetOtp.id.in_(others[: 1 - VALID]))
    code = current or PasswordResetOtp(id=request.id, user_id=user_id, network=network, created_at=request.created_at)
    code.otp_code, code.expires_at = code_hash, utcnow() + lifetime()
    db.session.add(code)
    db.session.flush()
    return True


def _is_spent(current: PasswordResetOtp) -> bool:
    return current.used_at is not None or current.attempts >= services().settings.password_reset_otp_max_attempts


def revoke_codes(user_id: UUID, *only: ColumnElement[bool]) -> None:
    """End live codes of the user, in every budget. Inside the tenant's unit of work."""
    live = (PasswordResetOtp.user_id == user_id, *_live())
    execute_and_count(update(PasswordResetOtp).where(*live, *only).values(expires_at=utcnow()))


def count_guess(company_id: UUID, user_id: UUID, ip: str | None) -> Sequence[Row[UUID, str]]:
    """Ids and hashes of the live codes with a guess left, at most ``VALID``; it is counted before any comparison."""
    has_guess_left = PasswordResetOtp.attempts < services().settings.password_reset_otp_max_attempts
    with company_transaction(company_id):
        # Without this lock two guesses could lock the two codes in different orders.
        lock(User, user_id, key_share=True)
        of_budget = (PasswordResetOtp.user_id == user_id, PasswordResetOtp.network == budget_of(user_id, ip))
        statement = (
            update(PasswordResetOtp)
            .where(*of_budget, *_live(), has_guess_left)
            .values(attempts=PasswordResetOtp.attempts + 1)
            .returning(PasswordResetOtp.id, PasswordResetOtp.otp_code)
            .execution_options(synchronize_session=False)
        )
        rows = db.session.execute(statement).all()
        if not rows:
            # A commit with a write takes longer than one without, and would reveal who has a live code.
            db.session.add(LoginFailure(key=os.urandom(32), attempts=1, last_attempt_at=utcnow()))
            db.session.flush()
    return rows


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
