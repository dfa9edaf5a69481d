"""The archive of an export: made while it is sent, when no transaction is open any more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import IO, Any, NamedTuple
from uuid import UUID

import orjson
import structlog

from app.base.errors import ApiError
from app.clients.storage.interface import CHUNK_BYTES, Caller, Key, Missing, Storage
from app.core.files.zip_stream import ZipEntry, stream_zip
from app.core.web.body import JSON_OPTIONS

log = structlog.get_logger(__name__)

MANIFEST = "manifest.json"
DAMAGED, UNREADABLE = "FILE_DAMAGED", "FILE_UNREADABLE"


class Piece(NamedTuple):
    """A file of the archive that is here already: ``size`` bytes of the spooled rows from ``start`` on."""

    name: str
    start: int
    size: int


class StoredPiece(NamedTuple):
    """A file of the archive that is in storage, unless the database knows no ``key`` of it.

    ``sha256`` is empty where nobody has recorded it.
    """

    name: str
    key: Key | None
    size: int
    sha256: str


@dataclass
class Line:
    """What the manifest says of a file: of what was sent, in bytes and hexadecimal. ``fault`` is a code."""

    name: str
    size: int = 0
    sha256: str | None = None
    fault: str | None = None


@dataclass
class Export:
    """``rows`` is closed at the end. Whatever cannot be read is named in the manifest, which comes last: an archive
    without one was broken off."""

    about: dict[str, Any]
    rows: IO[bytes]
    pieces: list[Piece]
    stored: list[StoredPiece]
    storage: Storage
    seconds: float
    token: str
    lines: list[Line] = field(default_factory=list)

    def sent(self) -> Iterator[bytes]:
        with self.rows:
            yield from stream_zip(self._entries())

    def _entries(self) -> Iterator[ZipEntry]:
        for piece in self.pieces:
            yield ZipEntry(piece.name, piece.size, self._measured(piece.name, self._spooled(piece)), compressed=True)
        for each in self.stored:
            yield from self._from_storage(each)
        manifest = orjson.dumps(self._manifest(), option=JSON_OPTIONS | orjson.OPT_INDENT_2)
        yield ZipEntry(MANIFEST, len(manifest), [manifest], compressed=True)

    def _manifest(self) -> dict[str, Any]:
        is_complete = all(line.fault is None for line in self.lines)
        return self.about | {"is_complete": is_complete, "files": [asdict(line) for line in self.lines]}

    def _spooled(self, piece: Piece) -> Iterator[bytes]:
        self.rows.seek(piece.start)
        left = piece.size
        while left and (chunk := self.rows.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk

    def _from_storage(self, piece: StoredPiece) -> Iterator[ZipEntry]:
        """Nothing for a file that is not there; what can be read of any other."""
        try:
            if piece.key is None:
                raise Missing()
            content = self.storage.open(piece.key, Caller.within(self.seconds, self.token))
        except ApiError as error:
            self._note(Line(piece.name, fault=error.error_code))
            return
        yield ZipEntry(piece.name, content.length, self._measured(piece.name, content.chunks()))
        line = self.lines[-1]
        if line.fault is None and piece.sha256 not in ("", line.sha256):
            self._note(self.lines.pop(), DAMAGED)

    def _measured(self, name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        line, digest = Line(name), hashlib.sha256()
        try:
            for chunk in chunks:
                digest.update(chunk)
                line.size += len(chunk)
                yield chunk
        except OSError:
            line.fault = UNREADABLE
        line.sha256 = digest.hexdigest()
        self._note(line, line.fault)

    def _note(self, line: Line, fault: str | None = None) -> None:
        line.fault = fault or line.fault
        if line.fault is not None:
            log.warning("export_incomplete", fault=line.fault, **self._whose())
        self.lines.append(line)

    def _whose(self) -> dict[str, UUID]:
        return {"customer_id": self.about["customer_id"]}
