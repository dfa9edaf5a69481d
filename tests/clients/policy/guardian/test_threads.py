"""Many threads and forked processes that ask one Guardian."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

from app.base.errors import ApiError, Forbidden, GatewayTimeout, Unavailable
from app.clients.policy.guardian import GuardianClient
from tests.clients.policy.guardian.asking import QUESTION, UNREACHABLE, UNUSABLE, check, client_of, refusal
from tests.fakes.guardian import FakeGuardian, decides, denies, grants, hangs, resets
from tests.support.marks import flaky
from tests.support.waiting import wait_for


def test_answers_find_the_threads_that_asked(engine: FakeGuardian) -> None:
    friends = {str(uuid4()) for _ in range(4)}
    strangers = {str(uuid4()) for _ in range(4)}
    engine.behaviour = decides(lambda asked: asked["user_id"] in friends)
    client = client_of(engine.url)

    def verdicts(user: str) -> set[bool]:
        return {_is_granted(client, UUID(user)) for _ in range(50)}

    with ThreadPoolExecutor(8) as threads:
        friendly = list(threads.map(verdicts, friends))
        strange = list(threads.map(verdicts, strangers))

    assert friendly == [{True}] * 4
    assert strange == [{False}] * 4
    assert engine.connections <= 8


def test_eight_threads_at_once_share_the_pool(engine: FakeGuardian) -> None:
    engine.behaviour = decides(lambda asked: int(asked["user_id"][-1], 16) % 2 == 0)
    client = client_of(engine.url)

    def mistakes(seed: int) -> int:
        users = [UUID(int=seed * 1000 + each) for each in range(50)]
        return sum(_is_granted(client, user) != (user.int % 2 == 0) for user in users)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(mistakes, range(8))) == 0

    assert len(engine.seen) == 400
    assert engine.connections <= 8


def _is_granted(client: GuardianClient, user_id: UUID) -> bool:
    try:
        check(client, replace(QUESTION, user_id=user_id))
    except Forbidden:
        return False
    return True


@flaky
def test_one_call_too_many_is_503_at_once_and_the_places_come_back(engine: FakeGuardian) -> None:
    engine.behaviour = hangs
    client = client_of(engine.url, max_in_flight=2, timeout=1.0)

    with ThreadPoolExecutor(2) as threads:
        hanging = [threads.submit(refusal, client) for _ in range(2)]
        wait_for(lambda: len(engine.seen) == 2)
        started = time.monotonic()
        error = refusal(client)
        waited = time.monotonic() - started

    assert isinstance(error, Unavailable)
    assert waited < 0.2
    assert [type(each.result()) for each in hanging] == [GatewayTimeout] * 2
    assert len(engine.seen) == 2
    engine.behaviour = grants
    check(client)


def test_a_place_comes_back_after_every_failure(engine: FakeGuardian) -> None:
    client = client_of(engine.url, max_in_flight=1)

    for behaviour in (resets, UNUSABLE["not_http"], UNUSABLE["10_mb"], UNREACHABLE["429"], denies):
        engine.behaviour = behaviour
        refusal(client)

    engine.behaviour = grants
    check(client)


def test_a_forked_child_opens_its_own_connection_and_leaves_the_parents(engine: FakeGuardian) -> None:
    engine.behaviour = grants
    client = client_of(engine.url)
    check(client)

    child = os.fork()
    if child == 0:
        os._exit(_exit_code(client))
    _, status = os.waitpid(child, 0)
    check(client)

    assert os.waitstatus_to_exitcode(status) == 0
    assert [seen.connection for seen in engine.seen] == [1, 2, 1]


def test_a_child_forked_during_a_call_has_all_its_places(engine: FakeGuardian) -> None:
    engine.behaviour = hangs
    client = client_of(engine.url, max_in_flight=1)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(refusal, client)
        wait_for(lambda: len(engine.seen) == 1)
        engine.behaviour = grants

        child = os.fork()
        if child == 0:
            os._exit(_exit_code(client))
        _, status = os.waitpid(child, 0)
        engine.hang_up()

    assert os.waitstatus_to_exitcode(status) == 0


def _exit_code(client: GuardianClient) -> int:
    try:
        check(client)
    except ApiError:
        return 1
    return 0
