"""Large PNGs, a strip at a time.

PNG has no reduced decoding as JPEG does, and 40 megapixels in Pillow are 160 MB. So a large one is cut into
PNGs of some rows each, every one beginning with the last row of the one before: what its filters refer to.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO, NamedTuple

from PIL import Image

NATIVE_BYTES = 32 * 1024 * 1024
"""What is smaller in memory is left to Pillow."""


class Damaged(Exception):
    """The file is not what its header promises."""


class Header(NamedTuple):
    """IHDR (PNG specification, section 11.2.1)."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlace: int

    @property
    def samples(self) -> int:
        return {0: 1, 2: 3, 4: 2, 6: 4}[self.colour]


SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_long(image: Image.Image) -> bool:
    """A PNG that is better not held whole, and can be cut: neither interlaced, nor of a byte a pixel anyway."""
    if image.format != "PNG" or 4 * image.width * image.height <= NATIVE_BYTES or image.info.get("interlace"):
        return False
    return image.mode not in ("1", "L", "P")


def strips_of(source: IO[bytes], most_rows: int) -> tuple[bool, Iterator[Image.Image]]:
    """Whether there is transparency, and strips of so many rows. Raises Damaged, also on the way."""
    source.seek(len(SIGNATURE))
    chunks = chunks_of(source)
    header = Header(*struct.unpack(">IIBBBBB", next(chunks)[1]))
    before = b""
    for kind, content in chunks:
        if kind == b"tRNS" and header.depth == 8:
            before += chunk(kind, content)
        if kind == b"IDAT":
            return bool(before) or header.colour in (4, 6), _strips(header, before, _data(content, chunks), most_rows)
    raise Damaged


def _strips(header: Header, before: bytes, data: Iterator[bytes], most_rows: int) -> Iterator[Image.Image]:
    width, samples = header.width, header.samples
    rows = Rows(data, 1 + width * samples * header.depth // 8)
    last = bytes(width * samples)
    for top in range(0, header.height, most_rows):
        height = min(most_rows, header.height - top)
        filtered = rows.taken(height)
        if header.depth == 16:
            filtered = _without_low_bytes(filtered, height)
        strip = Image.open(BytesIO(_small_png(header, height + 1, before, b"\x00" + last + filtered)), formats=("PNG",))
        strip.load()
        last = strip.crop((0, height, width, height + 1)).tobytes()
        yield strip.crop((0, 1, width, height + 1))


def _without_low_bytes(filtered: bytes, height: int) -> bytes:
    """Filters work on each byte of a sample by itself, so the high bytes are a picture of 8 bits."""
    length = len(filtered) // height
    return b"".join(
        filtered[start : start + 1] + filtered[start + 1 : start + length : 2]
        for start in range(0, len(filtered), length)
    )


def _small_png(header: Header, height: int, before: bytes, filtered: bytes) -> bytes:
    ihdr = struct.pack(">IIBBBBB", header.width, height, 8, header.colour, 0, 0, 0)
    data = zlib.compress(filtered, 0)
    return SIGNATURE + chunk(b"IHDR", ihdr) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def chunks_of(source: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each. Raises Damaged."""
    while len(head := source.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        content, checked = source.read(length), source.read(4)
        if len(checked) < 4 or struct.unpack(">I", checked)[0] != zlib.crc32(kind + content):
            raise Damaged
        yield kind, content


def _data(first: bytes, chunks: Iterator[tuple[bytes, bytes]]) -> Iterator[bytes]:
    yield first
    for kind, content in chunks:
        if kind != b"IDAT":
            return
        yield content


class Rows:
    """Filtered rows out of a compressed stream, some at a time."""

    def __init__(self, data: Iterator[bytes], row_bytes: int) -> None:
        self._data, self._row_bytes = data, row_bytes
        self._inflate = zlib.decompressobj()

    def taken(self, count: int) -> bytes:
        """Raises Damaged where the stream ends before."""
        found, wanted = bytearray(), count * self._row_bytes
        while len(found) < wanted:
            packed = self._inflate.unconsumed_tail or next(self._data, b"")
            if not packed:
                raise Damaged
            found += self._inflate.decompress(packed, wanted - len(found))
        return bytes(found)
