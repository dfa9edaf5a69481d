"""A kept connection, and the loop that drives the connections of a thread."""

from __future__ import annotations

import math
import select
import ssl
import time
from collections.abc import Iterable
from threading import Thread

import pycurl

from app.clients.http.transfer import NO_SOCKET, Transfer, seconds_left

MAX_IDLE_SECONDS = 30.0
_OPTIONS: tuple[tuple[int, int | str], ...] = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.PROXY, ""),  # or libcurl takes the environment's
    (pycurl.PATH_AS_IS, 1),
)
_EVENTS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


class Loop:
    """Drives the connections of one thread. Polls by itself: pycurl's own select knows no descriptor above 1023."""

    __slots__ = ("_ended", "_poll", "_watched", "under_way")

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, Connection] = {}
        self._ended: dict[Connection, None] = {}
        self.under_way: dict[Connection, Transfer] = {}

    def begin(self, connection: Connection, transfer: Transfer) -> None:
        """Raises CallFailed after the deadline, and ValueError for a request that cannot be sent."""
        transfer.configure(connection.handle)
        self.under_way[connection] = transfer
        connection.start(self, transfer)
        self._act(connection, pycurl.SOCKET_TIMEOUT)

    def wait(self, deadline: float) -> Iterable[Connection]:
        """The connections whose transfer has ended, after some activity. Raises CallFailed after the deadline."""
        if not self._ended:
            self._run(deadline)
        ended, self._ended = self._ended, {}
        return ended

    def watch(self, connection: Connection, event: int, descriptor: int) -> None:
        if event == pycurl.POLL_REMOVE:
            self._poll.unregister(descriptor)
            del self._watched[descriptor]
        else:
            self._poll.register(descriptor, _EVENTS[event])
            self._watched[descriptor] = connection

    def _run(self, deadline: float) -> None:
        wake_at = min([connection.wake_at for connection in self.under_way])
        seconds = min(seconds_left(deadline), wake_at - time.monotonic())
        for descriptor, _ in self._poll.poll(max(0.0, seconds) * 1000):
            # Acting on one descriptor may close another: two addresses of a host are tried side by side.
            if (connection := self._watched.get(descriptor)) is not None:
                self._act(connection, descriptor)
        now = time.monotonic()
        if wake_at <= now:
            for connection in [connection for connection in self.under_way if connection.wake_at <= now]:
                self._act(connection, pycurl.SOCKET_TIMEOUT)

    def _act(self, connection: Connection, descriptor: int) -> None:
        if connection.act(descriptor) or self.under_way[connection].has_changed_protocol():
            self._ended[connection] = None


class Connection:
    """To one peer at a time, for one transfer after another."""

    def __init__(self) -> None:
        self.handle, self._multi = pycurl.Curl(), pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        for option, value in (*_OPTIONS, *_trusted_certificates()):
            self.handle.setopt(option, value)
        self._loop: Loop | None = None
        self._socket, self._idle_since = NO_SOCKET, 0.0
        self._is_secure, self._is_resolved = False, True
        self.wake_at = math.inf

    def start(self, loop: Loop, transfer: Transfer) -> None:
        self._loop, self._is_secure = loop, transfer.request.url.startswith("https:")
        self._multi.add_handle(self.handle)

    def act(self, descriptor: int) -> bool:
        """Whether the transfer has ended."""
        if descriptor == pycurl.SOCKET_TIMEOUT:
            self.wake_at = math.inf  # libcurl sets its timer again if it wants to
        _, running = self._multi.socket_action(descriptor, 0)
        return not running

    def code(self) -> int:
        """Result of the transfer that has ended: libcurl's error, or 0."""
        _, _, failures = self._multi.info_read()
        return int(failures[0][1]) if failures else 0

    def stop(self) -> bool:
        """Whether the connection can serve another transfer: it is open, and TLS holds no byte of a response back.

        Bytes in a record that was read in part show nowhere else.
        """
        self._socket = self.handle.getinfo(pycurl.ACTIVESOCKET)
        self._is_resolved = self._socket != NO_SOCKET or self.handle.getinfo(pycurl.NAMELOOKUP_TIME) > 0
        is_clean = self._socket != NO_SOCKET and (not self._is_secure or self._has_no_input())
        self._multi.remove_handle(self.handle)
        self._forget_transfer()
        self._loop, self._idle_since = None, time.monotonic()
        return is_clean

    def _forget_transfer(self) -> None:
        """An idle connection keeps no file, body or token alive."""
        for option, value in _IDLE_OPTIONS:
            self.handle.setopt(option, value)

    def is_stale(self) -> bool:
        return time.monotonic() - self._idle_since > MAX_IDLE_SECONDS

    def is_alive(self) -> bool:
        """A peer that closed, or speaks unasked, makes it readable; one that a firewall forgot shows nothing.

        libcurl looks at a connection once a second only.
        """
        if self.is_stale():
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """libcurl waits for a name that is being looked up; a thread is left behind to do so."""
        if self._is_resolved:
            self._multi.close()
        else:
            Thread(target=self._multi.close, daemon=True).start()

    def _has_no_input(self) -> bool:
        self.handle.setopt(pycurl.CONNECT_ONLY, 1)  # or it may not be read from
        try:
            self.handle.recv(1)
        except BlockingIOError:
            return True
        except pycurl.error:
            return False
        finally:
            self.handle.setopt(pycurl.CONNECT_ONLY, 0)  # or its removal ends it
        return False

    def _watch(self, event: int, descriptor: int, _multi: object, _data: object) -> None:
        if self._loop is not None:
            self._loop.watch(self, event, descriptor)

    def _set_timer(self, milliseconds: int) -> None:
        self.wake_at = math.inf if milliseconds < 0 else time.monotonic() + milliseconds / 1000


def _trusted_certificates() -> list[tuple[int, str]]:
    """Certificates of this machine, as Python finds them: the wheel's libcurl looks where its builder had them."""
    paths = ssl.get_default_verify_paths()
    return [(option, path) for option, path in ((pycurl.CAINFO, paths.cafile), (pycurl.CAPATH, paths.capath)) if path]


def _read_nothing(_count: int) -> bytes:
    return b""


def _allow(*_addresses: object) -> int:
    return int(pycurl.PREREQFUNC_OK)


_IDLE_OPTIONS: tuple[tuple[int, object], ...] = (
    (pycurl.WRITEFUNCTION, len),
    (pycurl.HEADERFUNCTION, len),
    (pycurl.READFUNCTION, _read_nothing),
    (pycurl.PREREQFUNCTION, _allow),
    (pycurl.HTTPHEADER, []),
    (pycurl.POSTFIELDS, b""),
)
