"""Coarse limits per client address: Flask-Limiter, counted in Redis or in this process's memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from flask import Flask, request
from flask_limiter import Limiter, RequestLimit

from app.base.errors import TooManyRequests
from app.base.network import network_of
from app.config.settings import Settings

if TYPE_CHECKING:
    from app.clients.redis_storage import Redis

View = Callable[..., Any]


class Limits:
    """``over`` puts a limit on a view; ``redis`` is the storage of the counters, or None."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._limiter = _limiter(app, settings) if settings.ratelimit_enabled else None
        self.redis: Redis | None = self._limiter.storage if self._limiter and _uses_redis(settings) else None  # type: ignore[assignment]

    def over(self, view: View, limits: str, exempt: Callable[[], bool], ipv4_prefix: int) -> View:
        """``limits`` such as ``50/hour;200/day``, each counted per view and per network of that size, or /64."""
        if self._limiter is None or not limits:
            return view
        network = partial(_network, ipv4_prefix)
        return self._limiter.limit(limits, key_func=network, exempt_when=exempt)(view)


def _network(ipv4_prefix: int) -> str:
    return network_of(request.remote_addr, ipv4_prefix)


def _limiter(app: Flask, settings: Settings) -> Limiter:
    uri = settings.ratelimit_storage_uri
    if _uses_redis(settings):
        # The import registers the scheme; a process that counts in memory need not hold the library.
        from app.clients.redis_storage import SCHEME

        uri = SCHEME + uri
    limiter = Limiter(
        key_func=partial(_network, 32),
        storage_uri=uri,
        strategy=settings.ratelimit_strategy,
        key_prefix="identity",
        on_breach=_refuse,
    )
    # Its hooks cost every request 35 µs, and the views that are limited need none of them.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    return limiter


def _uses_redis(settings: Settings) -> bool:
    return settings.ratelimit_storage_uri.startswith("redis")


def _refuse(limit: RequestLimit) -> NoReturn:
    left = math.ceil(limit.window.reset_time - time.time())
    raise TooManyRequests(max(1, left), limit=limit.limit.amount)
