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
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog

from app.clients.fork import call_in_forked_children
from app.clients.origin import left
from app.clients.transport import FAILURES, HttpTransport, Reply, TooManyInFlight, translated

log = structlog.get_logger(__name__)

MAX_DATA_BYTES = 1024 * 1024


class Call(NamedTuple):
    method: str
    path: str
    body: bytes = b""


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

    def exchange(self, calls: Iterable[Call], headers: Mapping[str, str], deadline: float) -> list[Reply]:
        """The replies in the order of the calls. Waits for permits as long as the deadline allows.

        Raises BadGateway, Unavailable or GatewayTimeout, and ValueError before anything is sent.
        """
        requests = [(each.method, self._transport.request(*each, headers)) for each in calls]
        flight = _Flight(self._transport, self._places, deadline)
        try:
            return flight.flown(requests)
        except FAILURES as error:
            raise translated(error) from error
        finally:
            flight.end()


class _Flight:
    """The calls of one exchange that are under way, by their descriptors."""

    def __init__(self, transport: HttpTransport, places: threading.Semaphore, deadline: float) -> None:
        self._transport, self._places, self._deadline = transport, places, deadline
        self._poll = select.poll()
        self._under_way: dict[int, tuple[int, socket.socket]] = {}
        self._permits = 0

    def flown(self, requests: Sequence[tuple[str, bytes]]) -> list[Reply]:
        waiting = deque(enumerate(requests))
        replies: dict[int, Reply] = {}
        self._begin(waiting)
        while self._under_way:
            for number, connection in self._answering():
                method = requests[number][0]
                replies[number] = self._transport.receive(connection, method, self._deadline, MAX_DATA_BYTES)
                self._give_back()
                self._begin(waiting)
        return [replies[number] for number in range(len(requests))]

    def end(self) -> None:
        for _, connection in self._under_way.values():
            connection.close()
        while self._permits:
            self._give_back()

    def _begin(self, waiting: deque[tuple[int, tuple[str, bytes]]]) -> None:
        """As many as there are permits for."""
        while waiting and self._has_permit():
            number, (_, request) = waiting.popleft()
            connection = self._transport.deliver(request, self._deadline)
            self._under_way[connection.fileno()] = number, connection
            self._poll.register(connection, select.POLLIN)

    def _answering(self) -> Iterable[tuple[int, socket.socket]]:
        ready = self._poll.poll(left(self._deadline) * 1000)
        for descriptor, _ in ready:
            self._poll.unregister(descriptor)
            yield self._under_way.pop(descriptor)

    def _has_permit(self) -> bool:
        """The first is waited for; with calls under way, another one only taken where it is free."""
        waits = {"timeout": left(self._deadline)} if not self._permits else {"blocking": False}
        if not self._places.acquire(**waits):
            return self._without_permit()
        if not self._transport.permits.acquire(**waits):
            self._places.release()
            return self._without_permit()
        self._permits += 1
        return True

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
