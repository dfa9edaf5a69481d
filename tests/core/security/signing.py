"""Tokens that are signed here and elsewhere, rightly and wrongly."""

import hmac
import json
from base64 import urlsafe_b64encode
from time import time
from typing import Any
from uuid import UUID

from app.base.errors import Unauthenticated
from app.config.environment import load_settings
from app.core.security.tokens import Tokens

SECRET = "acme-shared-secret-0123456789-abcdefgh"
FORMER = "acme-former-secret-0123456789-abcdefgh"
USER = UUID("0190a5b2-7c3d-7e4f-8a1b-abcdefabcdef")
COMPANY = UUID("0190a5b2-7c3d-7e4f-8a1b-acacacacacac")
SESSION = UUID("0190a5b2-7c3d-7e4f-8a1b-5e5510a5e551")
KINDS = {"RS256": "rsa", "ES256": "ec", "EdDSA": "ed"}


def tokens(**environ: str) -> Tokens:
    return Tokens(load_settings({"SECRET_KEY": SECRET, **environ}))


def signed_by_us(ours: Tokens) -> str:
    return ours.sign(USER, COMPANY, SESSION, "alice@acme.example")


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def external(**changes: Any) -> dict[str, Any]:
    """The least that an external service must say; a change to None takes a claim away."""
    claims = {"sub": str(USER), "company_id": str(COMPANY), "exp": time() + 600, **changes}
    return {name: value for name, value in claims.items() if value is not None}


def shared(payload: Any, header: Any = None, secret: str | bytes = SECRET) -> str:
    """A compact JWS made by hand, so that no library tidies up what is wrong with it."""
    key = secret if isinstance(secret, bytes) else secret.encode()
    message = f"{segment(header or {'alg': 'HS256', 'typ': 'JWT'})}.{segment(payload)}"
    return f"{message}.{segment(hmac.digest(key, message.encode(), 'sha256'))}"


def headed(header: Any) -> str:
    return f"{segment(header)}.{segment(external())}.AAAA"


def is_refused(ours: Tokens, token: str) -> bool:
    try:
        ours.verify(token)
    except Unauthenticated as refusal:
        return refusal.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return False
