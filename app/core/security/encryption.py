"""Encryption of small values in the database, with a key derived from SECRET_KEY for each purpose."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.base.keys import derive_key
from app.core.services import services

NONCE_BYTES = 12  # NIST SP 800-38D section 5.2.1.1


def seal(purpose: str, text: str) -> str:
    """AES-256-GCM. ``unseal`` needs the same purpose."""
    nonce = os.urandom(NONCE_BYTES)
    return urlsafe_b64encode(nonce + _cipher(purpose).encrypt(nonce, text.encode(), None)).decode()


def unseal(purpose: str, sealed: str) -> str:
    """Raises ValueError for a value of another purpose or key."""
    raw = urlsafe_b64decode(sealed)
    try:
        return _cipher(purpose).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()
    except InvalidTag:
        raise ValueError("It was sealed with another key, or for another purpose.") from None


def _cipher(purpose: str) -> AESGCM:
    return AESGCM(derive_key(services().settings.secret_key, f"sealed {purpose}"))
