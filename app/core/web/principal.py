"""The caller of a request by its token, and the defence against cross-site request forgery."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from flask import Request, g, request

from app.base.clock import utcnow
from app.base.errors import BadRequest, Forbidden, SessionEnded, TokenInvalid, TokenMissing
from app.config.settings import Settings
from app.core.security.tokens import Claims, Tokens

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class AuthState(NamedTuple):
    """The subject of a token in the database. ``session_*`` are null for a token without ``sid``."""

    user_is_active: bool
    password_reset_required: bool
    last_password_change: datetime | None
    email: str
    company_status: str
    is_platform: bool
    policy_version: int
    session_expires_at: datetime | None
    session_revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller of one request."""

    user_id: UUID
    company_id: UUID
    session_id: UUID | None
    email: str
    is_platform: bool
    password_reset_required: bool
    token: str
    expires_at: datetime
    policy_version: int
    claimed_roles: tuple[str, ...] | None


class CompanyNotActive(Forbidden):
    code, message = "COMPANY_NOT_ACTIVE", "The company is not active."


class CsrfRejected(Forbidden):
    code, message = "CSRF_REJECTED", "The request comes from another site."


def principal() -> Principal:
    """The caller of the current request. Raises TokenMissing."""
    caller: Principal | None = g.get("principal")
    if caller is None:
        raise TokenMissing()
    return caller


def ensure_company_active(status: str | None) -> None:
    """Raises Forbidden."""
    if status != "active":
        raise CompanyNotActive()


class Authenticator:
    """``read_state`` reads the subject inside its tenant; None stands for an unknown subject or session."""

    def __init__(self, settings: Settings, tokens: Tokens, read_state: Callable[[Claims], AuthState | None]) -> None:
        self.settings = settings
        self.tokens = tokens
        self.read_state = read_state

    @property
    def access_cookie(self) -> str:
        return cookie_name(self.settings, "access_token")

    def authenticate(self) -> Principal:
        """Raises TokenMissing, TokenInvalid, BadRequest (two different tokens) and Forbidden (company not active)."""
        token = self.token_of(request)
        if token is None:
            raise TokenMissing()
        claims = self.tokens.verify(token)
        state = self.read_state(claims)
        if state is None or not state.user_is_active:
            raise SessionEnded() if claims.session_id else TokenInvalid()
        _check_live(claims, state)
        ensure_company_active(state.company_status)
        g.principal = Principal(
            user_id=claims.user_id,
            company_id=claims.company_id,
            session_id=claims.session_id,
            email=state.email,
            is_platform=state.is_platform,
            password_reset_required=state.password_reset_required,
            token=token,
            expires_at=claims.expires_at,
            policy_version=state.policy_version,
            claimed_roles=_claimed_roles(claims, self.settings.authzen_roles_claim),
        )
        return principal()

    def token_of(self, incoming: Request) -> str | None:
        """From the Authorization header (RFC 6750 section 2.1) or the cookie. Raises BadRequest if they differ."""
        bearer, cookie = _bearer(incoming), None
        if "HTTP_COOKIE" in incoming.environ:
            cookie = cookie_of(incoming, self.access_cookie)
        if bearer and cookie and bearer != cookie:
            raise BadRequest("The Authorization header and the cookie carry different tokens.")
        return bearer or cookie

    def check_origin(self) -> None:
        """Raises Forbidden for another site's unsafe request without a bearer, as Go's http.CrossOriginProtection."""
        if request.method in SAFE_METHODS or _bearer(request) or self._is_same_origin():
            return
        raise CsrfRejected()

    def _is_same_origin(self) -> bool:
        origin = request.headers.get("Origin")
        if origin and origin in self.settings.cors_origins:
            return True
        fetch_site = request.headers.get("Sec-Fetch-Site")
        if fetch_site is not None:
            return fetch_site in ("same-origin", "none")
        return origin is None or self._is_this_host(origin)

    def _is_this_host(self, origin: str) -> bool:
        try:
            host = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(host) and host in (request.host.lower(), urlsplit(self.settings.public_url).netloc.lower())


def _check_live(claims: Claims, state: AuthState) -> None:
    if claims.session_id is not None:
        expired = state.session_expires_at is None or state.session_expires_at <= utcnow()
        if expired or state.session_revoked_at is not None:
            raise SessionEnded()
        return
    changed_at, issued_at = state.last_password_change, claims.issued_at
    # NumericDate has whole seconds: a token issued in the second of the change is refused too.
    if changed_at is not None and (issued_at is None or issued_at < changed_at):
        raise SessionEnded()


def _claimed_roles(claims: Claims, name: str) -> tuple[str, ...] | None:
    """The roles in the claim ``name``, whose dots may lead into objects; None without it. Raises TokenInvalid."""
    value: Any = claims.raw.get(name) if name else None
    if value is None and "." in name:
        value = reduce(_member, name.split("."), claims.raw)
    if value is None:
        return None
    roles = [value] if isinstance(value, str) else value
    if not isinstance(roles, list) or not all(isinstance(role, str) and role for role in roles):
        raise TokenInvalid()
    return tuple(roles)


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _bearer(incoming: Request) -> str | None:
    scheme, _, token = incoming.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def cookie_of(incoming: Request, name: str) -> str | None:
    """Raises BadRequest for two values: a neighbouring site may have set one of them."""
    values = set(incoming.cookies.getlist(name))
    if len(values) > 1:
        raise BadRequest(f"There are two cookies {name} with different values.")
    return next(filter(None, values), None)


def cookie_name(settings: Settings, name: str) -> str:
    return f"__Host-{name}" if settings.cookie_host_prefix else name
