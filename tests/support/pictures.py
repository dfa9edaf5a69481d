"""Pictures of any kind, and how they are sent."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image
from werkzeug.test import TestResponse

from tests.support.clients import ApiClient

RED = (204, 51, 51)
"""Of the colours that a GIF keeps, too."""


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    target = BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def picture(form: str = "PNG", size: tuple[int, int] = (40, 30), colour: Any = RED, **options: Any) -> bytes:
    """A small one of one colour."""
    mode = "P" if form == "GIF" else "RGB"
    return encoded(Image.new("RGB", size, colour).convert(mode), form, **options)


def opened(data: bytes) -> Image.Image:
    found = Image.open(BytesIO(data))
    found.load()
    return found


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """PNG specification, section 5.3."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk."""
    start = 8
    while start < len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        content = data[start + 8 : start + 8 + length]
        assert data[start : start + 12 + length] == png_chunk(kind, content)
        yield kind, content
        start += 12 + length


def upload(client: ApiClient, path: str, data: bytes, *, name: str = "picture.png", **options: Any) -> TestResponse:
    """``data`` in the one part that the path is named after."""
    field = path.rpartition("/")[2]
    return client.post(path, data={field: (BytesIO(data), name)}, **options)
