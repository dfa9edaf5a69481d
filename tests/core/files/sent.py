"""Pictures that are uploaded, and how they come back."""

import struct
import zlib
from typing import Any

from app.core.files.images import SIGNATURE
from tests.core.files.stored import avatar_of
from tests.support.clients import ApiClient
from tests.support.pictures import picture, png_chunk, upload


def sent(me: ApiClient, data: bytes, **options: Any) -> Any:
    return upload(me, avatar_of(me), data, **options)


def png_of(ihdr: bytes, data: bytes) -> bytes:
    return SIGNATURE + b"".join(png_chunk(*chunk) for chunk in ((b"IHDR", ihdr), (b"IDAT", data), (b"IEND", b"")))


def bomb(width: int, height: int) -> bytes:
    """Some 20 KB that would be gigabytes."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png_of(ihdr, zlib.compress(bytes(20_000_000), 9))


def passes(count: int = 175_000) -> bytes:
    """A progressive JPEG whose last scan stands there again and again: each costs a pass over the picture."""
    data = picture("JPEG", (3600, 3600), progressive=True, subsampling=2)
    start = data.rindex(b"\xff\xda")
    scan = data[start:-2]
    return data[:start] + scan * count + b"\xff\xd9"


def animation(canvas: tuple[int, int], frame: bytes, place: tuple[int, int] = (0, 0)) -> bytes:
    """A WebP of one frame, whose chunk is ``frame`` (RFC 9649, section 2.7)."""

    def numbers(*values: int) -> bytes:
        return b"".join(value.to_bytes(3, "little") for value in values)

    def chunk(name: bytes, content: bytes) -> bytes:
        return name + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)

    header = b"\x12\0\0\0" + numbers(canvas[0] - 1, canvas[1] - 1)
    corner = numbers(place[0] // 2, place[1] // 2, 0, 0, 100) + b"\0"
    parts = (b"VP8X", header), (b"ANIM", bytes(6)), (b"ANMF", corner + frame)
    return chunk(b"RIFF", b"WEBP" + b"".join(chunk(*part) for part in parts))


def form(*parts: tuple[str, bytes], end: bytes = b"--x--\r\n") -> dict[str, Any]:
    """A body written by hand, of headers and contents."""
    body = b"".join(
        f"--x\r\n{head}\r\n\r\n".encode(errors="surrogateescape") + content + b"\r\n" for head, content in parts
    )
    return {"data": body + end, "content_type": "multipart/form-data; boundary=x"}
