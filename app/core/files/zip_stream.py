"""ZIP archives, sent while they are written; memory never holds a whole file."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo


class ZipEntry(NamedTuple):
    """A file of the archive. ``size`` is the most it is expected to have; text should be ``compressed``."""

    name: str
    size: int
    chunks: Iterable[bytes]
    compressed: bool = False

    def info(self) -> ZipInfo:
        info = ZipInfo(self.name, time.gmtime()[:6])
        info.compress_type = ZIP_DEFLATED if self.compressed else ZIP_STORED
        # zipfile decides by this size whether four bytes are enough, and cannot correct itself later.
        info.file_size = self.size
        info.external_attr = 0o600 << 16
        return info


class _Buffer:
    """The file that zipfile writes to. It is not seekable, so zipfile writes sizes behind each file."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        self._chunks.append(bytes(chunk))
        return len(chunk)

    def flush(self) -> None:
        """Nothing: ``drain`` returns all that was written."""

    def drain(self) -> bytes:
        chunks = b"".join(self._chunks)
        self._chunks.clear()
        return chunks


def stream_zip(entries: Iterable[ZipEntry]) -> Iterator[bytes]:
    """The archive in chunks. An entry is read from the iterable after the earlier ones were sent."""
    buffer = _Buffer()
    with ZipFile(buffer, "w") as archive:  # type: ignore[call-overload]
        for entry in entries:
            with archive.open(entry.info(), "w") as file:
                for chunk in entry.chunks:
                    file.write(chunk)
                    yield buffer.drain()
            yield buffer.drain()
    yield buffer.drain()
