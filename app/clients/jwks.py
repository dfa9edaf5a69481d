"""Key set of an external auth service (RFC 7517), fetched over HTTP and kept in memory."""

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from threading import Lock
from time import monotonic
from typing import Any

import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWTError

from app.base.errors import Unavailable
from app.base.keys import MIN_RSA_BITS, PUBLIC_MEMBERS, PublicKey
from app.clients.http.client import HttpClient
from app.clients.http.message import Request
from app.clients.http.transfer import CallFailed

log = structlog.get_logger(__name__)

MAX_BYTES = 256 * 1024
REFETCH_SECONDS = 30.0
MAX_AGE_SECONDS = 600.0
"""The age from which a use renews the set, so that a withdrawn key ends. A failed renewal keeps the keys."""
ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}

VerificationKey = tuple[str, PublicKey]


class JwksClient:
    """One per process. ``timeout`` bounds a fetch in seconds; a known ``kid`` waits for none of another thread."""

    def __init__(self, url: str, timeout: float = 3.0, *, clock: Callable[[], float] = monotonic) -> None:
        self._url, self._timeout, self._clock = url, timeout, clock
        self._client = HttpClient()
        self._keys: Mapping[str, VerificationKey] | None = None
        self._due = self._stale_at = clock()
        self._lock = Lock()

    def key(self, kid: str) -> VerificationKey | None:
        """None when the set has no such key. Raises Unavailable while there was never a set."""
        if self._keys is None or kid not in self._keys:
            self._refetch(wait=self._timeout)
        elif self._clock() >= self._stale_at:
            self._refetch(wait=0)
        if self._keys is None:
            raise Unavailable("The keys of the authentication service cannot be fetched.")
        return self._keys.get(kid)

    def _refetch(self, wait: float) -> None:
        """Wait for the fetch of another thread, which may bring the key, but not for a stuck one."""
        if not self._lock.acquire(timeout=wait):
            return
        try:
            if self._clock() >= self._due:
                self._due = self._clock() + REFETCH_SECONDS
                self._fetch()
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        try:
            self._keys = dict(_usable(_keys_in(self._download())))
            self._stale_at = self._clock() + MAX_AGE_SECONDS
        except (CallFailed, ValueError) as error:
            log.warning("jwks_not_fetched", error=type(error).__name__)

    def _download(self) -> bytes:
        """Raises CallFailed, or ValueError for a response that cannot be a key set."""
        request = Request("GET", self._url, {"Accept": "application/json"}, b"", MAX_BYTES)
        body = BytesIO()
        response = self._client.send(request, monotonic() + self._timeout, body)
        if response.status != 200 or response.is_cut:
            raise ValueError(f"status {response.status}")
        return body.getvalue()


def _keys_in(document: bytes) -> list[Any]:
    key_set = orjson.loads(document)
    keys = key_set.get("keys") if isinstance(key_set, dict) else None
    if not isinstance(keys, list):
        raise ValueError("not a key set")
    return keys


def _usable(jwks: list[Any]) -> Iterator[tuple[str, VerificationKey]]:
    """Keys of other uses, types or curves are skipped (RFC 7517 section 5)."""
    for jwk in jwks:
        if (algorithm := _algorithm_of(jwk)) and (key := _public_key(jwk, algorithm)):
            yield jwk["kid"], (algorithm, key)


def _algorithm_of(jwk: object) -> str | None:
    """The one algorithm of a key, fixed by its type; None for a key that is not for us."""
    if not isinstance(jwk, dict) or not all(isinstance(jwk.get(name), str) for name in ("kty", "kid")):
        return None
    curve = jwk.get("crv")
    if not isinstance(curve, str | None) or jwk.get("use", "sig") != "sig":
        return None
    algorithm = ALGORITHMS.get((jwk["kty"], curve))
    return algorithm if jwk.get("alg", algorithm) == algorithm else None


def _public_key(jwk: dict[str, Any], algorithm: str) -> PublicKey | None:
    public = {name: jwk.get(name) for name in PUBLIC_MEMBERS[jwk["kty"]]}
    try:
        key: PublicKey = PyJWK(public, algorithm).key
    except (PyJWTError, ValueError, TypeError):
        return None
    return None if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS else key
