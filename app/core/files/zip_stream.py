"""A ZIP that is sent while it is made: neither it nor any file in it is ever held in memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo


class Entry(NamedTuple):
    """A file of the archive. ``size`` is what it is expected to have at most; ``packed`` is for what is text."""

    name: str
    size: int
    chunks: Iterable[bytes]
    packed: bool = False

    def info(self) -> ZipInfo:
        found = ZipInfo(self.name, time.gmtime()[:6])
        found.compress_type = ZIP_DEFLATED if self.packed else ZIP_STORED
        # Tells zipfile, which cannot go back and correct itself, whether four bytes are enough for a size.
        found.file_size = self.size
        found.external_attr = 0o600 << 16
        return found


class _Sent:
    """What zipfile writes to. It cannot be sought in, so zipfile puts sizes behind each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Everything is taken as it comes."""

    def taken(self) -> bytes:
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found


def streamed(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive. Each entry is asked for when those before it have been sent."""
    sent = _Sent()
    with ZipFile(sent, "w") as archive:  # type: ignore[call-overload]
        for entry in entries:
            with archive.open(entry.info(), "w") as part:
                for chunk in entry.chunks:
                    part.write(chunk)
                    yield sent.taken()
            yield sent.taken()
    yield sent.taken()
