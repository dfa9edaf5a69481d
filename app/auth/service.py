"""Who may enter: the standing of a token's subject, and sign-in by password."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import bindparam, null, select, update

from app.auth.models import AuthSession
from app.auth.sessions import Caller, SignedIn, open_session
from app.auth.throttle import attempt_key, forget_old, forgive, reserve_attempt
from app.companies.models import ACTIVE, Company
from app.core.auth import Standing
from app.core.db import db, fetch_alone, fold, unit_of_work, utcnow
from app.core.errors import Forbidden, Unauthenticated
from app.core.kernel import kernel
from app.core.postgres import ONLY
from app.core.tenancy import Prepared, tenant
from app.core.tokens import Claims
from app.users.models import LoginKey, User

log = structlog.get_logger(__name__)

NOBODY = UUID(int=0)


class Account(NamedTuple):
    user_id: UUID
    company_id: UUID
    password_hash: str | None
    is_active: bool
    company_status: str


def standing_of(claims: Claims) -> Standing | None:
    """One indexed query inside the token's tenant; None for an unknown subject or session."""
    wanted = {"user_id": claims.user_id, "session_id": claims.session_id}
    statement = _STANDING if claims.session_id else _STANDING_WITHOUT_SESSION
    with tenant(claims.company_id):
        rows = fetch_alone(statement, wanted)
    return Standing._make(rows[0]) if rows else None


_SUBJECT = (
    select(
        User.is_active,
        User.password_reset_required,
        User.last_password_change,
        User.email,
        Company.status,
        Company.is_platform,
        Company.policy_version,
    )
    .join(Company, Company.id == User.company_id)
    .where(User.id == bindparam("user_id"))
    .execution_options(trip=ONLY)
)
_STANDING_WITHOUT_SESSION = Prepared(_SUBJECT.add_columns(null(), null()))
_STANDING = Prepared(
    _SUBJECT.add_columns(AuthSession.expires_at, AuthSession.revoked_at).join(
        AuthSession, (AuthSession.user_id == User.id) & (AuthSession.id == bindparam("session_id"))
    )
)


def sign_in(name: str, identifier: str, password: str, caller: Caller) -> SignedIn:
    """``name`` is email or username. Raises Unauthenticated, TooManyRequests, Forbidden.

    An unknown identifier takes the same steps as a known one, down to the hash.
    """
    account = _account(name, identifier)
    key = attempt_key(str(account.user_id) if account else fold(identifier), caller.ip)
    reserve_attempt(key)
    while True:
        verified = _verified(account, password, caller)
        signed_in = _enter(verified, password, key, caller)
        if signed_in is not None:
            return signed_in
        account = _account(name, identifier)


def _verified(account: Account | None, password: str, caller: Caller) -> Account:
    """Raises Unauthenticated."""
    stored = account.password_hash if account else None
    if kernel().passwords.verify(stored, password) and account is not None:
        return account
    log.info("login_failed", user_id=account and account.user_id, ip=caller.ip)
    raise Unauthenticated("The e-mail address, user name or password is wrong.", code="INVALID_CREDENTIALS")


def _enter(account: Account, password: str, key: bytes, caller: Caller) -> SignedIn | None:
    """None if the password, or its hash, is no longer the verified one. Raises Forbidden."""
    with unit_of_work():
        forgive(key)
        forget_old()
    _check_active(account)
    kept = _current_hash(account.password_hash or "", password)
    with tenant(account.company_id), unit_of_work():
        return open_session(account.user_id, caller) if _note_login(account, kept) else None


def _current_hash(stored: str, password: str) -> str:
    passwords = kernel().passwords
    return passwords.hash(password) if passwords.needs_rehash(stored) else stored


def _check_active(account: Account) -> None:
    if not account.is_active:
        raise Forbidden("The account is disabled.", code="ACCOUNT_DISABLED")
    if account.company_status != ACTIVE:
        raise Forbidden("The company is not active.", code="COMPANY_NOT_ACTIVE")


def _account(name: str, identifier: str) -> Account | None:
    column = LoginKey.email_key if name == "email" else LoginKey.username_key
    with unit_of_work(writes=False):
        found = db.session.execute(
            select(LoginKey.company_id, LoginKey.user_id).where(column == fold(identifier))
        ).one_or_none()
    company_id, user_id = found or (NOBODY, NOBODY)
    with tenant(company_id), unit_of_work(writes=False):
        statement = (
            select(User.id, User.company_id, User.password_hash, User.is_active, Company.status)
            .join(Company, Company.id == User.company_id)
            .where(User.id == user_id)
        )
        row = db.session.execute(statement).one_or_none()
    return None if row is None else Account(*row)


def _note_login(account: Account, kept: str) -> bool:
    """Whether the user is still active and the hash the one that was verified; moves no row version.

    It locks the row: what ends the sessions, a change of password or deactivation, comes wholly before
    or after.
    """
    statement = (
        update(User)
        .where(User.id == account.user_id, User.is_active, User.password_hash == account.password_hash)
        .values(last_login_at=utcnow(), password_hash=kept)
        .execution_options(synchronize_session=False)
    )
    return bool(db.session.execute(statement).rowcount)  # type: ignore[attr-defined]
