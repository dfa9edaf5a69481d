"""The archive of an export, written while it is sent and outside of any transaction."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

import orjson
import structlog

from app.base.errors import ApiError
from app.clients.storage.interface import CHUNK_BYTES, Key, Missing, Storage, StorageCaller
from app.core.files.zip_stream import ZipEntry, stream_zip
from app.core.web.body import JSON_OPTIONS

log = structlog.get_logger(__name__)

MANIFEST = "manifest.json"
FILE_DAMAGED, FILE_UNREADABLE = "FILE_DAMAGED", "FILE_UNREADABLE"


class ObjectFile(NamedTuple):
    """A file from the storage. ``key`` is None if no row knows it, ``sha256`` empty if none was recorded."""

    name: str
    key: Key | None
    size: int
    sha256: str


@dataclass
class Export:
    """``spooled``: the sizes of the files in ``rows``. The manifest names unreadable files, and comes last."""

    about: dict[str, Any]
    rows: IO[bytes]
    spooled: dict[str, int]
    objects: list[ObjectFile]
    storage: Storage
    seconds: float
    token: str
    manifest: list[dict[str, Any]] = field(default_factory=list)

    def stream(self) -> Iterator[bytes]:
        with self.rows:
            yield from stream_zip(self._entries())

    def _entries(self) -> Iterator[ZipEntry]:
        start = 0
        for name, size in self.spooled.items():
            yield ZipEntry(name, size, self._measure(name, self._read_rows(start, size)), compressed=True)
            start += size
        for item in self.objects:
            yield from self._object_entries(item)
        manifest = orjson.dumps(self._manifest_content(), option=JSON_OPTIONS | orjson.OPT_INDENT_2)
        yield ZipEntry(MANIFEST, len(manifest), [manifest], compressed=True)

    def _manifest_content(self) -> dict[str, Any]:
        is_complete = all(file["fault"] is None for file in self.manifest)
        return self.about | {"is_complete": is_complete, "files": self.manifest}

    def _read_rows(self, start: int, left: int) -> Iterator[bytes]:
        self.rows.seek(start)
        while left and (chunk := self.rows.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk

    def _object_entries(self, file: ObjectFile) -> Iterator[ZipEntry]:
        """No entry for a missing file; the readable beginning of a damaged one."""
        try:
            if file.key is None:
                raise Missing()
            content = self.storage.open(file.key, StorageCaller.within(self.seconds, self.token))
        except ApiError as error:
            self._record(file.name, fault=error.error_code)
            return
        with content.file:
            yield ZipEntry(file.name, content.length, self._measure(file.name, content.chunks(), file.sha256))

    def _measure(self, name: str, chunks: Iterable[bytes], sha256: str = "") -> Iterator[bytes]:
        """Pass the chunks on, and record their size and hash. ``sha256`` is the expected hash, if it is known."""
        size, digest, fault = 0, hashlib.sha256(), None
        try:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk
        except OSError:
            fault = FILE_UNREADABLE
        if fault is None and sha256 not in ("", digest.hexdigest()):
            fault = FILE_DAMAGED
        self._record(name, size, digest.hexdigest(), fault)

    def _record(self, name: str, size: int = 0, sha256: str | None = None, fault: str | None = None) -> None:
        """Note a file as it was sent: its size in bytes, its hash in hexadecimal, and the code of a fault."""
        if fault is not None:
            log.warning("export_incomplete", fault=fault, customer_id=self.about["customer_id"])
        self.manifest.append({"name": name, "size": size, "sha256": sha256, "fault": fault})
