"""Several calls to the policy engine side by side, on the caller's own thread and under one deadline."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from threading import Semaphore
from typing import Any, NamedTuple

import structlog

from app.clients.http.client import Exchanges
from app.clients.http.message import Request
from app.clients.http.per_process import PerProcess
from app.clients.http.transfer import CallFailed, Transfer, seconds_left
from app.clients.policy.parsing import Reply
from app.clients.policy.request import TooManyInFlight
from app.clients.policy.transport import RemoteTransport, reply_of, translate

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

    A fifth of the permits is left to permission checks: they fail at once without one. A page about
    somebody's roles must not be the cause.
    """

    def __init__(self, transport: RemoteTransport) -> None:
        bound = transport.max_in_flight
        self._transport = transport
        self._places = PerProcess(lambda: Semaphore(max(1, bound - bound // 5)))

    @contextmanager
    def flight(self, headers: Mapping[str, str], deadline: float) -> Iterator[Flight]:
        """Calls under way are given up at the end."""
        with self._transport.client.exchanges() as exchanges:
            flight = Flight(self._transport, self._places.get(), exchanges, headers, deadline)
            try:
                yield flight
            finally:
                flight.end()


class Flight:
    """Takes calls by ``add``, also while its replies are iterated over; they come in any order.

    Waits for permits as long as the deadline allows. Iterating raises BadGateway, Unavailable or
    GatewayTimeout.
    """

    def __init__(
        self,
        transport: RemoteTransport,
        places: Semaphore,
        exchanges: Exchanges,
        headers: Mapping[str, str],
        deadline: float,
    ) -> None:
        self._transport, self._places, self._exchanges = transport, places, exchanges
        self._headers, self._deadline = headers, deadline
        self._queue: deque[tuple[Call, Request]] = deque()
        self._under_way: dict[Transfer, Call] = {}
        self._permits = 0

    def add(self, call: Call) -> None:
        """Raises ValueError for a call that cannot be sent."""
        request = self._transport.request(call.method, call.path, call.body, self._headers, MAX_DATA_BYTES)
        request.lines()
        self._queue.append((call, request))

    def __iter__(self) -> Iterator[tuple[Any, Reply]]:
        """``about`` and the reply of each call."""
        try:
            while self._queue or self._under_way:
                self._begin()
                for transfer, response in self._exchanges.wait(self._deadline):
                    call = self._under_way.pop(transfer)
                    self._release()
                    # Send queued calls before parsing a reply, and the calls that the reply causes right after.
                    self._begin()
                    yield call.about, reply_of(response)
                    self._begin()
        except CallFailed as failure:
            raise translate(failure) from failure

    def end(self) -> None:
        while self._permits:
            self._release()

    def _begin(self) -> None:
        """As many as there are permits for."""
        while self._queue and self._has_permit():
            call, request = self._queue.popleft()
            self._under_way[self._exchanges.begin(request, self._deadline, BytesIO())] = call

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
        return {"blocking": False} if self._permits else {"timeout": seconds_left(self._deadline)}

    def _without_permit(self) -> bool:
        """Raises TooManyInFlight where nothing is under way: the time to wait is over."""
        if not self._permits:
            log.warning("policy_engine_busy", cause="too many calls in flight")
            raise TooManyInFlight("The policy engine is busy.")
        return False

    def _release(self) -> None:
        self._permits -= 1
        self._transport.permits.release()
        self._places.release()
