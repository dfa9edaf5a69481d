"""HTTP with a storage: bodies go from file to file, and a whole exchange has one deadline."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

import structlog

from app.base.errors import ApiError, GatewayTimeout
from app.clients.http.bulkhead import Bulkhead
from app.clients.http.origin import Origin, left
from app.clients.http.transport import FAILURES, Wire
from app.clients.storage.interface import CHUNK_BYTES, Missing, refused, unusable

log = structlog.get_logger(__name__)

MOST_BYTES = 64 * 1024 * 1024
"""Of one answer; more than any file that this service takes."""
HEADER_BYTES = 64 * 1024
MEMORY_BYTES = 1024 * 1024
"""Of one answer; what is longer waits on disk."""
PATIENCE_SECONDS = 1.0


class Body(NamedTuple):
    """``size`` bytes of a file, between two pieces of text."""

    file: BinaryIO
    size: int
    before: bytes = b""
    after: bytes = b""

    @property
    def length(self) -> int:
        return len(self.before) + self.size + len(self.after)

    def pieces(self) -> Iterator[bytes]:
        yield self.before
        self.file.seek(0)
        unread = self.size
        while unread and (piece := self.file.read(min(CHUNK_BYTES, unread))):
            unread -= len(piece)
            yield piece
        yield self.after


class Answer(NamedTuple):
    """``file`` stands at its beginning and holds ``size`` bytes."""

    status: int
    headers: Mapping[str, str]
    file: BinaryIO
    size: int


class StorageHttp:
    """A connection per exchange. ``threads`` are those of the process: storage takes half of them at most."""

    def __init__(self, threads: int) -> None:
        at_once = max(1, threads // 3)
        self._bulkhead = Bulkhead(at_once, max(1, threads // 6), PATIENCE_SECONDS, "The storage is busy.")

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], deadline: float, body: Body | bytes = b""
    ) -> Answer:
        """Raises BadGateway, Unavailable and GatewayTimeout unless a whole answer came in time."""
        with self._bulkhead.acquire():
            try:
                return _exchanged(method, url, headers, deadline, body)
            except FAILURES as error:
                raise translated(error) from error


def _exchanged(method: str, url: str, headers: Mapping[str, str], deadline: float, body: Body | bytes) -> Answer:
    parts = urlsplit(url)
    origin = _origin(f"{parts.scheme}://{parts.netloc}")
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    length = len(body) if isinstance(body, bytes) else body.length
    head = _head(method, target, {"Host": origin.authority, **headers}, length)
    with origin.open(deadline) as connection:
        unsent = _sent(connection, head, body, deadline)
        try:
            return _received(connection, method, deadline)
        except FAILURES as error:
            raise unsent or error from error


@lru_cache(maxsize=8)
def _origin(url: str) -> Origin:
    """Making a TLS context costs more than an exchange."""
    return Origin.of(url, None)


def _head(method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
    """Raises ValueError for what would not stay one line."""
    fixed = {"Accept-Encoding": "identity", "Connection": "close", "Content-Length": str(length)}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**headers, **fixed}.items())]
    everything = "".join(lines)
    if " " in target or not everything.isascii() or not everything.isprintable():
        raise ValueError("A request to the storage must be printable ASCII.")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _sent(connection: socket.socket, head: bytes, body: Body | bytes, deadline: float) -> OSError | None:
    """The failure of a storage that does not read to the end: it may have said why."""
    pieces = iter((body,)) if isinstance(body, bytes) else body.pieces()
    try:
        _send(connection, head, deadline)
        for piece in pieces:
            _send(connection, piece, deadline)
    except TimeoutError:
        raise
    except OSError as error:
        return error
    return None


def _send(connection: socket.socket, piece: bytes, deadline: float) -> None:
    connection.settimeout(left(deadline))
    connection.sendall(piece)


def _received(connection: socket.socket, method: str, deadline: float) -> Answer:
    wire = Wire(connection, deadline, MOST_BYTES + HEADER_BYTES)
    with http.client.HTTPResponse(cast(socket.socket, wire), method=method) as response:
        response.begin()
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise http.client.HTTPException("The answer is compressed.")
        if response.length is None and not response.chunked:
            raise http.client.HTTPException("Nothing tells where the answer ends.")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, *_copied(response))


def _copied(response: http.client.HTTPResponse) -> tuple[BinaryIO, int]:
    """A file, and how long it is. Raises HTTPException for an answer that is longer or shorter than it may be."""
    with ExitStack() as stack:
        file = stack.enter_context(SpooledTemporaryFile(MEMORY_BYTES))
        size = 0
        while piece := response.read(CHUNK_BYTES):
            size += len(piece)
            if size > MOST_BYTES:
                raise http.client.HTTPException("The answer is too long.")
            file.write(piece)
        if response.length:
            raise http.client.HTTPException("The answer is cut off.")
        file.seek(0)
        stack.pop_all()
        return cast(BinaryIO, file), size


def translated(error: Exception) -> ApiError:
    log.warning("storage_failed", cause=getattr(error, "strerror", None) or type(error).__name__)
    if isinstance(error, TimeoutError):
        return GatewayTimeout("The storage did not answer in time.")
    return unusable() if isinstance(error, OSError) else refused()


def missing(answer: Answer) -> Missing:
    answer.file.close()
    return Missing()


def failed(answer: Answer) -> ApiError:
    """For an answer of any status that was not hoped for."""
    log.warning("storage_refused", status=answer.status)
    answer.file.close()
    return unusable() if answer.status in (413, 429, 503, 507) else refused()
