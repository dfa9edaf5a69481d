"""Outbound HTTP/1.1 by libcurl: connections are kept, a call has one deadline, the environment has no say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import BinaryIO

from app.clients.http.connection import Connection, Loop
from app.clients.http.message import Request, Response
from app.clients.http.per_process import PerProcess
from app.clients.http.transfer import Transfer


class HttpClient:
    """Keeps the connections of a process; the one used last is used next."""

    def __init__(self) -> None:
        self._idle: PerProcess[list[Connection]] = PerProcess(list)

    def send(self, request: Request, deadline: float, sink: BinaryIO | None = None) -> Response:
        """``deadline`` is on the monotonic clock. Raises CallFailed, and ValueError before anything is sent."""
        exchanges = Exchanges(self._idle.get())
        try:
            exchanges.begin(request, deadline, sink or BytesIO())
            while True:
                for _, response in exchanges.wait(deadline):
                    return response
        finally:
            exchanges.close()

    @contextmanager
    def exchanges(self) -> Iterator[Exchanges]:
        """Calls under way at the end are given up."""
        exchanges = Exchanges(self._idle.get())
        try:
            yield exchanges
        finally:
            exchanges.close()

    def close(self) -> None:
        """Close the idle connections; later calls open new ones."""
        idle = self._idle.get()
        with suppress(IndexError):
            while True:
                idle.pop().close()


class Exchanges:
    """Requests of one thread, side by side."""

    def __init__(self, idle: list[Connection]) -> None:
        self._idle, self._loop = idle, Loop()

    def begin(self, request: Request, deadline: float, sink: BinaryIO) -> Transfer:
        """Raises CallFailed after the deadline, and ValueError for a request that cannot be sent."""
        transfer = Transfer(request, deadline, sink)
        self._begin(self._take(), transfer)
        return transfer

    def wait(self, deadline: float) -> list[tuple[Transfer, Response]]:
        """The responses that are whole after some activity. Raises CallFailed."""
        responses = []
        for connection in self._loop.wait(deadline):
            transfer = self._loop.under_way.pop(connection)
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
        for connection in self._loop.under_way:
            self._end(connection, is_failed=True)
        self._loop.under_way.clear()

    def _begin(self, connection: Connection, transfer: Transfer) -> None:
        try:
            self._loop.begin(connection, transfer)
        except BaseException:
            if self._loop.under_way.pop(connection, None):
                connection.stop()
            connection.close()
            raise

    def _take(self) -> Connection:
        try:
            while not (connection := self._idle.pop()).is_alive():
                connection.close()
        except IndexError:
            return Connection()
        return connection

    def _end(self, connection: Connection, *, is_failed: bool) -> None:
        if connection.stop() and not is_failed:
            self._idle.append(connection)
            self._close_stale()
        else:
            connection.close()

    def _close_stale(self) -> None:
        """The connections that a burst needed and nothing uses since, which wait at the bottom."""
        with suppress(IndexError):
            while self._idle[0].is_stale():
                self._idle.pop(0).close()
