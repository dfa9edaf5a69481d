"""The two cookies of a browser."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response

from app.accounts.auth.sessions import SignedIn
from app.config.settings import Settings
from app.core.web.principal import cookie_name

ACCESS, REFRESH = "access_token", "refresh_token"


def set_cookies(answer: Response, settings: Settings, signed_in: SignedIn) -> None:
    left = int((signed_in.expires_at - datetime.now(UTC)).total_seconds())
    _set(answer, settings, ACCESS, signed_in.access_token, settings.access_token_ttl_minutes * 60)
    _set(answer, settings, REFRESH, signed_in.refresh_token, left)


def clear_cookies(answer: Response, settings: Settings) -> None:
    for name in (ACCESS, REFRESH):
        _set(answer, settings, name, "", 0)


def _set(answer: Response, settings: Settings, name: str, value: str, max_age: int) -> None:
    default = "Lax" if name == ACCESS else "Strict"
    answer.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=max_age,
        path="/",
        httponly=True,
        secure=settings.is_deployed,
        samesite=settings.cookie_samesite or default,
    )
