"""Kept-alive HTTP to the policy engine, with one deadline for a call in all and a bound on calls in flight."""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple, cast

import structlog

from app.base.errors import ApiError, BadGateway, GatewayTimeout, Unavailable
from app.clients.http.fork import call_in_forked_children
from app.clients.http.origin import Origin, left

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 64 * 1024
MAX_IDLE_SECONDS = 30.0


class Reply(NamedTuple):
    """``body`` holds at most one byte more than the call allows, MAX_BODY_BYTES unless it says: that is too many."""

    status: int
    content_type: str
    body: bytes


class TooManyInFlight(Unavailable):
    """This process asks as much as it may; that says nothing about the engine."""


def unusable(cause: str, error: type[BadGateway] = BadGateway) -> BadGateway:
    log.warning("policy_engine_answer_unusable", cause=cause)
    return error("The policy engine gave no usable answer.")


def busy(cause: str) -> Unavailable:
    log.warning("policy_engine_busy", cause=cause)
    return Unavailable("The policy engine is busy.")


Idle = tuple[socket.socket, float]
"""A connection and since when it waits, on the monotonic clock."""


class HttpTransport:
    """Kept-alive HTTP/1.1 connections, last in, first out. ``timeout`` is in seconds, for a call in all."""

    def __init__(self, base_url: str, timeout: float, max_in_flight: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Raises ValueError for a URL that is not ``http(s)://host[:port][/prefix]``."""
        self._origin = Origin.of(base_url, tls)
        self._timeout = timeout
        self.max_in_flight = max_in_flight
        self.permits = threading.Semaphore(max_in_flight)
        self._idle: list[Idle] = []
        weakref.finalize(self, _close_all, self._idle)
        call_in_forked_children(self._after_fork)

    def path_of(self, url: str) -> str | None:
        """The path of a URL on the engine's own host; None for any other URL."""
        return self._origin.path_of(url)

    def deadline(self) -> float:
        """That of a call which begins now, on the monotonic clock."""
        return time.monotonic() + self._timeout

    def send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], *, deadline: float | None = None
    ) -> Reply:
        """Raises BadGateway, Unavailable or GatewayTimeout, and ValueError before anything is sent."""
        request = self.request(method, path, body, headers)
        if not self.permits.acquire(blocking=False):
            log.warning("policy_engine_busy", cause="too many calls in flight")
            raise TooManyInFlight("The policy engine is busy.")
        try:
            ends = self.deadline() if deadline is None else deadline
            return self.receive(self.deliver(request, ends), method, ends)
        except FAILURES as error:
            raise translated(error) from error
        finally:
            self.permits.release()

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Ready to be sent. Raises ValueError."""
        return self._origin.request(method, path, body, headers)

    def close(self) -> None:
        """Close the idle connections; later calls open new ones."""
        _close_all(self._idle)

    def _after_fork(self) -> None:
        """The parent goes on using its connections; closing our descriptors sends nothing on them."""
        _close_all(self._idle)
        self.permits = threading.Semaphore(self.max_in_flight)

    def deliver(self, request: bytes, deadline: float) -> socket.socket:
        """The connection that took the whole request; one that fails before is replaced, once. Raises FAILURES."""
        connection = self._take() or self._origin.open(deadline)
        try:
            return _write(connection, request, deadline)
        except TimeoutError:
            raise
        except OSError:
            return _write(self._origin.open(deadline), request, deadline)

    def receive(self, connection: socket.socket, method: str, deadline: float, most: int = MAX_BODY_BYTES) -> Reply:
        """The reply, and the connection kept for another call or closed. Raises FAILURES."""
        is_clean = False
        try:
            reply, is_clean = _read_reply(Wire(connection, deadline, 4 * most), method, most)
            return reply
        finally:
            if is_clean:
                self._idle.append((connection, time.monotonic()))
            else:
                connection.close()

    def _take(self) -> socket.socket | None:
        with suppress(IndexError):
            while True:
                connection, idle_since = self._idle.pop()
                if _is_alive(connection, idle_since):
                    return connection
                connection.close()
        return None


class Wire(io.RawIOBase):
    """What one answer may read: no byte after the deadline, none beyond the budget.

    The budget is for everything that it may send: status line, headers, chunk sizes, body, trailers.
    """

    def __init__(self, connection: socket.socket, deadline: float, budget: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._budget = budget
        self._has_ended = False
        self.has_surplus = False

    def makefile(self, _mode: str) -> _Reader:
        """HTTPResponse wants a socket and asks it for nothing else."""
        return _Reader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._has_ended:
            return 0
        if self._budget <= 0:
            raise http.client.HTTPException("The answer is too long.")
        self._connection.settimeout(left(self._deadline))
        count = self._connection.recv_into(buffer)
        self._budget -= count
        return count

    def end(self, reader: io.BufferedReader) -> None:
        """What was received beyond the answer belongs to no question: the two sides are out of step."""
        self._has_ended = True
        self.has_surplus = bool(reader.peek())


class _Reader(io.BufferedReader):
    """HTTPResponse closes its file at the last byte of an answer, and only then drops what is left in it."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._wire = wire

    def close(self) -> None:
        if not self.closed:
            self._wire.end(self)
        super().close()


def _read_reply(wire: Wire, method: str, most: int) -> tuple[Reply, bool]:
    """The reply, cut off after the first byte too many, and whether its connection can serve another."""
    with http.client.HTTPResponse(cast(socket.socket, wire), method=method) as response:
        response.begin()
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise http.client.HTTPException("The answer is compressed.")
        body = response.read(most + 1)
        is_too_long = len(body) > most
        if wire.has_surplus or (response.length and not is_too_long):
            raise http.client.HTTPException("The answer is not as long as it says.")
        reply = Reply(response.status, response.headers.get("Content-Type", ""), body)
        return reply, not is_too_long and _is_complete(response)


def _is_complete(response: http.client.HTTPResponse) -> bool:
    """Read to its last byte, with nothing to follow: an answer of 1xx announces another."""
    return response.isclosed() and not response.will_close and response.status >= 200


def _write(connection: socket.socket, request: bytes, deadline: float) -> socket.socket:
    """The same connection, when all of it is sent; closed otherwise."""
    rest = memoryview(request)
    try:
        while rest:
            connection.settimeout(left(deadline))
            rest = rest[connection.send(rest) :]
    except OSError:
        connection.close()
        raise
    return connection


def _close_all(idle: list[Idle]) -> None:
    with suppress(IndexError):
        while True:
            idle.pop()[0].close()


def _is_alive(connection: socket.socket, idle_since: float) -> bool:
    """A peer that closed, or speaks unasked, makes it readable; one that a firewall forgot shows nothing."""
    if time.monotonic() - idle_since > MAX_IDLE_SECONDS:
        return False
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        return False
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return not poll.poll(0)


FAILURES = (OSError, http.client.HTTPException, ValueError)
"""What a call may end in instead of a reply."""


def translated(error: Exception) -> ApiError:
    log.warning("policy_engine_failed", cause=getattr(error, "strerror", None) or type(error).__name__)
    if isinstance(error, TimeoutError):
        return GatewayTimeout("The policy engine did not answer in time.")
    if isinstance(error, OSError):
        return Unavailable("The policy engine cannot be reached.")
    return BadGateway("The policy engine gave no usable answer.")
