"""Several calls to the policy engine side by side, on the caller's own thread and under one deadline.

All are needed, so there is nothing to gain from reading one answer while another trickles in: requests
are written one after the other, and answers are read as they begin to arrive. That costs a third of what
threads cost, and leaves none behind.
"""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import structlog

from app.clients.http.fork import call_in_forked_children
from app.clients.http.origin import left
from app.clients.http.transport import FAILURES, HttpTransport, Reply, TooManyInFlight, translated

log = structlog.get_logger(__name__)

MAX_DATA_BYTES = 1024 * 1024


class Call(NamedTuple):
    """``about`` comes back with the reply."""

    method: str
    path: str
    body: bytes = b""
    about: Any = None


class FanOut:
    """Shares the transport's connections and its bound on calls in flight.

    A fifth of the permits is left to permission checks: those fail at once where there is none, and a page
    about somebody's roles must not be why.
    """

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport
        self._start_afresh()
        call_in_forked_children(self._start_afresh)

    def _start_afresh(self) -> None:
        bound = self._transport.max_in_flight
        self._places = threading.Semaphore(max(1, bound - bound // 5))

    @contextmanager
    def flight(self, headers: Mapping[str, str], deadline: float) -> Iterator[Flight]:
        """Calls under way are given up at the end."""
        flight = Flight(self._transport, self._places, headers, deadline)
        try:
            yield flight
        finally:
            flight.end()


class Flight:
    """Give it calls with ``add``, also while its replies are iterated over; they come in any order.

    Waits for permits as long as the deadline allows. Iterating raises BadGateway, Unavailable or
    GatewayTimeout.
    """

    def __init__(
        self, transport: HttpTransport, places: threading.Semaphore, headers: Mapping[str, str], deadline: float
    ) -> None:
        self._transport, self._places, self._headers, self._deadline = transport, places, headers, deadline
        self._poll = select.poll()
        self._waiting: deque[tuple[Call, bytes]] = deque()
        self._under_way: dict[int, tuple[Call, socket.socket]] = {}
        self._permits = 0

    def add(self, call: Call) -> None:
        """Raises ValueError for what cannot be sent."""
        self._waiting.append((call, self._transport.request(call.method, call.path, call.body, self._headers)))

    def __iter__(self) -> Iterator[tuple[Any, Reply]]:
        """``about`` and the reply of each call."""
        while self._waiting or self._under_way:
            self._guarded(self._begin)
            for descriptor in self._guarded(self._answering):
                reply = self._guarded(self._receive, descriptor)
                # What waits goes out before the reply is looked at, what it leads to goes out after.
                self._guarded(self._begin)
                yield reply
                self._guarded(self._begin)

    def end(self) -> None:
        for _, connection in self._under_way.values():
            connection.close()
        while self._permits:
            self._give_back()

    def _guarded(self, step: Any, *args: Any) -> Any:
        try:
            return step(*args)
        except FAILURES as error:
            raise translated(error) from error

    def _begin(self) -> None:
        """As many as there are permits for."""
        while self._waiting and self._has_permit():
            call, request = self._waiting.popleft()
            connection = self._transport.deliver(request, self._deadline)
            self._under_way[connection.fileno()] = call, connection
            self._poll.register(connection, select.POLLIN)

    def _answering(self) -> list[int]:
        return [descriptor for descriptor, _ in self._poll.poll(left(self._deadline) * 1000)]

    def _receive(self, descriptor: int) -> tuple[Any, Reply]:
        self._poll.unregister(descriptor)
        call, connection = self._under_way.pop(descriptor)
        reply = self._transport.receive(connection, call.method, self._deadline, MAX_DATA_BYTES)
        self._give_back()
        return call.about, reply

    def _has_permit(self) -> bool:
        """The first is waited for; with calls under way, another one only taken where it is free."""
        if not self._places.acquire(**self._patience()):
            return self._without_permit()
        if not self._transport.permits.acquire(**self._patience()):
            self._places.release()
            return self._without_permit()
        self._permits += 1
        return True

    def _patience(self) -> dict[str, Any]:
        return {"blocking": False} if self._permits else {"timeout": left(self._deadline)}

    def _without_permit(self) -> bool:
        """Raises TooManyInFlight where nothing is under way: the time to wait is over."""
        if not self._permits:
            log.warning("policy_engine_busy", cause="too many calls in flight")
            raise TooManyInFlight("The policy engine is busy.")
        return False

    def _give_back(self) -> None:
        self._permits -= 1
        self._transport.permits.release()
        self._places.release()
