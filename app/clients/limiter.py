"""Coarse limits per client address: Flask-Limiter, counted in Redis or in this process's memory."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from threading import Lock
from typing import Any, NoReturn, cast

import structlog
from flask import Flask, request
from flask_limiter import Limiter, RequestLimit
from limits.storage import MemoryStorage, RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.base.errors import TooManyRequests
from app.config.settings import Settings

log = structlog.get_logger(__name__)

View = Callable[..., Any]

STEP_SECONDS = 0.1
"""What connecting to Redis, or one answer of it, may take."""
AWAY_SECONDS = 5.0
"""How long Redis is not asked again after it failed."""
LOG_EVERY_SECONDS = 60.0


class Redis(RedisStorage):
    """While Redis fails, this process's memory counts: no request fails, and few wait for it.

    Flask-Limiter's own fallback lets the second of two requests that see the failure at once crash.
    """

    STORAGE_SCHEME = ["steady+redis", "steady+rediss"]

    def __init__(self, uri: str, **options: Any) -> None:
        options |= {"socket_timeout": STEP_SECONDS, "socket_connect_timeout": STEP_SECONDS}
        # The library's three retries would quadruple the time that a slow server takes.
        options["retry"] = Retry(NoBackoff(), 0)
        super().__init__(uri.removeprefix("steady+"), **options)
        self._own = MemoryStorage()
        self._lock, self._away_until, self._logged_at = Lock(), 0.0, -math.inf

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return cast(int, self._counted("incr", key, expiry, amount))

    def get(self, key: str) -> int:
        return cast(int, self._counted("get", key))

    def get_expiry(self, key: str) -> float:
        return cast(float, self._counted("get_expiry", key))

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        return cast(bool, self._counted("acquire_entry", key, limit, expiry, amount))

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        return cast(tuple[float, int], self._counted("get_moving_window", key, limit, expiry))

    def ping(self) -> None:
        """Raises RedisError."""
        self.storage.ping()

    def _counted(self, method: str, *args: Any) -> Any:
        if self._is_to_be_asked():
            try:
                found = getattr(super(), method)(*args)
                self._away_until = 0.0
                return found
            except (RedisError, OSError) as error:
                self._note(error)
        return getattr(self._own, method)(*args)

    def _is_to_be_asked(self) -> bool:
        """While it is away, one request at a time tries."""
        now = time.monotonic()
        with self._lock:
            if now < self._away_until:
                return False
            if self._away_until:
                self._away_until = now + AWAY_SECONDS
            return True

    def _note(self, error: Exception) -> None:
        now = time.monotonic()
        with self._lock:
            self._away_until = now + AWAY_SECONDS
            is_new = now - self._logged_at >= LOG_EVERY_SECONDS
            self._logged_at = now if is_new else self._logged_at
        if is_new:
            log.warning("rate_limits_in_memory", reason=type(error).__name__)


class Limits:
    """``over`` puts a limit on a view; ``redis`` is there to be looked at where it counts."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self.redis: Redis | None = None
        self._limiter: Limiter | None = _limiter(app, settings) if settings.ratelimit_enabled else None
        if self._limiter is not None and isinstance(self._limiter.storage, Redis):
            self.redis = self._limiter.storage

    def over(self, view: View, limits: str, exempt: Callable[[], bool]) -> View:
        """``limits`` such as ``50/hour;200/day``, each counted per view and client."""
        if self._limiter is None or not limits:
            return view
        return self._limiter.limit(limits, exempt_when=exempt)(view)


def _limiter(app: Flask, settings: Settings) -> Limiter:
    uri = settings.ratelimit_storage_uri
    found = Limiter(
        key_func=lambda: client_of(request.remote_addr),
        storage_uri=f"steady+{uri}" if uri.startswith("redis") else uri,
        strategy=settings.ratelimit_strategy,
        key_prefix="identity",
        on_breach=_refuse,
    )
    # Its hooks cost every request 35 µs, and the views that are limited need none of them.
    app.extensions["limiter"] = {found}
    found.init_app(app)
    return found


def client_of(address: str | None) -> str:
    """The address, or of IPv6 the /64: whoever has one such network has all of its addresses."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed.packed, 64), strict=False))


def _refuse(limit: RequestLimit) -> NoReturn:
    left = math.ceil(limit.window.reset_time - time.time())
    raise TooManyRequests(max(1, left), limit=limit.limit.amount)
