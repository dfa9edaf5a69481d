"""Small secrets that wait in the database: encrypted with a key of their own, so that a copy of it tells nothing."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.base.keys import derive_key
from app.core.services import services

NONCE_BYTES = 12  # NIST SP 800-38D section 5.2.1.1


def seal(purpose: str, text: str) -> str:
    """AES-256-GCM; only the same purpose can open it."""
    nonce = os.urandom(NONCE_BYTES)
    return urlsafe_b64encode(nonce + _cipher(purpose).encrypt(nonce, text.encode(), None)).decode()


def unseal(purpose: str, sealed: str) -> str:
    """Raises ValueError for what was not sealed for this purpose with the present key."""
    raw = urlsafe_b64decode(sealed)
    try:
        return _cipher(purpose).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()
    except InvalidTag:
        raise ValueError("It was sealed with another key, or for another purpose.") from None


def _cipher(purpose: str) -> AESGCM:
    return AESGCM(derive_key(services().settings.secret_key, f"sealed {purpose}"))
