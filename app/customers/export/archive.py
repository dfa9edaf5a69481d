"""The archive of an export, written while it is sent and outside of any transaction."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
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


class SpooledFile(NamedTuple):
    """A file of the archive: the next ``size`` bytes of the spooled rows."""

    name: str
    size: int


class ObjectFile(NamedTuple):
    """A file of the archive from the storage. ``key`` is None for a file that the database does not know.

    ``sha256`` is empty if none was recorded.
    """

    name: str
    key: Key | None
    size: int
    sha256: str


@dataclass
class ManifestEntry:
    """A file as it was sent: its size in bytes and its hash in hexadecimal. ``fault`` is a code."""

    name: str
    size: int = 0
    sha256: str | None = None
    fault: str | None = None


@dataclass
class Export:
    """``rows`` is closed at the end. The manifest names unreadable files and comes last.

    An archive without a manifest is truncated.
    """

    about: dict[str, Any]
    rows: IO[bytes]
    spooled: list[SpooledFile]
    objects: list[ObjectFile]
    storage: Storage
    seconds: float
    token: str
    manifest: list[ManifestEntry] = field(default_factory=list)

    def stream(self) -> Iterator[bytes]:
        with self.rows:
            yield from stream_zip(self._entries())

    def _entries(self) -> Iterator[ZipEntry]:
        self.rows.seek(0)
        for file in self.spooled:
            yield ZipEntry(file.name, file.size, self._measure(file.name, self._read_rows(file.size)), compressed=True)
        for item in self.objects:
            yield from self._object_entries(item)
        manifest = orjson.dumps(self._manifest_content(), option=JSON_OPTIONS | orjson.OPT_INDENT_2)
        yield ZipEntry(MANIFEST, len(manifest), [manifest], compressed=True)

    def _manifest_content(self) -> dict[str, Any]:
        is_complete = all(entry.fault is None for entry in self.manifest)
        return self.about | {"is_complete": is_complete, "files": [asdict(entry) for entry in self.manifest]}

    def _read_rows(self, left: int) -> Iterator[bytes]:
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
            self._record(ManifestEntry(file.name, fault=error.error_code))
            return
        yield ZipEntry(file.name, content.length, self._measure(file.name, content.chunks(), file.sha256))

    def _measure(self, name: str, chunks: Iterable[bytes], sha256: str = "") -> Iterator[bytes]:
        """Pass the chunks on, and record their size and hash. ``sha256`` is the expected hash, if it is known."""
        entry, digest = ManifestEntry(name), hashlib.sha256()
        try:
            for chunk in chunks:
                digest.update(chunk)
                entry.size += len(chunk)
                yield chunk
        except OSError:
            entry.fault = FILE_UNREADABLE
        entry.sha256 = digest.hexdigest()
        if entry.fault is None and sha256 not in ("", entry.sha256):
            entry.fault = FILE_DAMAGED
        self._record(entry)

    def _record(self, entry: ManifestEntry) -> None:
        if entry.fault is not None:
            log.warning("export_incomplete", fault=entry.fault, customer_id=self.about["customer_id"])
        self.manifest.append(entry)
