"""Encryption of small values in the database, with a key derived from SECRET_KEY for each purpose."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.security.derived_keys import keys_for

NONCE_BYTES = 12  # NIST SP 800-38D section 5.2.1.1


def seal(purpose: str, text: str) -> str:
    """AES-256-GCM. ``unseal`` needs the same purpose."""
    nonce = os.urandom(NONCE_BYTES)
    return urlsafe_b64encode(nonce + _ciphers(purpose)[0].encrypt(nonce, text.encode(), None)).decode()


def unseal(purpose: str, sealed: str) -> str:
    """Raises ValueError for a value of another purpose or key."""
    raw = urlsafe_b64decode(sealed)
    for cipher in _ciphers(purpose):
        with suppress(InvalidTag):
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()
    raise ValueError("It was sealed with another key, or for another purpose.")


def _ciphers(purpose: str) -> list[AESGCM]:
    return [AESGCM(key) for key in keys_for(f"sealed {purpose}")]
