"""Rotation of refresh tokens. A session has one chain of them; using an earlier one again is theft (RFC 9700 section
4.14.2)."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, bindparam, case, func, select, true, update

from app.accounts.auth.models import REUSE, AuthSession, RefreshToken
from app.accounts.auth.sessions import SignedIn, is_live, issue_tokens, revoke
from app.base.clock import utcnow
from app.base.errors import SessionEnded, TokenInvalid, Unauthenticated
from app.base.opaque_tokens import company_of, digest, token_of
from app.companies.models import Company
from app.core.db.models import db
from app.core.db.tenancy import TenantQuery, current_tenant, tenant
from app.core.db.transaction import execute_and_count, read, unit_of_work
from app.core.jobs import mail
from app.core.security.derived_keys import macs
from app.core.services import services
from app.core.web.principal import ensure_company_active
from app.users.models import User

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=10)


class TokenReused(Unauthenticated):
    code, message = "TOKEN_REUSED", "The refresh token was used before; the session has ended."


def refresh(token: str) -> SignedIn:
    """Rotate the token. Raises Unauthenticated, and ends the session if the token was used before (theft)."""
    with tenant(_company_of(token)):
        with unit_of_work():
            state = _read_token(token)
            _check_usable(state)
            signed_in = _rotate(token, state) or _repeat(token)
        if signed_in is None:
            with unit_of_work():
                _end_stolen(state.session_id, state.user_id)
            raise TokenReused()
    return signed_in


def _company_of(token: str) -> UUID:
    """Raises Unauthenticated."""
    try:
        return company_of(token)
    except ValueError:
        raise Unauthenticated("The refresh token is not valid.", code=TokenInvalid.code) from None


def _read_token(token: str) -> Row[Any]:
    """The state of a refresh token, its session, user and company. Raises Unauthenticated."""
    rows = read(_TOKEN, {"token_hash": digest(token)})
    if not rows:
        raise Unauthenticated("The refresh token is not valid.", code=TokenInvalid.code)
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
        raise Unauthenticated("The session has ended.", code=SessionEnded.code)
    ensure_company_active(state.status)


def _rotate(token: str, state: Row[Any]) -> SignedIn | None:
    """Store the successor. None if there is one. The session is locked before the token, as everywhere."""
    expires_at = _end_of(state.created_at)
    generation = _advance(state, expires_at)
    if generation is None or not _mark_rotated(state.id):
        return None
    successor = _successors_of(token)[0]
    row = RefreshToken(session_id=state.session_id, token_hash=digest(successor), generation=generation)
    db.session.add(row)
    db.session.flush()
    return issue_tokens(state.user_id, state.session_id, expires_at, successor)


def _mark_rotated(token_id: UUID) -> bool:
    """True for the first of several concurrent requests."""
    statement = (
        update(RefreshToken)
        .where(RefreshToken.id == token_id, RefreshToken.rotated_at.is_(None))
        .values(rotated_at=utcnow())
    )
    return bool(execute_and_count(statement))


def _end_of(created_at: datetime) -> datetime:
    """The end of a session that is used now."""
    settings = services().settings
    end = created_at + timedelta(days=settings.session_max_days)
    return min(utcnow() + timedelta(days=settings.refresh_token_ttl_days), end)


def _advance(state: Row[Any], expires_at: datetime) -> int | None:
    """The generation of the successor; None if the session has ended, or another successor is there already."""
    successor = state.generation + 1
    newest = case((AuthSession.generation < successor, successor), else_=AuthSession.generation)
    is_next = true() if _has_young_sibling(state) else AuthSession.generation == state.generation
    statement = (
        update(AuthSession)
        .where(AuthSession.id == state.session_id, *is_live(), is_next)
        .values(last_used_at=utcnow(), expires_at=expires_at, generation=newest)
        .returning(AuthSession.generation)
        .execution_options(synchronize_session=False)
    )
    generation: int | None = db.session.scalar(statement)
    return generation


def _has_young_sibling(state: Row[Any]) -> bool:
    """Whether the session went on by another token of this generation. Only former versions made such tokens."""
    if state.rotated_at is not None or state.generation == state.newest_generation:
        return False
    siblings = select(func.max(RefreshToken.created_at)).where(
        RefreshToken.session_id == state.session_id,
        RefreshToken.generation == state.generation,
        RefreshToken.id != state.id,
    )
    made_at: datetime | None = db.session.scalar(siblings)
    return made_at is not None and utcnow() - made_at <= GRACE


def _repeat(token: str) -> SignedIn | None:
    """The same successor again for the direct predecessor: two tabs may refresh at once. None for any other token."""
    state = _read_token(token)
    _check_usable(state)
    is_recent = state.rotated_at is not None and utcnow() - state.rotated_at <= GRACE
    if not is_recent or state.generation != state.newest_generation - 1:
        return None
    for successor in _successors_of(token):
        if read(_TOKEN, {"token_hash": digest(successor)}):
            return issue_tokens(state.user_id, state.session_id, state.expires_at, successor)
    raise Unauthenticated("The refresh token is not valid.", code=TokenInvalid.code)


def _successors_of(token: str) -> list[str]:
    """By each key, the newest first; the same for simultaneous requests. Nobody else computes one from a token."""
    company_id = current_tenant()
    return [token_of(company_id, mac) for mac in macs("refresh-token-successor", token.encode())]


def _end_stolen(session_id: UUID, user_id: UUID) -> None:
    """End the session and inform its owner, once."""
    if revoke(AuthSession.id == session_id, REUSE):
        mail.post("stolen_session", {"user_id": str(user_id)})
        log.warning("refresh_token_reused", user_id=user_id, session_id=session_id)
