"""Grants remembered across requests, where GUARDIAN_DECISION_TTL_SECONDS allows it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

from app.clients.http.per_process import PerProcess
from app.clients.policy.metrics import PolicyCounters
from app.clients.policy.request import AccessRequest, PolicyEngine

MAX_GRANTS = 10_000


class _Entries:
    """When each key was asked, on the clock of the grants."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked: OrderedDict[Hashable, float] = OrderedDict()


class Grants:
    """The keys last used, at most ``limit``, each for ``ttl`` seconds since the question was asked."""

    def __init__(self, ttl: float, limit: int = MAX_GRANTS, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl, self._limit, self.clock = ttl, limit, clock
        self._entries: PerProcess[_Entries] = PerProcess(_Entries)

    def __len__(self) -> int:
        return len(self._entries.get().asked)

    def __contains__(self, key: Hashable) -> bool:
        entries = self._entries.get()
        with entries.lock:
            asked = entries.asked.get(key)
            if asked is None:
                return False
            if self.clock() - asked >= self._ttl:
                del entries.asked[key]
                return False
            entries.asked.move_to_end(key)
            return True

    def keep(self, key: Hashable, asked: float) -> None:
        """``asked``: when the question was, on this clock. An engine may have changed its mind since."""
        entries = self._entries.get()
        with entries.lock:
            entries.asked[key] = asked
            entries.asked.move_to_end(key)
            if len(entries.asked) > self._limit:
                entries.asked.popitem(last=False)


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

    def check(self, question: AccessRequest, *, token: str, request_id: str) -> None:
        self.check_all([question], token=token, request_id=request_id)

    def check_all(self, questions: Sequence[AccessRequest], *, token: str, request_id: str) -> None:
        open_questions = [each for each in questions if not self._is_granted(each)]
        if not open_questions:
            return
        asked = self._grants.clock()
        if len(open_questions) == 1:
            self._engine.check(open_questions[0], token=token, request_id=request_id)
        else:
            self._engine.check_all(open_questions, token=token, request_id=request_id)
        for each in open_questions:
            self._grants.keep(self._key_of(each), asked)

    def _is_granted(self, question: AccessRequest) -> bool:
        found = self._key_of(question) in self._grants
        (self._counters.hits if found else self._counters.misses).inc()
        return found


def whole(question: AccessRequest) -> Hashable:
    """For engines that may decide by each part of the question."""
    return question


def without_item(question: AccessRequest) -> Hashable:
    """For engines that are told neither the item nor roles."""
    return (
        question.user_id,
        question.company_id,
        question.resource_name,
        question.operation,
        question.service,
        question.parent_kind,
        question.policy_version,
    )
