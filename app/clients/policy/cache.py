"""Grants remembered across requests, where GUARDIAN_DECISION_TTL_SECONDS allows it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from operator import attrgetter

from app.clients.http.per_process import PerProcess
from app.clients.policy.metrics import PolicyCounters
from app.clients.policy.request import AccessRequest, PolicyEngine

MAX_GRANTS = 10_000


class Grants:
    """The keys last used, at most ``limit``, all for ``ttl`` seconds since the question was asked."""

    def __init__(self, ttl: float, limit: int = MAX_GRANTS, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl, self._limit, self.clock = ttl, limit, clock
        # A lock, and the times of the questions by their keys.
        self._entries = PerProcess(lambda: (threading.Lock(), OrderedDict[Hashable, float]()))

    def __len__(self) -> int:
        return len(self._entries.get()[1])

    def __contains__(self, key: Hashable) -> bool:
        lock, times = self._entries.get()
        with lock:
            asked_at = times.get(key)
            if asked_at is None:
                return False
            if self.clock() - asked_at >= self._ttl:
                del times[key]
                return False
            times.move_to_end(key)
            return True

    def keep(self, key: Hashable, asked_at: float) -> None:
        """``asked_at`` is the time of the question on this clock: the engine may have changed its mind since."""
        lock, times = self._entries.get()
        with lock:
            times[key] = asked_at
            times.move_to_end(key)
            if len(times) > self._limit:
                times.popitem(last=False)


class CachingEngine:
    """Asks the engine only what it has not granted before. Denials and failures are never kept."""

    def __init__(
        self,
        engine: PolicyEngine,
        grants: Grants,
        counters: PolicyCounters,
        key_of: Callable[[AccessRequest], Hashable],
    ) -> None:
        self._engine, self._grants, self._counters, self._key_of = engine, grants, counters, key_of

    def check(self, *questions: AccessRequest, token: str, request_id: str) -> None:
        open_questions = [question for question in questions if not self._is_granted(question)]
        if not open_questions:
            return
        asked_at = self._grants.clock()
        self._engine.check(*open_questions, token=token, request_id=request_id)
        for question in open_questions:
            self._grants.keep(self._key_of(question), asked_at)

    def _is_granted(self, question: AccessRequest) -> bool:
        is_granted = self._key_of(question) in self._grants
        (self._counters.hits if is_granted else self._counters.misses).inc()
        return is_granted


def whole(question: AccessRequest) -> Hashable:
    """For engines that may decide by any part of the question."""
    return question


without_item = attrgetter(
    "user_id", "company_id", "resource_name", "operation", "service", "parent_kind", "policy_version"
)
"""For engines that are told neither the item nor roles."""
