"""The circuit breaker, on a clock that is set by hand."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from app.base.errors import ApiError, BadGateway, Forbidden, GatewayTimeout, Unauthenticated, Unavailable
from app.clients.http.breaker import MAX_FAILURES, Breaker, CircuitOpen, State
from app.clients.policy.metrics import outcome_of
from app.clients.policy.request import TooManyInFlight
from tests.support.clock import Clock


@dataclass
class Bench:
    """A breaker, what it told, and the time."""

    clock: Clock = field(default_factory=Clock)
    told: list[State] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker = Breaker(outcome_of, "The peer is not available.", self.told.append, self.clock)

    def call(self, error: BaseException | None = None) -> None:
        """Raises CircuitOpen when the call is not let through."""
        with suppress(*(type(each) for each in [error] if each)), self.breaker.call():
            if error is not None:
                raise error

    def fail(self, times: int = MAX_FAILURES) -> None:
        for _ in range(times):
            self.call(BadGateway())

    def retry_after(self) -> int | None:
        """Seconds, when the circuit is open."""
        try:
            self.call()
        except CircuitOpen as refused:
            return int(refused.headers["Retry-After"])
        return None


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_fifth_failure_in_a_row_opens_the_circuit(bench: Bench) -> None:
    bench.fail(4)
    assert bench.told == []
    bench.fail(1)

    assert bench.told == [State.OPEN]
    assert bench.retry_after() == 5


@pytest.mark.parametrize("success", [None, Forbidden("No role.")], ids=["grant", "denial"])
def test_a_decision_begins_the_count_again(bench: Bench, success: BaseException | None) -> None:
    bench.fail(4)
    bench.call(success)
    bench.fail(4)

    assert bench.retry_after() is None


@pytest.mark.parametrize("failure", [BadGateway(), Unavailable(), GatewayTimeout()], ids=["502", "503", "504"])
def test_every_kind_of_failure_counts(bench: Bench, failure: ApiError) -> None:
    for _ in range(5):
        bench.call(failure)

    assert bench.retry_after() == 5


@pytest.mark.parametrize(
    "error",
    [TooManyInFlight(), Unauthenticated(), ValueError(), KeyboardInterrupt()],
    ids=lambda each: type(each).__name__,
)
def test_what_says_nothing_about_the_engine_neither_counts_nor_clears(bench: Bench, error: BaseException) -> None:
    for _ in range(9):
        bench.call(error)
    assert bench.told == []
    bench.fail(4)
    bench.call(error)
    bench.fail(1)

    assert bench.told == [State.OPEN]


def test_after_the_pause_one_call_is_tried_and_closes_the_circuit(bench: Bench) -> None:
    bench.fail()
    bench.clock.advance(4.999)
    assert bench.retry_after() == 1
    bench.clock.advance(0.001)

    bench.call()

    assert bench.told == [State.OPEN, State.TRYING, State.CLOSED]
    bench.fail(4)
    assert bench.retry_after() is None


def test_a_failed_trial_opens_the_circuit_for_another_pause(bench: Bench) -> None:
    bench.fail()
    bench.clock.advance(5)
    bench.fail(1)

    assert bench.retry_after() == 5
    assert bench.told == [State.OPEN, State.TRYING, State.OPEN]


def test_while_one_call_is_tried_the_others_are_refused(bench: Bench) -> None:
    bench.fail()
    bench.clock.advance(60)

    with bench.breaker.call():
        assert bench.retry_after() == 1
    assert bench.retry_after() is None


def test_a_trial_that_did_not_reach_the_engine_leaves_room_for_the_next(bench: Bench) -> None:
    bench.fail()
    bench.clock.advance(5)
    bench.call(TooManyInFlight())

    bench.call()

    assert bench.told[-1] is State.CLOSED


def test_what_was_under_way_when_the_circuit_opened_does_not_close_it(bench: Bench) -> None:
    with bench.breaker.call():
        bench.fail()

    assert bench.retry_after() == 5


def test_what_was_under_way_when_the_circuit_opened_does_not_open_it_again(bench: Bench) -> None:
    with suppress(BadGateway), bench.breaker.call():
        bench.fail()
        bench.clock.advance(5)
        bench.call()
        raise BadGateway()

    bench.fail(4)
    assert bench.retry_after() is None


def test_many_threads_count_every_failure_and_try_one_call(bench: Bench) -> None:
    gate, tried = threading.Barrier(8, timeout=30), []

    def fail_together(_number: int) -> None:
        gate.wait()
        try:
            with bench.breaker.call():
                tried.append(1)
                time.sleep(0.05)
                raise BadGateway()
        except ApiError:
            return

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fail_together, range(8)))
        assert bench.told == [State.OPEN]
        bench.clock.advance(5)
        tried.clear()
        list(threads.map(fail_together, range(8)))

    assert len(tried) == 1
    assert bench.told == [State.OPEN, State.TRYING, State.OPEN]


def test_a_forked_child_starts_afresh(bench: Bench) -> None:
    bench.fail()

    with bench.breaker._circuits.get()._lock:  # as if another thread of the parent held it
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            os._exit(0 if bench.retry_after() is None else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert bench.retry_after() == 5
