"""One kept connection each, and the loop that drives those of a thread."""

from __future__ import annotations

import math
import select
import ssl
import time
from threading import Thread

import pycurl

from app.clients.http.transfer import NO_SOCKET, Transfer, seconds_left

MAX_IDLE_SECONDS = 30.0
_EVENTS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


class Loop:
    """Polls by itself: pycurl's own select knows no descriptor above 1023."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, Connection] = {}
        self.under_way: dict[Connection, Transfer] = {}

    def begin(self, connection: Connection, transfer: Transfer) -> None:
        """Raises CallFailed after the deadline, and ValueError for a request that cannot be sent."""
        transfer.configure(connection.handle)
        self.under_way[connection] = transfer
        connection.start(self)

    def wait(self, deadline: float) -> list[Connection]:
        """The connections whose transfer has ended, after some activity. Raises CallFailed after the deadline."""
        if not any(connection.has_ended for connection in self.under_way):
            self._run(deadline)
        return [connection for connection in self.under_way if connection.has_ended]

    def _run(self, deadline: float) -> None:
        patience = min(connection.wake_at for connection in self.under_way) - time.monotonic()
        ready = self._poll.poll(max(0.0, min(seconds_left(deadline), patience)) * 1000)
        for descriptor, _ in ready:
            self._watched[descriptor].act(descriptor)
        now = time.monotonic()
        for connection in self.under_way:
            if connection.wake_at <= now:
                connection.act(pycurl.SOCKET_TIMEOUT)

    def watch(self, connection: Connection, event: int, descriptor: int) -> None:
        if event == pycurl.POLL_REMOVE:
            self._poll.unregister(descriptor)
            del self._watched[descriptor]
        else:
            self._poll.register(descriptor, _EVENTS[event])
            self._watched[descriptor] = connection


class Connection:
    """To one peer at a time, for one transfer after another."""

    def __init__(self) -> None:
        self.handle, self._multi = pycurl.Curl(), pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        self._loop: Loop | None = None
        self._socket, self._idle_since, self._is_resolved = NO_SOCKET, 0.0, True
        self._trust = _trusted_certificates()
        self.wake_at = math.inf
        self.has_ended = False

    def start(self, loop: Loop) -> None:
        self._loop, self.has_ended = loop, False
        for option, path in self._trust:
            self.handle.setopt(option, path)
        self._multi.add_handle(self.handle)
        self.act(pycurl.SOCKET_TIMEOUT)

    def act(self, descriptor: int) -> None:
        if descriptor == pycurl.SOCKET_TIMEOUT:
            self.wake_at = math.inf  # libcurl sets its timer again if it wants to
        _, running = self._multi.socket_action(descriptor, 0)
        self.has_ended = not running

    def code(self) -> int:
        """How the transfer that has ended ended: libcurl's error, or 0."""
        _, _, failures = self._multi.info_read()
        return int(failures[0][1]) if failures else 0

    def stop(self) -> bool:
        """Whether the connection can serve another transfer: it is open, and nothing is left of a response.

        libcurl asks neither at the next transfer, if that is within a second. Bytes in a TLS record that was read
        in part would show nowhere else.
        """
        self._socket = self.handle.getinfo(pycurl.ACTIVESOCKET)
        self._is_resolved = self.handle.getinfo(pycurl.NAMELOOKUP_TIME) > 0
        is_clean = self._socket != NO_SOCKET and self._has_no_input()
        self._multi.remove_handle(self.handle)
        self.handle.reset()
        self._loop, self._idle_since = None, time.monotonic()
        return is_clean

    def is_alive(self) -> bool:
        """A peer that closed, or speaks unasked, makes it readable; one that a firewall forgot shows nothing."""
        if time.monotonic() - self._idle_since > MAX_IDLE_SECONDS:
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
    """Those of this machine, as Python finds them: the wheel's libcurl looks where its builder had them."""
    paths = ssl.get_default_verify_paths()
    return [(option, path) for option, path in ((pycurl.CAINFO, paths.cafile), (pycurl.CAPATH, paths.capath)) if path]
