"""Outbound HTTP/1.1 by libcurl: connections are kept, a call has one deadline, the environment has no say.

A request is sent again once, and only if its connection was lost before the whole request went out. The
peer cannot have executed such a request. Any other request may have been executed, and fails instead.
"""

from __future__ import annotations

import select
import time
from contextlib import closing, suppress
from io import BytesIO
from typing import BinaryIO

import pycurl

from app.clients.http.connection import Connection
from app.clients.http.message import Request, Response
from app.clients.http.per_process import PerProcess
from app.clients.http.transfer import Transfer, seconds_left

_EVENTS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


class HttpClient:
    """Keeps the connections of a process; the one used last is used next."""

    def __init__(self) -> None:
        self._idle: PerProcess[list[Connection]] = PerProcess(list)

    def send(self, request: Request, deadline: float, sink: BinaryIO | None = None) -> Response:
        """``deadline`` is on the monotonic clock. Raises CallFailed, and ValueError before anything is sent."""
        exchanges = Exchanges(self._idle.get())
        try:
            exchanges.begin(request, deadline, sink or BytesIO())
            while not (responses := exchanges.wait(deadline)):
                continue
            return responses[0][1]
        finally:
            exchanges.close()

    def exchanges(self) -> closing[Exchanges]:
        """Calls under way at the end are given up."""
        return closing(Exchanges(self._idle.get()))

    def close(self) -> None:
        """Close the idle connections; later calls open new ones."""
        idle = self._idle.get()
        with suppress(IndexError):
            while True:
                idle.pop().close()


class Exchanges:
    """Requests of one thread, side by side. Polls by itself: pycurl's own select knows no descriptor above 1023."""

    __slots__ = ("_ended", "_idle", "_poll", "_under_way", "_watched")

    def __init__(self, idle: list[Connection]) -> None:
        self._idle, self._poll = idle, select.poll()
        self._watched: dict[int, Connection] = {}
        self._under_way: dict[Connection, Transfer] = {}
        self._ended: dict[Connection, None] = {}

    def begin(self, request: Request, deadline: float, sink: BinaryIO) -> Transfer:
        """Raises CallFailed after the deadline, and ValueError for a request that cannot be sent."""
        transfer = Transfer(request, deadline, sink)
        self._begin(self._take(), transfer)
        return transfer

    def wait(self, deadline: float) -> list[tuple[Transfer, Response]]:
        """The responses that are whole after some activity. Raises CallFailed, also after the deadline."""
        if not self._ended:
            self._run(deadline)
        ended, self._ended = self._ended, {}
        responses = []
        for connection in ended:
            transfer = self._under_way.pop(connection)
            code = connection.code()
            if transfer.may_repeat(connection.handle, code):
                self._end(connection, is_failed=True)
                self._begin(Connection(), transfer)
                continue
            try:
                response = transfer.response(connection.handle, code)
            except BaseException:
                self._end(connection, is_failed=True)
                raise
            self._end(connection, is_failed=code != 0)
            responses.append((transfer, response))
        return responses

    def close(self) -> None:
        for connection in self._under_way:
            self._end(connection, is_failed=True)
        self._under_way.clear()

    def _watch(self, connection: Connection, event: int, descriptor: int) -> None:
        if event == pycurl.POLL_REMOVE:
            self._poll.unregister(descriptor)
            del self._watched[descriptor]
        else:
            self._poll.register(descriptor, _EVENTS[event])
            self._watched[descriptor] = connection

    def _begin(self, connection: Connection, transfer: Transfer) -> None:
        try:
            transfer.configure(connection.handle)
            self._under_way[connection] = transfer
            connection.start(self._watch, transfer)
            self._act(connection, pycurl.SOCKET_TIMEOUT)
        except BaseException:
            if self._under_way.pop(connection, None):
                connection.stop()
            connection.close()
            raise

    def _run(self, deadline: float) -> None:
        wake_at = min([connection.wake_at for connection in self._under_way])
        seconds = min(seconds_left(deadline), wake_at - time.monotonic())
        for descriptor, _ in self._poll.poll(max(0.0, seconds) * 1000):
            # Acting on one descriptor may close another: two addresses of a host are tried side by side.
            if (connection := self._watched.get(descriptor)) is not None:
                self._act(connection, descriptor)
        now = time.monotonic()
        if wake_at <= now:
            for connection in [connection for connection in self._under_way if connection.wake_at <= now]:
                self._act(connection, pycurl.SOCKET_TIMEOUT)

    def _act(self, connection: Connection, descriptor: int) -> None:
        if connection.act(descriptor) or self._under_way[connection].has_changed_protocol():
            self._ended[connection] = None

    def _take(self) -> Connection:
        try:
            while not (connection := self._idle.pop()).is_alive():
                connection.close()
        except IndexError:
            return Connection()
        return connection

    def _end(self, connection: Connection, *, is_failed: bool) -> None:
        if not connection.stop() or is_failed:
            return connection.close()
        self._idle.append(connection)
        # Connections that only a burst needed wait at the bottom.
        with suppress(IndexError):
            while self._idle[0].is_stale():
                self._idle.pop(0).close()
