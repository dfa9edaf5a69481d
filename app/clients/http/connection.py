"""A kept connection of libcurl, and the version of libcurl that it needs."""

from __future__ import annotations

import math
import select
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any

import pycurl

from app.clients.http.per_process import PerProcess
from app.clients.http.transfer import NO_SOCKET, Transfer

MIN_LIBCURL = 0x080400
"""Since this version MAXFILESIZE also ends a transfer whose length was not declared."""
NEEDED_FEATURES = pycurl.VERSION_SSL | pycurl.VERSION_ASYNCHDNS
MAX_IDLE_SECONDS = 30.0
_OPTIONS: tuple[tuple[int, int | str], ...] = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.PROXY, ""),  # or libcurl takes the environment's
    (pycurl.PATH_AS_IS, 1),
)

_IDLE_OPTIONS: tuple[tuple[int, object], ...] = (
    (pycurl.WRITEFUNCTION, len),
    (pycurl.HEADERFUNCTION, len),
    (pycurl.READFUNCTION, lambda _count: b""),
    (pycurl.PREREQFUNCTION, lambda *_addresses: pycurl.PREREQFUNC_OK),
    (pycurl.HTTPHEADER, ["Accept:"]),  # pycurl ignores an empty list
    (pycurl.POSTFIELDS, b""),
    (pycurl.URL, ""),
)
"""An idle connection keeps no file, body or token alive."""


def require_libcurl(version_info: tuple[Any, ...]) -> None:
    """Raises ImportError unless libcurl bounds a body of unknown length, knows TLS and looks names up in time."""
    _, version, number, _, features, *_ = version_info
    if number < MIN_LIBCURL or features & NEEDED_FEATURES != NEEDED_FEATURES:
        raise ImportError(f"libcurl {version} is too old, or lacks TLS or asynchronous DNS; 8.4.0 is needed.")


require_libcurl(pycurl.version_info())


class Reaper:
    """Closes connections one after the other, on a thread that ends with the last of them."""

    def __init__(self) -> None:
        self._queue: deque[pycurl.CurlMulti] = deque()
        self._lock, self._is_running = Lock(), False

    def close(self, multi: pycurl.CurlMulti) -> None:
        with self._lock:
            self._queue.append(multi)
            if not self._is_running:
                with suppress(RuntimeError):  # The process has too many threads: the next call tries again.
                    Thread(target=self._run, name="reaper of connections", daemon=True).start()
                    self._is_running = True

    def _run(self) -> None:
        while True:
            with suppress(Exception):
                self._queue[0].close()
            with self._lock:
                self._queue.popleft()
                if not self._queue:
                    self._is_running = False
                    return


_reaper = PerProcess(Reaper)
Watch = Callable[["Connection", int, int], None]
"""Learns which descriptor of a connection is waited for, and the event."""


class Connection:
    """To one peer at a time, for one transfer after another."""

    def __init__(self) -> None:
        self.handle, self._multi = pycurl.Curl(), pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        for option, value in (*_OPTIONS, *_trusted_certificates()):
            self.handle.setopt(option, value)
        self._report: Watch | None = None
        self._socket, self._idle_since = NO_SOCKET, 0.0
        self._is_secure, self._is_resolved = False, True
        self.wake_at = math.inf

    def start(self, watch: Watch, transfer: Transfer) -> None:
        self._report, self._is_secure = watch, transfer.request.url.lower().startswith("https:")
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
        """Whether the connection can be kept: it is open, and no byte of a response is left in a record of TLS."""
        self._socket = self.handle.getinfo(pycurl.ACTIVESOCKET)
        self._is_resolved = self._socket != NO_SOCKET or self.handle.getinfo(pycurl.NAMELOOKUP_TIME) > 0
        is_clean = self._socket != NO_SOCKET and (not self._is_secure or self._has_no_input())
        self._multi.remove_handle(self.handle)
        for option, value in _IDLE_OPTIONS:
            self.handle.setopt(option, value)
        self._report, self._idle_since = None, time.monotonic()
        return is_clean

    def is_stale(self) -> bool:
        return time.monotonic() - self._idle_since > MAX_IDLE_SECONDS

    def is_alive(self) -> bool:
        """A peer that closed, or speaks unasked, makes it readable. libcurl itself looks once a second only."""
        if self.is_stale():
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """libcurl waits for a name that is being looked up; the reaper waits in its place."""
        if self._is_resolved:
            self._multi.close()
        else:
            _reaper.get().close(self._multi)

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
        if self._report is not None:
            self._report(self, event, descriptor)

    def _set_timer(self, milliseconds: int) -> None:
        self.wake_at = math.inf if milliseconds < 0 else time.monotonic() + milliseconds / 1000


def _trusted_certificates() -> list[tuple[int, str]]:
    """Certificates of this machine, as Python finds them: the wheel's libcurl looks where its builder had them."""
    paths = ssl.get_default_verify_paths()
    return [(option, path) for option, path in ((pycurl.CAINFO, paths.cafile), (pycurl.CAPATH, paths.capath)) if path]
