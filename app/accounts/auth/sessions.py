"""Sessions: start, rotation of refresh tokens with detection of reuse, and end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, bindparam, case, delete, select, update
from uuid_utils.compat import uuid7

from app.accounts.auth.models import AuthSession, RefreshToken
from app.accounts.auth.networks import client_network
from app.base.clock import utcnow
from app.base.errors import Unauthenticated
from app.base.opaque_tokens import company_of, digest, new_token
from app.companies.models import Company
from app.core.db.models import UtcDateTime, add_in_order, db
from app.core.db.tenancy import TenantQuery, current_tenant, tenant
from app.core.db.transaction import company_transaction, execute_and_count, read, unit_of_work
from app.core.security.tokens import Claims
from app.core.services import services
from app.core.web.principal import ensure_company_active
from app.users.models import User

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=10)
RETENTION = timedelta(days=1)


class TokenReused(Unauthenticated):
    code, message = "TOKEN_REUSED", "The refresh token was used before; the session has ended."


@dataclass(frozen=True)
class ClientInfo:
    """The client of a sign-in."""

    ip: str | None
    user_agent: str | None


@dataclass(frozen=True)
class SignedIn:
    """A new pair of tokens. ``expires_at`` is that of the session."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    user_id: UUID
    company_id: UUID


def open_session(user_id: UUID, client: ClientInfo) -> SignedIn:
    """Inside the tenant's unit of work."""
    _delete_ended(user_id)
    now, settings = utcnow(), services().settings
    session = AuthSession(
        id=uuid7(),
        user_id=user_id,
        created_at=now,
        expires_at=now + timedelta(days=min(settings.refresh_token_ttl_days, settings.session_max_days)),
        ip=client.ip,
        network=client_network(client.ip),
        user_agent=client.user_agent,
    )
    token, row = _new_refresh_token(session.id, 1)
    add_in_order([session], [row])
    return _issue_tokens(user_id, session.id, session.expires_at, token)


def _delete_ended(user_id: UUID) -> None:
    """Every new session removes the user's sessions that ended long ago."""
    for statement in _DELETE_ENDED:
        db.session.execute(statement, {"user_id_": user_id, "before_": utcnow() - RETENTION})


_ENDED = (
    AuthSession.user_id == bindparam("user_id_"),
    AuthSession.expires_at < bindparam("before_", type_=UtcDateTime),
)
_DELETE_ENDED = (
    delete(RefreshToken)
    .where(RefreshToken.session_id.in_(select(AuthSession.id).where(*_ENDED)))
    .execution_options(synchronize_session=False),
    delete(AuthSession).where(*_ENDED).execution_options(synchronize_session=False),
)


def _issue_tokens(user_id: UUID, session_id: UUID, expires_at: datetime, refresh_token: str) -> SignedIn:
    company_id = current_tenant()
    [user] = read(_NAMES, {"user_id": user_id})
    access = services().tokens.sign(
        user_id, company_id, session_id, user.email, first_name=user.first_name, last_name=user.last_name
    )
    return SignedIn(access, refresh_token, expires_at, user_id, company_id)


_NAMES = TenantQuery(select(User.email, User.first_name, User.last_name).where(User.id == bindparam("user_id")))


def _new_refresh_token(session_id: UUID, generation: int) -> tuple[str, RefreshToken]:
    token = new_token(current_tenant())
    return token, RefreshToken(session_id=session_id, token_hash=digest(token), generation=generation)


def _company_of(token: str) -> UUID:
    """Raises Unauthenticated."""
    try:
        return company_of(token)
    except ValueError:
        raise Unauthenticated("The refresh token is not valid.") from None


def refresh(token: str) -> SignedIn:
    """Rotate the token. Raises Unauthenticated, and revokes the session if the token was rotated before (theft)."""
    with tenant(_company_of(token)):
        with unit_of_work():
            state = _read_token(token)
            _check_usable(state)
            if _rotate_token(state.id) or _is_in_grace(_read_token(token)):
                return _extend(state)
        with unit_of_work():
            revoke(AuthSession.id == state.session_id, "reuse")
        log.warning("refresh_token_reused", user_id=state.user_id, session_id=state.session_id)
    raise TokenReused()


def _read_token(token: str) -> Row[Any]:
    """The state of a refresh token, its session, user and company. Raises Unauthenticated."""
    rows = read(_TOKEN, {"token_hash": digest(token)})
    if not rows:
        raise Unauthenticated("The refresh token is not valid.")
    return rows[0]


_TOKEN = TenantQuery(
    select(
        RefreshToken.id,
        RefreshToken.rotated_at,
        RefreshToken.generation,
        AuthSession.generation.label("newest_generation"),
        RefreshToken.session_id,
        AuthSession.user_id,
        AuthSession.created_at,
        AuthSession.expires_at,
        AuthSession.revoked_at,
        User.is_active,
        Company.status,
    )
    .join(AuthSession, AuthSession.id == RefreshToken.session_id)
    .join(User, User.id == AuthSession.user_id)
    .join(Company, Company.id == User.company_id)
    .where(RefreshToken.token_hash == bindparam("token_hash"))
)


def _check_usable(state: Row[Any]) -> None:
    if state.revoked_at is not None or state.expires_at <= utcnow() or not state.is_active:
        raise Unauthenticated("The session has ended.")
    ensure_company_active(state.status)


def _rotate_token(token_id: UUID) -> bool:
    """True for the first of several concurrent requests."""
    statement = (
        update(RefreshToken)
        .where(RefreshToken.id == token_id, RefreshToken.rotated_at.is_(None))
        .values(rotated_at=utcnow())
    )
    return bool(execute_and_count(statement))


def _is_in_grace(state: Row[Any]) -> bool:
    """Two tabs may refresh at once: the direct predecessor works for ten more seconds."""
    is_recent: bool = state.rotated_at is not None and utcnow() - state.rotated_at <= GRACE
    return is_recent and state.generation == state.newest_generation - 1


def _extend(state: Row[Any]) -> SignedIn:
    settings, now = services().settings, utcnow()
    end = state.created_at + timedelta(days=settings.session_max_days)
    expires_at = min(now + timedelta(days=settings.refresh_token_ttl_days), end)
    generation = state.generation + 1
    newest = case((AuthSession.generation < generation, generation), else_=AuthSession.generation)
    statement = (
        update(AuthSession)
        .where(AuthSession.id == state.session_id)
        .values(last_used_at=now, expires_at=expires_at, generation=newest)
    )
    if not execute_and_count(statement):
        raise Unauthenticated("The session has ended.")
    token, row = _new_refresh_token(state.session_id, generation)
    db.session.add(row)
    db.session.flush()
    return _issue_tokens(state.user_id, state.session_id, expires_at, token)


def revoke(where: Any, reason: str) -> int:
    """End the sessions that meet a condition. Returns their number."""
    statement = (
        update(AuthSession)
        .where(where, AuthSession.revoked_at.is_(None))
        .values(revoked_at=utcnow(), revoked_reason=reason)
    )
    return execute_and_count(statement)


def end_sessions(user_id: UUID, reason: str, *, except_for: UUID | None = None) -> None:
    """End the sessions of a user."""
    of_user = AuthSession.user_id == user_id
    revoke(of_user if except_for is None else of_user & (AuthSession.id != except_for), reason)


def sign_out(claims: Claims | None, refresh_token: str | None) -> None:
    """Revoke the session of either token, if there is one."""
    if claims is not None and claims.session_id is not None:
        with company_transaction(claims.company_id):
            revoke((AuthSession.id == claims.session_id) & (AuthSession.user_id == claims.user_id), "logout")
    if refresh_token is None:
        return
    try:
        company_id = company_of(refresh_token)
    except ValueError:
        return
    with company_transaction(company_id):
        owner = select(RefreshToken.session_id).where(RefreshToken.token_hash == digest(refresh_token))
        revoke(AuthSession.id.in_(owner), "logout")


def live_sessions(user_id: UUID) -> tuple[Any, ...]:
    """The conditions of the user's live sessions."""
    return (AuthSession.user_id == user_id, AuthSession.revoked_at.is_(None), AuthSession.expires_at > utcnow())


def end_sessions_of(user_id: UUID) -> None:
    """A subscriber of ``on_user_deactivated``. A reactivation does not restore the sessions."""
    end_sessions(user_id, "deactivated")
