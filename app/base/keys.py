"""Key pairs that sign tokens, and derived keys for all other purposes."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt import get_algorithm_by_name

from app.base.errors import SettingsError

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

MIN_RSA_BITS = 2048
# The members of a public JWK; its thumbprint covers exactly these (RFC 7638 section 3.2, RFC 8037).
PUBLIC_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """``jwk`` is the published form, without private members."""

    kid: str
    algorithm: str
    private: PrivateKey
    public: PublicKey
    jwk: dict[str, str]


def derive_key(settings_secret: str, purpose: str, length: int = 32) -> bytes:
    """``length`` bytes by HKDF-SHA256 (RFC 5869). Each purpose has a key of its own."""
    return HKDF(SHA256(), length, salt=None, info=purpose.encode()).derive(settings_secret.encode())


@lru_cache(maxsize=64)
def derive_keys(settings_secrets: tuple[str, ...], purpose: str) -> tuple[bytes, ...]:
    """The derived key of each different secret that is set."""
    return tuple(derive_key(secret, purpose) for secret in dict.fromkeys(settings_secrets) if secret)


def load_key_pair(path: str) -> KeyPair:
    """Raises SettingsError unless the PEM is an unencrypted RSA (2048 bits), P-256 or Ed25519 key."""
    match _load_private_key(path):
        case RSAPrivateKey(key_size=bits) as key if bits >= MIN_RSA_BITS:
            return _to_key_pair("RS256", key)
        case EllipticCurvePrivateKey(curve=SECP256R1()) as key:
            return _to_key_pair("ES256", key)
        case Ed25519PrivateKey() as key:
            return _to_key_pair("EdDSA", key)
    raise SettingsError([f"JWT_PRIVATE_KEY_FILE: {path} is not RSA of 2048 bits, EC P-256 or Ed25519."])


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638: SHA-256 of the required members in order, base64url without padding."""
    digest = sha256(json.dumps(_public(jwk), sort_keys=True, separators=(",", ":")).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _public(jwk: dict[str, str]) -> dict[str, str]:
    return {name: jwk[name] for name in PUBLIC_MEMBERS[jwk["kty"]]}


def _load_private_key(path: str) -> object:
    try:
        return load_pem_private_key(Path(path).read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError([f"JWT_PRIVATE_KEY_FILE: {path} is not an unencrypted private key."]) from error


def _to_key_pair(algorithm: str, private: PrivateKey) -> KeyPair:
    public = private.public_key()
    jwk = get_algorithm_by_name(algorithm).to_jwk(public, as_dict=True)
    kid = thumbprint(jwk)
    return KeyPair(kid, algorithm, private, public, {**_public(jwk), "kid": kid, "use": "sig", "alg": algorithm})
