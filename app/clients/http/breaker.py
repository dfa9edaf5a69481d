"""A circuit breaker: a peer that keeps failing is left alone for a while, and nobody waits for it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from math import ceil

from app.base.errors import Unavailable
from app.clients.http.per_process import PerProcess

MAX_FAILURES = 5
OPEN_SECONDS = 5.0


class State(IntEnum):
    CLOSED, TRYING, OPEN = range(3)


class Outcome(IntEnum):
    """Of one call. ``UNKNOWN``: the peer was not reached, for a reason that is not its own."""

    SUCCESS, FAILURE, UNKNOWN = range(3)


class CircuitOpen(Unavailable):
    """The call was not tried."""


class Breaker:
    """After MAX_FAILURES failures in a row calls are refused for OPEN_SECONDS, then one is tried.

    An outcome counts only in the period in which its call began. A call that was under way when the
    circuit opened neither closes it nor keeps it open.
    """

    def __init__(
        self,
        outcome_of: Callable[[BaseException | None], Outcome],
        refusal: str,
        notice: Callable[[State], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``refusal`` is the text of CircuitOpen; ``notice`` is called with every new state."""
        self._outcome_of = outcome_of
        self._circuits = PerProcess(lambda: _Circuit(refusal, notice, clock))

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call. Raises CircuitOpen instead of letting it begin."""
        circuit = self._circuits.get()
        period = circuit.enter()
        try:
            yield
        except BaseException as error:
            circuit.leave(period, self._outcome_of(error))
            raise
        circuit.leave(period, self._outcome_of(None))


class _Circuit:
    """The state of a breaker in one process."""

    def __init__(self, refusal: str, notice: Callable[[State], None], clock: Callable[[], float]) -> None:
        self._refusal, self._notice, self._clock = refusal, notice, clock
        self._lock = threading.Lock()
        self._failures, self._period, self._open_until = 0, 0, 0.0
        self._state = State.CLOSED

    def enter(self) -> int:
        """The current period. Raises CircuitOpen."""
        with self._lock:
            if self._state is not State.CLOSED:
                wait = self._open_until - self._clock()
                if self._state is State.TRYING or wait > 0:
                    raise CircuitOpen(self._refusal, retry_after=max(1, ceil(wait)))
                self._become(State.TRYING)
            return self._period

    def leave(self, period: int, outcome: Outcome) -> None:
        with self._lock:
            if period != self._period:
                return
            if outcome is Outcome.SUCCESS:
                self._failures = 0
                self._become(State.CLOSED)
            elif outcome is Outcome.FAILURE:
                self._fail()
            elif self._state is State.TRYING:
                self._become(State.OPEN)

    def _fail(self) -> None:
        self._failures += 1
        if self._failures < MAX_FAILURES:
            return
        self._open_until = self._clock() + OPEN_SECONDS
        self._period += 1
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self._notice(state)
