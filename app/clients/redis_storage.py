"""Counters of the rate limits in Redis, and in this process's memory while Redis fails."""

import math
import time
from threading import Lock
from typing import Any

import structlog
from limits.storage import MemoryStorage, RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

log = structlog.get_logger(__name__)

SCHEME = "steady+"
STEP_SECONDS = 0.1
"""Time limit of connecting to Redis, and of one answer of it."""
AWAY_SECONDS = 5.0
"""Pause after a failure of Redis, before it is tried again."""
LOG_EVERY_SECONDS = 60.0


def _counted(method: str) -> Any:
    """The method of RedisStorage, or of the process's memory while Redis fails."""
    return lambda self, *args, **options: self.count(method, *args, **options)


class Redis(RedisStorage):
    """While Redis fails, this process's memory counts. Flask-Limiter's own fallback crashes a concurrent request."""

    STORAGE_SCHEME = [f"{SCHEME}redis", f"{SCHEME}rediss"]

    def __init__(self, uri: str, **options: Any) -> None:
        options |= {"socket_timeout": STEP_SECONDS, "socket_connect_timeout": STEP_SECONDS}
        # The library's three retries would quadruple the time that a slow server takes.
        options["retry"] = Retry(NoBackoff(), 0)
        super().__init__(uri.removeprefix(SCHEME), **options)
        self._own = MemoryStorage()
        self._lock, self._away_until, self._logged_at = Lock(), 0.0, -math.inf

    incr = _counted("incr")
    get = _counted("get")
    get_expiry = _counted("get_expiry")
    acquire_entry = _counted("acquire_entry")
    get_moving_window = _counted("get_moving_window")

    def ping(self) -> None:
        """Raises RedisError."""
        self.storage.ping()

    def count(self, method: str, *args: Any, **options: Any) -> Any:
        if self._may_try():
            try:
                result = getattr(super(), method)(*args, **options)
                self._away_until = 0.0
                return result
            except (RedisError, OSError) as error:
                self._note(error)
        return getattr(self._own, method)(*args, **options)

    def _may_try(self) -> bool:
        """One request at a time tries while Redis is away."""
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
