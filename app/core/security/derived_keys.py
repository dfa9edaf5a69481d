"""Keys derived from SECRET_KEY for each purpose, and from SECRET_KEY_PREVIOUS for what was written before."""

import hmac

from app.base.keys import derive_keys
from app.core.services import services


def keys_for(purpose: str) -> tuple[bytes, ...]:
    """The first key writes, all of them read."""
    settings = services().settings
    return derive_keys((settings.secret_key, settings.secret_key_previous), purpose)


def macs(purpose: str, message: bytes) -> tuple[bytes, ...]:
    """HMAC-SHA-256 by each of the keys. The first one is stored, all of them are looked for."""
    return tuple(hmac.digest(key, message, "sha256") for key in keys_for(purpose))
