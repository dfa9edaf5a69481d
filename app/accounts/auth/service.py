"""Sign-in by password, and the state of the subject of a token."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import bindparam, null, select, update

from app.accounts.auth.models import AuthSession
from app.accounts.auth.sessions import ClientInfo, SignedIn, open_session
from app.accounts.auth.throttle import Attempt
from app.base.clock import utcnow
from app.base.errors import Forbidden, Unauthenticated
from app.base.text import fold
from app.companies.models import Company
from app.core.db.models import CodePointText
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import company_transaction, execute_and_count, read_in_own_transaction, unit_of_work
from app.core.security.tokens import Claims
from app.core.services import services
from app.core.web.principal import AuthState, ensure_company_active
from app.users.models import LoginKey, User
from app.users.service import USABLE_HASH, time_of_end

log = structlog.get_logger(__name__)

Outcome = TypeVar("Outcome")

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
    query = _STATE if claims.session_id else _STATE_WITHOUT_SESSION
    with tenant(claims.company_id):
        rows = read_in_own_transaction(query, {"user_id": claims.user_id, "session_id": claims.session_id})
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
)
_STATE_WITHOUT_SESSION = TenantQuery(_SUBJECT.add_columns(null(), null()))
_STATE = TenantQuery(
    _SUBJECT.add_columns(AuthSession.expires_at, AuthSession.revoked_at).join(
        AuthSession, (AuthSession.user_id == User.id) & (AuthSession.id == bindparam("session_id"))
    )
)


class Credentials(NamedTuple):
    """``name`` is email or username, the field of the identifier."""

    name: str
    identifier: str
    password: str
    client: ClientInfo


def sign_in(credentials: Credentials) -> SignedIn:
    """Raises Unauthenticated (after the same steps and time for an unknown one), TooManyRequests, Forbidden."""
    with _padded():
        return _attempt_login(credentials, lambda account: open_session(account.user_id, credentials.client))


def verify_credentials(credentials: Credentials) -> Account:
    """Verify as ``sign_in`` does, without a session."""
    with _padded():
        return _attempt_login(credentials, lambda account: account)


def verify_credentials_for_service(credentials: Credentials) -> Account:
    """As ``verify_credentials``, for a service that slows down guessing: all its callers share one address."""
    with _padded():
        return _complete_login(credentials, _account_of(credentials), lambda account: account)


@contextmanager
def _padded() -> Iterator[None]:
    """A failure takes the same time whatever was compared. Nothing is held meanwhile."""
    started = time.monotonic()
    try:
        yield
    except InvalidCredentials:
        services().passwords.pad(started)
        raise


def _attempt_login(credentials: Credentials, on_login: Callable[[Account], Outcome]) -> Outcome:
    account = _account_of(credentials)
    attempt = _attempt_of(credentials, account)
    with attempt.counted():
        return _complete_login(credentials, account, on_login, attempt)


def _attempt_of(credentials: Credentials, account: Account | None) -> Attempt:
    if account is not None:
        return Attempt(str(account.user_id), account.company_id, account.user_id, credentials.client.ip)
    # An unknown identifier is counted by its field as well. Otherwise the delay in one field would tell whether the
    # same text names an account in the other.
    return Attempt(f"{credentials.name} {fold(credentials.identifier)}", NOBODY, NOBODY, credentials.client.ip)


def _complete_login(
    credentials: Credentials,
    account: Account | None,
    on_login: Callable[[Account], Outcome],
    attempt: Attempt | None = None,
) -> Outcome:
    """Run ``on_login`` in the transaction that records the login; again if the password changed since its check."""
    while True:
        verified = _verify_password(account, credentials)
        try:
            if not verified.is_active:
                raise AccountDisabled()
            ensure_company_active(verified.company_status)
        except Forbidden:
            # The password was right: the counted attempts are forgiven although the login is refused.
            with unit_of_work():
                _forgive(attempt)
            raise
        password_hash = _current_hash(verified.password_hash or "", credentials.password)
        with company_transaction(verified.company_id):
            if _record_login(verified, password_hash):
                _forgive(attempt)
                return on_login(verified)
        account = _account_of(credentials)


def _forgive(attempt: Attempt | None) -> None:
    if attempt is not None:
        attempt.forgive()


def _account_of(credentials: Credentials) -> Account | None:
    return find_account(credentials.name, credentials.identifier)


def _verify_password(account: Account | None, credentials: Credentials) -> Account:
    """Raises Unauthenticated."""
    stored = account.password_hash if account else None
    if services().passwords.verify(stored, credentials.password) and account is not None:
        return account
    log.info("login_failed", user_id=account and account.user_id, ip=credentials.client.ip)
    raise InvalidCredentials()


def _current_hash(stored: str, password: str) -> str:
    passwords = services().passwords
    return passwords.hash(password) if passwords.needs_rehash(stored) else stored


def find_account(name: str, identifier: str) -> Account | None:
    """Reads in two transactions of its own, with the same steps for an unknown identifier."""
    keys = read_in_own_transaction(_KEYS[name], {"key": fold(identifier)})
    company_id, user_id = tuple(keys[0]) if keys else (NOBODY, NOBODY)
    with tenant(company_id):
        rows = read_in_own_transaction(_ACCOUNT, {"user_id": user_id, **time_of_end()})
    return Account._make(rows[0]) if rows else None


_KEYS = {
    name: TenantQuery(
        select(LoginKey.company_id, LoginKey.user_id).where(column == bindparam("key", type_=CodePointText))
    )
    for name, column in (("email", LoginKey.email_key), ("username", LoginKey.username_key))
}
_ACCOUNT = TenantQuery(
    select(User.id, User.company_id, USABLE_HASH, User.is_active, Company.status)
    .join(Company, Company.id == User.company_id)
    .where(User.id == bindparam("user_id"))
)


def _record_login(account: Account, password_hash: str) -> bool:
    """False for an inactive user or another hash. The row's lock orders concurrent changes; its row version stays."""
    statement = (
        update(User)
        .where(User.id == account.user_id, User.is_active, User.password_hash == account.password_hash)
        .values(last_login_at=utcnow(), password_hash=password_hash)
    )
    return bool(execute_and_count(statement))
