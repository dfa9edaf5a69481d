"""Pictures of any kind, and how they are sent."""

from __future__ import annotations

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


def upload(client: ApiClient, path: str, data: bytes, *, name: str = "picture.png", **options: Any) -> TestResponse:
    """``data`` in the one part that the path is named after."""
    field = path.rpartition("/")[2]
    return client.post(path, data={field: (BytesIO(data), name)}, **options)
