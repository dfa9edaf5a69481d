"""Remembered grants, without the service: what is kept, for how long, and for which question."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from app.base.errors import ApiError, BadGateway, Forbidden, Unavailable
from app.clients.policy.cache import CachingEngine, Grants, whole, without_item
from app.clients.policy.metrics import PolicyCounters
from app.clients.policy.request import AccessRequest
from tests.clients.policy.guardian.asking import TOKEN
from tests.support.clock import Clock

QUESTION = AccessRequest(uuid4(), uuid4(), "customer", "UPDATE", resource_id=str(uuid4()))


def test_a_grant_lives_for_its_time_from_when_it_was_asked_for() -> None:
    clock = Clock()
    kept = Grants(10.0, clock=clock)
    asked = clock.now
    clock.advance(4)
    kept.keep("key", asked)
    clock.advance(5.9)
    assert "key" in kept

    clock.advance(0.1)

    assert "key" not in kept
    assert len(kept) == 0


def test_the_one_used_longest_ago_makes_room() -> None:
    kept = Grants(10.0, 3, clock=Clock())
    for key in "abc":
        kept.keep(key, 1000.0)
    assert "a" in kept

    kept.keep("d", 1000.0)

    assert [key in kept for key in "abcd"] == [True, False, True, True]
    assert len(kept) == 3


def test_many_threads_keep_no_more_than_the_limit() -> None:
    kept = Grants(60.0, 100)

    def use(seed: int) -> None:
        for each in range(2000):
            key = (seed * 31 + each) % 300
            if key not in kept:
                kept.keep(key, kept.clock())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))

    assert len(kept) == 100


def test_a_forked_child_remembers_nothing_and_does_not_wait_for_its_parents_threads() -> None:
    kept = Grants(60.0)
    kept.keep("key", kept.clock())

    lock, _ = kept._entries.get()
    with lock:  # as if another thread of the parent held it
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            os._exit(1 if "key" in kept else 0)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert "key" in kept


# Around an engine.


@dataclass
class Engine:
    """Counts what it is asked, and raises what it is told to."""

    error: ApiError | None = None
    asked: list[AccessRequest] = field(default_factory=list)

    def check(self, *questions: AccessRequest, token: str, request_id: str) -> None:
        self.asked += questions
        if self.error:
            raise self.error


def remembering(engine: Engine, key_of: Any = without_item) -> CachingEngine:
    return CachingEngine(engine, Grants(60.0), PolicyCounters(CollectorRegistry()), key_of)


def check(client: CachingEngine, *questions: AccessRequest) -> None:
    client.check(*questions, token=TOKEN, request_id="request-1")


def test_a_grant_is_asked_for_once() -> None:
    engine = Engine()
    client = remembering(engine)

    check(client, QUESTION)
    check(client, QUESTION)

    assert engine.asked == [QUESTION]


@pytest.mark.parametrize("error", [Forbidden(), BadGateway(), Unavailable()], ids=["denial", "502", "503"])
def test_neither_a_denial_nor_a_failure_is_kept(error: ApiError) -> None:
    engine = Engine(error)
    client = remembering(engine)

    for _ in range(2):
        with pytest.raises(type(error)):
            check(client, QUESTION)
    engine.error = None
    check(client, QUESTION)

    assert len(engine.asked) == 3


OTHERS = {
    "user_id": uuid4(),
    "company_id": uuid4(),
    "resource_name": "user",
    "operation": "READ",
    "service": "guardian",
    "parent_kind": "position",
    "policy_version": 1,
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("key_of", [whole, without_item])
def test_a_grant_is_for_exactly_its_question(name: str, key_of: Any) -> None:
    engine = Engine()
    client = remembering(engine, key_of)

    check(client, QUESTION)
    check(client, replace(QUESTION, **{name: OTHERS[name]}))

    assert len(engine.asked) == 2


@pytest.mark.parametrize("other", [{"resource_id": "*"}, {"roles": ("viewer",)}], ids=["item", "roles"])
def test_item_and_roles_tell_questions_apart_only_for_an_engine_that_is_told_them(other: dict[str, Any]) -> None:
    told, untold = Engine(), Engine()

    for engine, key_of in ((told, whole), (untold, without_item)):
        client = remembering(engine, key_of)
        check(client, QUESTION)
        check(client, replace(QUESTION, **other))

    assert (len(told.asked), len(untold.asked)) == (2, 1)


def test_of_several_questions_only_the_open_ones_are_asked() -> None:
    engine, other = Engine(), replace(QUESTION, operation="READ")
    client = remembering(engine)
    check(client, QUESTION)

    check(client, QUESTION, other)
    check(client, QUESTION, other)

    assert engine.asked == [QUESTION, other]


def test_of_several_questions_none_is_kept_when_one_is_denied() -> None:
    engine, other = Engine(Forbidden()), replace(QUESTION, operation="READ")
    client = remembering(engine)
    with pytest.raises(Forbidden):
        check(client, QUESTION, other)
    engine.error = None

    check(client, QUESTION)

    assert engine.asked == [QUESTION, other, QUESTION]
