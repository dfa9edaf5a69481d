"""Connections between two calls, and the libcurl that they need."""

import gc
import threading
import time
import weakref
from io import BytesIO
from threading import Event

import psutil
import pycurl
import pytest

from app.clients.http import connection
from app.clients.http.client import HttpClient
from app.clients.http.message import FileBody, Request
from tests.fakes.guardian import FakeGuardian
from tests.support.waiting import wait_for


class Sink(BytesIO):
    """BytesIO itself takes no weak reference."""


def request_of(url: str, body: bytes | FileBody = b"{}", method: str = "POST") -> Request:
    return Request(method, f"{url}/check-access", {"Authorization": "Bearer secret"}, body, 65536)


def soon() -> float:
    return time.monotonic() + 10.0


@pytest.fixture
def engine():  # type: ignore[no-untyped-def]
    with FakeGuardian() as running:
        yield running


def test_an_idle_connection_keeps_no_sink_and_no_body_alive(engine: FakeGuardian) -> None:
    client, sink, file = HttpClient(), Sink(), Sink(b"{}")
    kept = [weakref.ref(sink), weakref.ref(file)]

    client.send(request_of(engine.url, FileBody(file, 2)), soon(), sink)
    del sink, file
    gc.collect()

    assert [reference() for reference in kept] == [None, None]
    client.send(request_of(engine.url), soon())
    assert engine.connections == 1


def test_an_idle_connection_has_forgotten_the_token_and_the_address(engine: FakeGuardian) -> None:
    client = HttpClient()
    client.send(request_of(engine.url), soon())
    [idle] = client._idle.get()

    with pytest.raises(pycurl.error, match="URL"):
        idle.handle.perform()
    idle.handle.setopt(pycurl.URL, engine.url)
    idle.handle.perform()

    assert ["secret" in repr(seen) for seen in engine.seen] == [True, False]


def open_connections(engine: FakeGuardian) -> int:
    """Those of this process to the engine."""
    port = int(engine.url.rpartition(":")[2])
    sockets = psutil.Process().net_connections("tcp")
    return sum(bool(socket.raddr) and socket.raddr.port == port for socket in sockets)


def test_a_request_that_cannot_be_sent_leaves_no_connection_behind(engine: FakeGuardian) -> None:
    client = HttpClient()
    client.send(request_of(engine.url), soon())

    for _ in range(3):
        with pytest.raises(ValueError, match="printable ASCII"):
            client.send(request_of(engine.url, method="PO ST"), soon())

    assert open_connections(engine) == 0


def test_connections_that_only_a_burst_needed_are_closed(engine: FakeGuardian, monkeypatch: pytest.MonkeyPatch) -> None:
    client = HttpClient()
    with client.exchanges() as exchanges:
        waiting = {exchanges.begin(request_of(engine.url), soon(), BytesIO()) for _ in range(5)}
        while waiting:
            waiting -= {transfer for transfer, _ in exchanges.wait(soon())}
    assert open_connections(engine) == 5

    monkeypatch.setattr(connection, "MAX_IDLE_SECONDS", 0.0)
    client.send(request_of(engine.url), soon())

    assert open_connections(engine) <= 1


VERSION = pycurl.version_info()


@pytest.mark.parametrize(
    ("number", "features"),
    [
        (0x080300, VERSION[4]),
        (VERSION[2], VERSION[4] & ~pycurl.VERSION_SSL),
        (VERSION[2], VERSION[4] & ~pycurl.VERSION_ASYNCHDNS),
    ],
    ids=["old", "without TLS", "without asynchronous DNS"],
)
def test_a_libcurl_that_cannot_keep_the_limits_is_refused(number: int, features: int) -> None:
    with pytest.raises(ImportError, match=r"8\.4\.0 is needed"):
        connection.require_libcurl((VERSION[0], "8.3.0", number, VERSION[3], features, *VERSION[5:]))


class Unresolved:
    """Stands for a handle of libcurl whose name is being looked up."""

    def __init__(self) -> None:
        self.gate, self.is_closed = Event(), False

    def close(self) -> None:
        self.is_closed = self.gate.wait(5)


def test_a_connection_that_no_thread_could_be_started_for_is_closed_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reaper, handles = connection.Reaper(), [Unresolved() for _ in range(2)]
    for handle in handles:
        handle.gate.set()
    with monkeypatch.context() as patched:
        patched.setattr(connection.Thread, "start", _refuse_to_start)
        reaper.close(handles[0])

    reaper.close(handles[1])

    wait_for(lambda: all(handle.is_closed for handle in handles))


def _refuse_to_start(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_unresolved_connections_are_closed_by_one_thread_that_ends_with_the_last() -> None:
    reaper, handles = connection.Reaper(), [Unresolved() for _ in range(5)]
    earlier = set(threading.enumerate())

    for handle in handles:
        reaper.close(handle)
    [thread] = set(threading.enumerate()) - earlier
    for handle in handles:
        handle.gate.set()
    thread.join(5)

    assert not thread.is_alive()
    assert all(handle.is_closed for handle in handles)
