"""The two cookies of a browser: access and refresh token."""

from datetime import UTC, datetime

from flask import Response

from app.accounts.auth.sessions import SignedIn
from app.config.settings import Settings
from app.core.web.principal import cookie_name

ACCESS, REFRESH = "access_token", "refresh_token"


def set_cookies(response: Response, settings: Settings, signed_in: SignedIn) -> None:
    max_age = int((signed_in.expires_at - datetime.now(UTC)).total_seconds())
    _set(response, settings, ACCESS, signed_in.access_token, settings.access_token_ttl_minutes * 60)
    _set(response, settings, REFRESH, signed_in.refresh_token, max_age)


def clear_cookies(response: Response, settings: Settings) -> None:
    for name in (ACCESS, REFRESH):
        _set(response, settings, name, "", 0)


def _set(response: Response, settings: Settings, name: str, value: str, max_age: int) -> None:
    default = "Lax" if name == ACCESS else "Strict"
    response.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=max_age,
        path="/",
        httponly=True,
        secure=settings.is_deployed,
        samesite=settings.cookie_samesite or default,
    )
