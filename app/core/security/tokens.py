"""Access tokens: signed JWTs of this service, and of one trusted external issuer."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import jwt
import orjson
from jwt.algorithms import HMACAlgorithm

from app.base.errors import SettingsError, TokenExpired, TokenInvalid
from app.base.keys import KeyPair, load_key_pair
from app.config.settings import Settings

if TYPE_CHECKING:
    from app.clients.jwks import JwksClient

MAX_CHARACTERS = 8 * 1024
MAX_LIFE = 24 * 60 * 60
# Seconds that the clocks of two servers may differ: iat and nbf may lie this far ahead. exp has no leeway.
LEEWAY = 5
ALGORITHMS = {name: jwt.get_algorithm_by_name(name) for name in ("HS256", "RS256", "ES256", "EdDSA")}
TEXT_CLAIMS = ("iss", "sub", "user_id", "company_id", "sid", "email", "jti")
# Python's decoder skips what is not base64url; RFC 7515 section 2 allows nothing else.
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token. ``raw`` has all of them as they were sent."""

    user_id: UUID
    company_id: UUID
    session_id: UUID | None
    email: str | None
    issued_at: datetime | None
    expires_at: datetime
    raw: dict[str, Any]


class TokenRejected(Exception):
    """The reason why a token is not accepted. The caller never sees it: it would only help a forger."""


class Tokens:
    """Signs our tokens, and verifies ours and external ones by the same rules.

    A token of the external key set (JWT_JWKS_URL) must have JWT_ISSUER as ``iss``. A token signed with JWT_SECRET
    may name any issuer, because every holder of the secret could write ours. ``aud`` must name JWT_AUDIENCE if that
    is set, and must be absent otherwise (RFC 7519 section 4.1.3).
    """

    def __init__(self, settings: Settings, jwks: JwksClient | None = None) -> None:
        """Raises SettingsError for a key that cannot be used."""
        pairs = [load_key_pair(path) for path in settings.jwt_private_key_file]
        self._settings, self._jwks = settings, jwks
        self._secrets = _secrets(settings)
        self._signing: KeyPair | None = pairs[0] if pairs else None
        self._pairs = {pair.kid: pair for pair in pairs}

    def sign(
        self,
        user_id: UUID,
        company_id: UUID,
        session_id: UUID | None,
        email: str | None,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
    ) -> str:
        """Names are included only with JWT_PROFILE_CLAIMS; claims that are None are omitted."""
        profile = {"first_name": first_name, "last_name": last_name}
        claims = {
            "sub": str(user_id),
            "user_id": str(user_id),
            "company_id": str(company_id),
            "sid": session_id and str(session_id),
            "email": email,
            **(profile if self._settings.jwt_profile_claims else {}),
            **self._registered_claims(),
        }
        return self._encode({name: value for name, value in claims.items() if value is not None})

    def verify(self, token: str) -> Claims:
        """Raises TokenInvalid, TokenExpired, or Unavailable while the external key set cannot be fetched."""
        try:
            payload, issuer = self._verify_signature(token)
            return self._validate_claims(_json_object(payload), issuer)
        except TokenRejected:
            raise TokenInvalid() from None

    def public_keys(self) -> dict[str, Any]:
        """JWK Set (RFC 7517 section 5) of the keys that verify our tokens."""
        return {"keys": [dict(pair.jwk) for pair in self._pairs.values()]}

    def _registered_claims(self) -> dict[str, Any]:
        now, settings = int(time()), self._settings
        return {
            "iat": now,
            "nbf": now,
            "exp": now + settings.access_token_ttl_minutes * 60,
            "iss": settings.jwt_issuer,
            "aud": settings.jwt_audience or None,
            "jti": str(uuid4()),
        }

    def _encode(self, claims: dict[str, Any]) -> str:
        pair = self._signing
        if pair is None:
            return jwt.encode(claims, self._secrets[0], "HS256")
        return jwt.encode(claims, pair.private, pair.algorithm, headers={"kid": pair.kid})

    def _verify_signature(self, token: str) -> tuple[str, str | None]:
        """The payload of a correctly signed token, and the ``iss`` that its key requires."""
        if len(token) > MAX_CHARACTERS or not COMPACT.fullmatch(token):
            raise TokenRejected("shape")
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        algorithm, kid = _header(header)
        keys, issuer = self._keys_for(algorithm, kid)
        message, mac, scheme = signed.encode(), _decode_base64url(signature), ALGORITHMS.get(algorithm)
        if scheme is None or not any(scheme.verify(message, key, mac) for key in keys):
            raise TokenRejected("signature")
        return payload, issuer

    def _keys_for(self, algorithm: str, kid: str | None) -> tuple[Sequence[Any], str | None]:
        """The key determines the algorithm, not the token (RFC 8725 section 3.1)."""
        if algorithm == "HS256":
            return self._secrets, None
        if kid is None or algorithm not in ALGORITHMS:
            return (), None
        if pair := self._pairs.get(kid):
            return ((pair.public,) if pair.algorithm == algorithm else ()), None
        key = self._jwks.key(kid) if self._jwks else None
        return ((key[1],) if key and key[0] == algorithm else ()), self._settings.jwt_issuer

    def _validate_claims(self, claims: dict[str, Any], issuer: str | None) -> Claims:
        for name in TEXT_CLAIMS:
            if not isinstance(claims.get(name), str | None):
                raise TokenRejected(name)
        if issuer is not None and claims.get("iss") != issuer:
            raise TokenRejected("iss")
        _check_audience(claims.get("aud"), self._settings.jwt_audience)
        issued, expires = _check_times(claims, time())
        return Claims(
            user_id=_subject(claims),
            company_id=_uuid(claims.get("company_id")),
            session_id=None if claims.get("sid") is None else _uuid(claims["sid"]),
            email=claims.get("email"),
            issued_at=None if issued is None else datetime.fromtimestamp(issued, UTC),
            expires_at=datetime.fromtimestamp(expires, UTC),
            raw=claims,
        )


def _secrets(settings: Settings) -> tuple[bytes, ...]:
    """Empty without JWT_SECRET: JWT_SECRET_PREVIOUS alone does not enable HS256."""
    if not settings.jwt_secret:
        return ()
    secrets = (settings.jwt_secret, settings.jwt_secret_previous)
    try:
        return tuple(HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret) for secret in secrets if secret)
    except jwt.InvalidKeyError as error:
        raise SettingsError(["JWT_SECRET and JWT_SECRET_PREVIOUS must not be key files."]) from error


@lru_cache(maxsize=32)
def _header(segment: str) -> tuple[str, str | None]:
    """``alg`` and ``kid``; cached, because all tokens of one key have the same header."""
    header = _json_object(segment)
    algorithm, kid = header.get("alg"), header.get("kid")
    if "crit" in header or not isinstance(algorithm, str) or not isinstance(kid, str | None):
        raise TokenRejected("header")
    return algorithm, kid


def _decode_base64url(segment: str) -> bytes:
    try:
        return urlsafe_b64decode(segment + "==")
    except Base64Error:
        raise TokenRejected("base64") from None


def _json_object(segment: str) -> dict[str, Any]:
    try:
        document = orjson.loads(_decode_base64url(segment))
    except orjson.JSONDecodeError:
        raise TokenRejected("json") from None
    if not isinstance(document, dict):
        raise TokenRejected("json")
    return document


def _subject(claims: dict[str, Any]) -> UUID:
    subject, user_id = claims.get("sub"), claims.get("user_id")
    if subject is not None and user_id is not None and subject != user_id:
        raise TokenRejected("sub")
    return _uuid(user_id if subject is None else subject)


def _uuid(text: str | None) -> UUID:
    """Raises TokenRejected unless the text is canonical (RFC 9562 section 4): one id has one spelling."""
    try:
        id = UUID(text)
    except (ValueError, TypeError):
        raise TokenRejected("id") from None
    if str(id) != text:
        raise TokenRejected("id")
    return id


def _check_audience(audience: object, ours: str) -> None:
    audiences = [audience] if isinstance(audience, str) else audience or []
    if not isinstance(audiences, list) or not all(isinstance(name, str) for name in audiences):
        raise TokenRejected("aud")
    if ours not in audiences if ours else audiences:
        raise TokenRejected("aud")


def _check_times(claims: dict[str, Any], now: float) -> tuple[float | None, float]:
    """``iat`` and ``exp`` in seconds since 1970."""
    issued, starts, expires = (_seconds(claims, name) for name in ("iat", "nbf", "exp"))
    if expires is None or expires > now + MAX_LIFE:
        raise TokenRejected("exp")
    if max(issued or 0, starts or 0) > now + LEEWAY:
        raise TokenRejected("iat or nbf")
    if expires <= now:
        raise TokenExpired()
    return issued, expires


def _seconds(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 section 2): no bool, and not before 1970."""
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or value < 0:
        raise TokenRejected(name)
    return float(value)
