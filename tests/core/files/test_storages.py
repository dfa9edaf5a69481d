"""What every storage promises, each against the real thing, and what a bad one does to a call."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Thread

import pytest
from flask import Flask
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from app.base.errors import ApiError, BadGateway, GatewayTimeout, Unauthenticated, Unavailable
from app.clients.http.bulkhead import Bulkhead
from app.clients.storage import exchange
from app.clients.storage.factory import storage_of
from app.clients.storage.interface import Content, Key, Missing, NoStorage, Storage, StorageCaller, Unlistable
from app.clients.storage.local import LocalStorage
from app.config.environment import load_settings
from app.core.files.download import download
from tests.core.files.conftest import BACKENDS, Environ
from tests.fakes.guardian import Behaviour, answer, answers, closes, dribbles, hangs, resets, sends
from tests.fakes.storage import FakeStorage
from tests.support.databases import SECRET
from tests.support.marks import flaky
from tests.support.moto import BUCKET
from tests.support.rows import by_row

CONTENT = bytes(range(256)) * 1000
REMOTE = ("s3", "service")
TIMEOUT = 0.5


def made(environ: Environ) -> Storage:
    return storage_of(load_settings({"FLASK_ENV": "testing", "JWT_SECRET": SECRET, **environ}))


@pytest.fixture(params=BACKENDS)
def storage(request: pytest.FixtureRequest, environ_of: Callable[[str], Environ]) -> Storage:
    return made(environ_of(request.param))


def key(path: str = "x/avatar.png") -> Key:
    return Key(uuid7(), "users", uuid7(), path)


def caller(seconds: float = 5.0) -> StorageCaller:
    return StorageCaller.within(seconds, "a.b.c")


def put(storage: Storage, where: Key, content: bytes = CONTENT, by: StorageCaller | None = None) -> str:
    return storage.put(where, BytesIO(content), len(content), "image/png", by or caller())


def read(storage: Storage, where: Key, **part: int) -> bytes:
    return b"".join(storage.open(where, caller(), **part).chunks())


# Every storage


def test_what_was_put_is_read_and_gone_after_its_removal(storage: Storage) -> None:
    where = key()
    reference = put(storage, where)

    content = storage.open(where, caller())
    assert (content.size, content.length, b"".join(content.chunks())) == (len(CONTENT), len(CONTENT), CONTENT)

    storage.remove(where, reference, caller())
    with pytest.raises(Missing):
        storage.open(where, caller())
    storage.remove(where, reference, caller())


@by_row(("start", "end"), [(0, 10), (5, None), (255_990, 300_000), (10, 10), (300_000, None)])
def test_a_part_can_be_read(storage: Storage, start: int, end: int | None) -> None:
    where = key()
    put(storage, where)

    content = storage.open(where, caller(), start=start, end=end)

    assert (content.size, b"".join(content.chunks())) == (len(CONTENT), CONTENT[start:end])


def test_what_is_put_again_takes_the_place_of_the_earlier(storage: Storage) -> None:
    where = key()
    put(storage, where)
    put(storage, where, b"another")

    assert read(storage, where) == b"another"


def test_an_empty_file_and_a_large_one_are_kept(storage: Storage) -> None:
    for content in (b"", bytes(5_000_000)):
        where = key()
        put(storage, where, content)
        assert read(storage, where) == content


def test_companies_and_owners_are_apart(storage: Storage) -> None:
    where = key()
    put(storage, where)

    for other in (where._replace(bucket_id=uuid7()), where._replace(bucket_type="customers")):
        with pytest.raises(Missing):
            storage.open(other, caller())


def test_what_is_stored_can_be_listed_or_the_storage_says_that_it_cannot(storage: Storage) -> None:
    keys = {key(f"{n}/logo.png") for n in range(3)}
    for each in keys:
        put(storage, each, b"12345")

    if storage.name == "service":
        with pytest.raises(Unlistable):
            next(storage.stored())
        return
    found = list(storage.stored())
    assert {each.key for each in found} == keys
    assert {each.size for each in found} == {5}
    assert all(abs(each.modified.timestamp() - time.time()) < 60 for each in found)


def test_a_working_storage_is_healthy(storage: Storage) -> None:
    storage.check_health()


def test_no_storage_refuses_everything() -> None:
    for operation in (lambda: put(NoStorage(), key()), lambda: NoStorage().open(key(), caller())):
        with pytest.raises(Unavailable, match="keeps no files"):
            operation()


# The local one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


def test_files_are_nobodys_but_the_services_and_folders_go_with_the_last_one(folder: Path) -> None:
    storage, where = LocalStorage(str(folder)), key()
    put(storage, where)
    path = folder / str(where)

    assert path.read_bytes() == CONTENT
    assert path.parent.stat().st_mode & 0o077 == 0
    storage.remove(where, "", caller())
    assert list(folder.iterdir()) == []


def test_a_file_that_could_not_be_written_leaves_nothing(folder: Path) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(Unavailable):
        LocalStorage(str(folder)).put(key(), Broken(), 10, "image/png", caller())

    assert [each for each in folder.rglob("*") if each.is_file()] == []


def test_a_folder_that_cannot_be_used_is_unavailable_and_not_healthy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = LocalStorage(str(tmp_path / "file" / "storage"))

    for operation in (storage.check_health, lambda: put(storage, key())):
        with pytest.raises(Unavailable):
            operation()


def test_documents_may_have_a_folder_of_their_own(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path / "a"), str(tmp_path / "b"))
    document, other = key("documents/1"), key("1/logo.png")
    for each in (document, other):
        put(storage, each)

    assert (tmp_path / "b" / str(document)).exists()
    assert (tmp_path / "a" / str(other)).exists()
    assert {each.key for each in storage.stored()} == {document, other}


ID = "01a1f8a1-3551-7665-9e8b-67c4fa6e8107"


@by_row("text", ["", "a/users/b/c", f"{ID}/users/{ID}", f"{ID}/Else/{ID}/x", f"{ID.upper()}/users/{ID}/x", "../x"])
def test_names_that_are_none_of_ours_are_no_keys(text: str) -> None:
    assert Key.parse(text) is None


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
    operations = (
        lambda by: put(failing, key(), by=by),
        lambda by: failing.open(key(), by),
        lambda by: failing.remove(key(), "x", by),
    )

    for operation in operations:
        started = time.monotonic()
        with pytest.raises(ApiError) as found:
            operation(caller(TIMEOUT))
        assert time.monotonic() - started < TIMEOUT + 0.4
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
