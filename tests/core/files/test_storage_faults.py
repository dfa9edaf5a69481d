"""Remote storages that fail, hang or are busy."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from tempfile import SpooledTemporaryFile
from threading import Thread

import pytest
from flask import Flask
from structlog.testing import capture_logs

from app.base.errors import ApiError, BadGateway, GatewayTimeout, Unauthenticated, Unavailable
from app.clients.http.bulkhead import Bulkhead
from app.clients.storage import exchange
from app.clients.storage.interface import Content, Storage, StorageCaller
from app.core.files.download import download
from tests.core.files.storages import caller, key, made, put, read
from tests.fakes.guardian import Behaviour, answer, answers, closes, dribbles, hangs, resets, sends
from tests.fakes.storage import FakeStorage
from tests.support.marks import flaky
from tests.support.moto import BUCKET
from tests.support.rows import by_row

REMOTE = ("s3", "service")
TIMEOUT = 0.5


# Remote ones that fail


def remote(backend: str, url: str) -> Storage:
    if backend == "service":
        return made({"STORAGE_BACKEND": "service", "STORAGE_SERVICE_URL": url})
    return made({"STORAGE_BACKEND": "s3", "S3_ENDPOINT_URL": url, "STORAGE_URL": f"s3://{BUCKET}"})


@pytest.fixture(params=REMOTE)
def failing(request: pytest.FixtureRequest, fake: FakeStorage, s3: str) -> Storage:
    """Speaks to the fake, which does as it is told."""
    return remote(request.param, fake.url)


HTML = answers(200, b"<html>It works!</html>", "text/html")
SLOW = dribbles(answer(200, {"file_id": "x"}), 0.05)
LYING = sends(answer(200, {"file_id": "x"}).replace(b"Content-Length: 1", b"Content-Length: 9"), closes=True)
ENDLESS = sends(b"HTTP/1.1 200 OK\r\n\r\n{}", closes=True)
GARBAGE = sends(b"\x00\xff" * 50, closes=True)
FAULTS: dict[str, tuple[Behaviour, type[ApiError]]] = {
    "hangs": (hangs, GatewayTimeout),
    "trickles": (SLOW, GatewayTimeout),
    "closes": (closes, Unavailable),
    "resets": (resets, Unavailable),
    "garbage": (GARBAGE, BadGateway),
    "cut off": (LYING, BadGateway),
    "no length": (ENDLESS, BadGateway),
    "forbidden": (answers(403, {}), BadGateway),
    "a crash": (answers(500, {}), BadGateway),
    "elsewhere": (answers(302, {}, headers=["Location: http://127.0.0.1:1/"]), BadGateway),
    "full": (answers(507, {}), Unavailable),
    "too large": (answers(413, {}), Unavailable),
    "overloaded": (answers(503, {}), Unavailable),
}


@flaky
@by_row("fault", FAULTS)
def test_a_fault_is_told_within_the_deadline(failing: Storage, fake: FakeStorage, fault: str) -> None:
    fake.behaviour, error = FAULTS[fault]
    timeout = TIMEOUT if error is GatewayTimeout else 30.0
    operations = (
        lambda by: put(failing, key(), by=by),
        lambda by: failing.open(key(), by),
        lambda by: failing.remove(key(), "x", by),
    )

    for operation in operations:
        started = time.monotonic()
        with pytest.raises(ApiError) as found:
            operation(caller(timeout))
        assert time.monotonic() - started < timeout + 0.4
        assert isinstance(found.value, error)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[SpooledTemporaryFile[bytes]]:
    """The files of all replies."""
    files: list[SpooledTemporaryFile[bytes]] = []

    def create(memory: int) -> SpooledTemporaryFile[bytes]:
        files.append(SpooledTemporaryFile(memory))  # noqa: SIM115
        return files[-1]

    monkeypatch.setattr(exchange, "SpooledTemporaryFile", create)
    return files


@by_row("status", [200, 201, 204, 206, 404, 416, 500])
def test_no_reply_keeps_its_file(
    failing: Storage, fake: FakeStorage, received: list[SpooledTemporaryFile[bytes]], status: int
) -> None:
    fake.behaviour = answers(status, b"{}")
    operations = (
        lambda: put(failing, key()),
        lambda: failing.open(key(), caller(), start=1).file.close(),
        lambda: failing.remove(key(), "x", caller()),
        failing.check_health,
    )

    for operation in operations:
        with suppress(ApiError):
            operation()

    assert len(received) >= len(operations)
    assert all(file.closed for file in received)


@by_row("byte_range", [None, (1, 3)])
def test_a_download_that_nobody_reads_closes_its_file(app: Flask, byte_range: tuple[int, int] | None) -> None:
    file = BytesIO(b"12345")
    length = 2 if byte_range else 5

    with app.test_request_context():
        download(Content(file, 5, length), byte_range, size=5, name="a", media_type="text/plain", tag="t").close()

    assert file.closed


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("backend", REMOTE)
def test_a_storage_that_does_not_listen_is_unavailable(backend: str) -> None:
    storage = remote(backend, "http://127.0.0.1:9")

    with pytest.raises(Unavailable):
        put(storage, key())
    with pytest.raises(Unavailable):
        storage.check_health()


@pytest.fixture
def full() -> Iterator[str]:
    """A storage that says why after the first bytes of a request, and hangs up."""

    def refuse() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer(507, {}))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=refuse, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@flaky  # The reset that follows may overtake the answer.
@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("backend", REMOTE)
def test_a_storage_that_reads_no_more_has_the_last_word(backend: str, full: str) -> None:
    """Most of the file is unsent."""
    with capture_logs() as logged, pytest.raises(Unavailable):
        put(remote(backend, full), key(), bytes(8_000_000))

    assert [(line["event"], line.get("status")) for line in logged] == [("storage_refused", 507)]


@by_row(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"file_id": 1}', b'{"file_id": ""}', b'{"file_id": "a\\nb"}', b'{"file_id": null}'],
)
def test_an_upload_that_names_no_file_did_not_succeed(fake: FakeStorage, body: bytes) -> None:
    storage = made({"STORAGE_BACKEND": "service", "STORAGE_SERVICE_URL": fake.url})
    fake.behaviour = answers(201, body)

    with pytest.raises(BadGateway):
        put(storage, key())


def test_html_is_no_file(fake: FakeStorage) -> None:
    storage = made({"STORAGE_BACKEND": "service", "STORAGE_SERVICE_URL": fake.url})
    fake.behaviour = HTML

    for operation in (lambda: storage.open(key(), caller()), lambda: put(storage, key())):
        with pytest.raises(BadGateway):
            operation()


def test_a_store_without_its_bucket_lacks_no_file(s3: str) -> None:
    storage = made({"STORAGE_BACKEND": "s3", "S3_ENDPOINT_URL": s3, "STORAGE_URL": "s3://nowhere"})

    for operation in (
        lambda: storage.open(key(), caller()),
        lambda: put(storage, key()),
        storage.check_health,
        lambda: next(storage.stored()),
    ):
        with pytest.raises((BadGateway, Unavailable)):
            operation()


def test_the_service_is_asked_in_the_callers_name(fake: FakeStorage) -> None:
    storage = made({"STORAGE_BACKEND": "service", "STORAGE_SERVICE_URL": f"{fake.url}/"})
    where = key()
    put(storage, where)

    [seen] = fake.seen
    assert seen.headers["cookie"] == "access_token=a.b.c"
    assert list(fake.objects) == [("users", str(where.bucket_id), where.path)]
    with pytest.raises(Unauthenticated):
        put(storage, where, by=StorageCaller.within(1, "a\r\nb"))
    fake.refused.add("a.b.c")
    with pytest.raises(BadGateway):
        read(storage, where)


# Threads


@flaky
def test_a_hanging_storage_takes_some_threads_and_refuses_the_rest_at_once() -> None:
    gate = Bulkhead(1, 1, 0.2, "Busy.")

    with gate.acquire():
        started = time.monotonic()
        with pytest.raises(Unavailable), gate.acquire():
            pass
        waited = time.monotonic() - started
    with gate.acquire():
        pass

    assert 0.15 < waited < 1.0
    with pytest.raises(Unavailable), Bulkhead(0, 0, 9.0, "Busy.").acquire():
        pass
