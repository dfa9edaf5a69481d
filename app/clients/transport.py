"""Kept-alive HTTP to the policy engine, with one deadline for a call in all and a bound on calls in flight."""

from __future__ import annotations

import http.client
import io
import os
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import structlog

from app.core.errors import ApiError, BadGateway, GatewayTimeout, Unavailable

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 4 * MAX_BODY_BYTES
"""Everything that one answer may send: status line, headers, chunk sizes, body, trailers."""
MAX_IDLE_SECONDS = 30.0


class Reply(NamedTuple):
    """``body`` holds at most one byte more than MAX_BODY_BYTES: that many are too many."""

    status: int
    content_type: str
    body: bytes


def unusable(cause: str) -> BadGateway:
    log.warning("policy_engine_answer_unusable", cause=cause)
    return BadGateway("The policy engine gave no usable answer.")


def busy(cause: str) -> Unavailable:
    log.warning("policy_engine_busy", cause=cause)
    return Unavailable("The policy engine is busy.")


Idle = tuple[socket.socket, float]
"""A connection and since when it waits, on the monotonic clock."""


class HttpTransport:
    """Kept-alive HTTP/1.1 connections, last in, first out. ``timeout`` is in seconds, for a call in all."""

    def __init__(
        self, base_url: str, timeout: float, max_in_flight: int, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """Raises ValueError for a URL that is not ``http(s)://host[:port][/prefix]``."""
        self._origin = _Origin.of(base_url, tls)
        self._timeout = timeout
        self._max_in_flight = max_in_flight
        self._permits = threading.Semaphore(max_in_flight)
        self._idle: list[Idle] = []
        weakref.finalize(self, _close_all, self._idle)
        _call_in_forked_children(self._after_fork)

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Raises BadGateway, Unavailable or GatewayTimeout, and ValueError before anything is sent."""
        request = self._origin.request(method, path, body, headers)
        if not self._permits.acquire(blocking=False):
            raise busy("too many calls in flight")
        try:
            return self._exchange(method, request, time.monotonic() + self._timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _translated(error) from error
        finally:
            self._permits.release()

    def close(self) -> None:
        """Close the idle connections; later calls open new ones."""
        _close_all(self._idle)

    def _after_fork(self) -> None:
        """The parent goes on using its connections; closing our descriptors sends nothing on them."""
        _close_all(self._idle)
        self._permits = threading.Semaphore(self._max_in_flight)

    def _exchange(self, method: str, request: bytes, deadline: float) -> Reply:
        connection = self._deliver(request, deadline)
        is_clean = False
        try:
            reply, is_clean = _read_reply(_Wire(connection, deadline), method)
            return reply
        finally:
            if is_clean:
                self._idle.append((connection, time.monotonic()))
            else:
                connection.close()

    def _deliver(self, request: bytes, deadline: float) -> socket.socket:
        """The connection that took the whole request; one that fails before is replaced, once."""
        connection = self._take() or self._origin.open(deadline)
        try:
            return _write(connection, request, deadline)
        except TimeoutError:
            raise
        except OSError:
            return _write(self._origin.open(deadline), request, deadline)

    def _take(self) -> socket.socket | None:
        with suppress(IndexError):
            while True:
                connection, idle_since = self._idle.pop()
                if _is_alive(connection, idle_since):
                    return connection
                connection.close()
        return None


@dataclass(frozen=True, slots=True)
class _Origin:
    host: str
    port: int
    authority: str
    prefix: str
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str, tls: ssl.SSLContext | None) -> _Origin:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        if parts.scheme not in ("http", "https") or not host or not url.isascii():
            raise ValueError("The policy engine's URL must be http(s)://host in ASCII.")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("The policy engine's URL must have no credentials, query or fragment.")
        secure = parts.scheme == "https"
        context = (tls or ssl.create_default_context()) if secure else None
        return cls(host, parts.port or (443 if secure else 80), parts.netloc, parts.path.rstrip("/"), context)

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """In one piece: http.client sends head and body as two segments, and lets folded lines pass."""
        target = self.prefix + path
        lines = [
            f"{method} {target} HTTP/1.1",
            f"Host: {self.authority}",
            "Accept-Encoding: identity",
            *(f"{name}: {value}" for name, value in headers.items()),
            f"Content-Length: {len(body)}",
        ]
        everything = "".join(lines)
        if " " in method + target or not everything.isascii() or not everything.isprintable():
            raise ValueError("A request to the policy engine must be printable ASCII.")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def open(self, deadline: float) -> socket.socket:
        """A connected socket; the addresses of a name share the time that is left."""
        addresses = _addresses(self.host, self.port, deadline)
        failure = OSError("no address")
        for turn, address in enumerate(addresses):
            try:
                return self._connect(address, _left(deadline) / (len(addresses) - turn), deadline)
            except OSError as error:
                failure = error
        raise failure

    def _connect(self, address: tuple[str, int], patience: float, deadline: float) -> socket.socket:
        connection = socket.create_connection(address, patience)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is None:
            return connection
        connection.settimeout(_left(deadline))
        return self.tls.wrap_socket(connection, server_hostname=self.host)


class _Wire(io.RawIOBase):
    """What one answer may read: no byte after the deadline, none beyond the budget."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._budget = MAX_ANSWER_BYTES
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
        self._connection.settimeout(_left(self._deadline))
        count = self._connection.recv_into(buffer)
        self._budget -= count
        return count

    def end(self, reader: io.BufferedReader) -> None:
        """What was received beyond the answer belongs to no question: the two sides are out of step."""
        self._has_ended = True
        self.has_surplus = bool(reader.peek())


class _Reader(io.BufferedReader):
    """HTTPResponse closes its file at the last byte of an answer, and only then drops what is left in it."""

    def __init__(self, wire: _Wire) -> None:
        super().__init__(wire)
        self._wire = wire

    def close(self) -> None:
        if not self.closed:
            self._wire.end(self)
        super().close()


def _read_reply(wire: _Wire, method: str) -> tuple[Reply, bool]:
    """The reply, cut off after the first byte too many, and whether its connection can serve another."""
    with http.client.HTTPResponse(cast(socket.socket, wire), method=method) as response:
        response.begin()
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise http.client.HTTPException("The answer is compressed.")
        body = response.read(MAX_BODY_BYTES + 1)
        is_too_long = len(body) > MAX_BODY_BYTES
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
            connection.settimeout(_left(deadline))
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


def _addresses(host: str, port: int, deadline: float) -> list[tuple[str, int]]:
    """getaddrinfo knows no timeout: a thread waits for it and is left behind at the deadline."""
    found: SimpleQueue[list[tuple[str, int]] | OSError] = SimpleQueue()
    threading.Thread(target=_look_up, args=(host, port, found), daemon=True).start()
    try:
        addresses = found.get(timeout=_left(deadline))
    except Empty:
        raise TimeoutError("no address in time") from None
    if isinstance(addresses, OSError):
        raise addresses
    return addresses


def _look_up(host: str, port: int, found: SimpleQueue[list[tuple[str, int]] | OSError]) -> None:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found.put([(str(row[4][0]), port) for row in rows])
    except OSError as error:
        found.put(error)


def _left(deadline: float) -> float:
    """Seconds, more than 0. Raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def _translated(error: Exception) -> ApiError:
    log.warning("policy_engine_failed", cause=getattr(error, "strerror", None) or type(error).__name__)
    if isinstance(error, TimeoutError):
        return GatewayTimeout("The policy engine did not answer in time.")
    if isinstance(error, OSError):
        return Unavailable("The policy engine cannot be reached.")
    return BadGateway("The policy engine gave no usable answer.")


def _call_in_forked_children(method: Callable[[], None]) -> None:
    """For as long as the object lives; os.register_at_fork alone would keep it alive for ever."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        if found := reference():
            found()

    os.register_at_fork(after_in_child=call)
