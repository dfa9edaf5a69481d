"""Sessions: their start and their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, and_, bindparam, select, update
from uuid_utils.compat import uuid7

from app.accounts.auth.models import AuthSession, RefreshToken
from app.accounts.auth.networks import client_network
from app.base.clock import utcnow
from app.base.opaque_tokens import company_of, digest, new_token
from app.core.db.models import add_in_order, db
from app.core.db.tenancy import TenantQuery, current_tenant
from app.core.db.transaction import after_commit, company_transaction, read
from app.core.security.tokens import Claims
from app.core.services import services
from app.users.models import User

log = structlog.get_logger(__name__)

LOGOUT = "logout"


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
    token = new_token(current_tenant())
    add_in_order([session], [RefreshToken(session_id=session.id, token_hash=digest(token), generation=1)])
    return issue_tokens(user_id, session.id, session.expires_at, token)


def issue_tokens(user_id: UUID, session_id: UUID, expires_at: datetime, refresh_token: str) -> SignedIn:
    """A pair of tokens of a session. Inside the tenant's unit of work."""
    company_id = current_tenant()
    [user] = read(_NAMES, {"user_id": user_id})
    access = services().tokens.sign(
        user_id, company_id, session_id, user.email, first_name=user.first_name, last_name=user.last_name
    )
    return SignedIn(access, refresh_token, expires_at, user_id, company_id)


_NAMES = TenantQuery(select(User.email, User.first_name, User.last_name).where(User.id == bindparam("user_id")))


def revoke(where: Any, reason: str) -> int:
    """End the live sessions that meet a condition. Returns their number."""
    now = utcnow()
    return mark_ended(and_(where, *is_live()), reason, revoked_at=now, expires_at=now)


def mark_ended(where: Any, reason: str, **values: Any) -> int:
    """Store why the sessions ended, and log it after the commit unless their owner signed out."""
    statement = (
        update(AuthSession)
        .where(where, AuthSession.revoked_at.is_(None))
        .values(revoked_reason=reason, **values)
        .returning(AuthSession.id, AuthSession.user_id)
        .execution_options(synchronize_session=False)
    )
    ended = db.session.execute(statement).all()
    if reason != LOGOUT:
        after_commit(partial(_log_ended, ended, reason))
    return len(ended)


def _log_ended(ended: Sequence[Row[UUID, UUID]], reason: str) -> None:
    for session in ended:
        log.info("session_ended", session_id=session.id, user_id=session.user_id, reason=reason)


def end_sessions(user_id: UUID, reason: str, *, except_for: UUID | None = None) -> None:
    """End the sessions of a user, also as a subscriber of events. A reactivation does not restore them."""
    of_user = AuthSession.user_id == user_id
    revoke(of_user if except_for is None else of_user & (AuthSession.id != except_for), reason)


def sign_out(claims: Claims | None, refresh_token: str | None) -> None:
    """Revoke the session of either token, if there is one."""
    if claims is not None and claims.session_id is not None:
        with company_transaction(claims.company_id):
            revoke((AuthSession.id == claims.session_id) & (AuthSession.user_id == claims.user_id), LOGOUT)
    if refresh_token is None:
        return
    try:
        company_id = company_of(refresh_token)
    except ValueError:
        return
    with company_transaction(company_id):
        owner = select(RefreshToken.session_id).where(RefreshToken.token_hash == digest(refresh_token))
        revoke(AuthSession.id.in_(owner), LOGOUT)


def live_sessions(user_id: UUID) -> tuple[Any, ...]:
    """The conditions of the user's live sessions."""
    return (AuthSession.user_id == user_id, *is_live())


def is_live() -> tuple[Any, ...]:
    return AuthSession.revoked_at.is_(None), AuthSession.expires_at > utcnow()
