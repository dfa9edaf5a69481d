"""Who may enter: the standing of a token's subject, and sign-in by password."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import bindparam, null, select, update

from app.accounts.auth.models import AuthSession
from app.accounts.auth.sessions import Caller, SignedIn, open_session
from app.accounts.auth.throttle import attempt_key, forget_old, forgive, reserve_attempt
from app.base.clock import utcnow
from app.base.errors import Forbidden, Unauthenticated
from app.base.text import fold
from app.companies.models import Company
from app.core.db.models import CodePointText
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import affected, company_transaction, read_in_own_transaction, unit_of_work
from app.core.security.tokens import Claims
from app.core.services import services
from app.core.web.principal import AuthState, ensure_company_active
from app.users.models import LoginKey, User

log = structlog.get_logger(__name__)

Entry = TypeVar("Entry")

NOBODY = UUID(int=0)


class InvalidCredentials(Unauthenticated):
    code, message = "INVALID_CREDENTIALS", "The e-mail address, user name or password is wrong."


class AccountDisabled(Forbidden):
    code, message = "ACCOUNT_DISABLED", "The account is disabled."


class Account(NamedTuple):
    user_id: UUID
    company_id: UUID
    password_hash: str | None
    is_active: bool
    company_status: str


def auth_state_of(claims: Claims) -> AuthState | None:
    """One indexed query inside the token's tenant; None for an unknown subject or session."""
    wanted = {"user_id": claims.user_id, "session_id": claims.session_id}
    statement = _STANDING if claims.session_id else _STANDING_WITHOUT_SESSION
    with tenant(claims.company_id):
        rows = read_in_own_transaction(statement, wanted)
    return AuthState._make(rows[0]) if rows else None


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
    .execution_options(single_statement=True)
)
_STANDING_WITHOUT_SESSION = TenantQuery(_SUBJECT.add_columns(null(), null()))
_STANDING = TenantQuery(
    _SUBJECT.add_columns(AuthSession.expires_at, AuthSession.revoked_at).join(
        AuthSession, (AuthSession.user_id == User.id) & (AuthSession.id == bindparam("session_id"))
    )
)


class Credentials(NamedTuple):
    """``name`` is email or username."""

    name: str
    identifier: str
    password: str
    caller: Caller


def sign_in(given: Credentials) -> SignedIn:
    """Raises Unauthenticated, TooManyRequests, Forbidden.

    An unknown identifier takes the same steps as a known one, down to the hash.
    """
    return _throttled(given, lambda account: open_session(account.user_id, given.caller))


def verify_credentials(given: Credentials) -> Account:
    """As ``sign_in``, without a session."""
    return _throttled(given, lambda account: account)


def verify_credentials_for_service(given: Credentials) -> Account:
    """As ``verify_credentials``, for a service that slows down guessing itself: its one network
    stands for all its callers, any of whom could lock an owner out."""
    return _complete_login(given, _account_of(given), lambda account: account)


def _throttled(given: Credentials, entry: Callable[[Account], Entry]) -> Entry:
    account = _account_of(given)
    # By the field as well: a text that stands for an account in one field must not be told, by what it cost there,
    # from one that stands for nobody in both.
    key = attempt_key(str(account.user_id) if account else f"{given.name} {fold(given.identifier)}", given.caller.ip)
    reserve_attempt(key)
    return _complete_login(given, account, entry, key)


def _complete_login(
    given: Credentials, account: Account | None, entry: Callable[[Account], Entry], key: bytes | None = None
) -> Entry:
    """``entry`` runs in the transaction that notes the login; if the password, or its hash, is no longer the
    verified one by then, everything is looked at again."""
    while True:
        verified = _verified(account, given)
        try:
            check_active(verified)
        except Forbidden:
            # The password was right, and what that forgives outlives the refusal.
            with unit_of_work():
                _forgive(key)
            raise
        kept = _current_hash(verified.password_hash or "", given.password)
        with company_transaction(verified.company_id):
            if _note_login(verified, kept):
                _forgive(key)
                return entry(verified)
        account = _account_of(given)


def _forgive(key: bytes | None) -> None:
    if key is not None:
        forgive(key)
        forget_old()


def _account_of(given: Credentials) -> Account | None:
    return find_account(given.name, given.identifier)


def _verified(account: Account | None, given: Credentials) -> Account:
    """Raises Unauthenticated."""
    stored = account.password_hash if account else None
    if services().passwords.verify(stored, given.password) and account is not None:
        return account
    log.info("login_failed", user_id=account and account.user_id, ip=given.caller.ip)
    raise InvalidCredentials()


def _current_hash(stored: str, password: str) -> str:
    passwords = services().passwords
    return passwords.hash(password) if passwords.needs_rehash(stored) else stored


def check_active(account: Account) -> None:
    """Raises Forbidden."""
    if not account.is_active:
        raise AccountDisabled()
    ensure_company_active(account.company_status)


def find_account(name: str, identifier: str) -> Account | None:
    """``name`` is email or username. In two transactions of its own; an unknown one takes the same steps."""
    found = read_in_own_transaction(_KEYS[name], {"key": fold(identifier)})
    company_id, user_id = tuple(found[0]) if found else (NOBODY, NOBODY)
    with tenant(company_id):
        rows = read_in_own_transaction(_ACCOUNT, {"user_id": user_id})
    return Account._make(rows[0]) if rows else None


_KEYS = {
    name: TenantQuery(
        select(LoginKey.company_id, LoginKey.user_id)
        .where(column == bindparam("key", type_=CodePointText))
        .execution_options(single_statement=True)
    )
    for name, column in (("email", LoginKey.email_key), ("username", LoginKey.username_key))
}
_ACCOUNT = TenantQuery(
    select(User.id, User.company_id, User.password_hash, User.is_active, Company.status)
    .join(Company, Company.id == User.company_id)
    .where(User.id == bindparam("user_id"))
    .execution_options(single_statement=True)
)


def _note_login(account: Account, kept: str) -> bool:
    """Whether the user is still active and the hash the one that was verified; moves no row version.

    It locks the row: what ends the sessions, a change of password or deactivation, comes wholly before
    or after.
    """
    statement = (
        update(User)
        .where(User.id == account.user_id, User.is_active, User.password_hash == account.password_hash)
        .values(last_login_at=utcnow(), password_hash=kept)
    )
    return bool(affected(statement))
