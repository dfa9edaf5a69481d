"""The body of a request while it arrives: within its limit, well framed and complete, or an error."""

import io
from typing import Any

from flask import request

from app.base.errors import ApiError, BadRequest

KB, MB = 1024, 1024 * 1024


class PayloadTooLarge(ApiError):
    status, code, message = 413, "PAYLOAD_TOO_LARGE", "The body is larger than this service takes."


class MalformedBody(BadRequest):
    code, message = "MALFORMED_BODY", "The body is shorter than its Content-Length, or a chunk of it is malformed."


class Body(io.RawIOBase):
    """At most ``most_bytes``. Raises PayloadTooLarge, before the first byte if a length is announced."""

    def __init__(self, most_bytes: int) -> None:
        self._stream: Any = request.environ["wsgi.input"]
        self._length = _announced_length()
        self._most, self._received = most_bytes, 0
        self._check_size(self._length or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises MalformedBody and PayloadTooLarge."""
        end = self._most + 1 if self._length is None else self._length
        data = self._receive(min(len(buffer), end - self._received))
        buffer[: len(data)] = data
        return len(data)

    def _receive(self, size: int) -> bytes:
        try:
            data: bytes = self._stream.read(size) if size else b""
        except Exception as error:
            # Each server has its own errors of a malformed chunk (RFC 9112 section 7.1) or a lost connection.
            raise MalformedBody() from error
        if size and not data and self._length is not None:
            raise MalformedBody()  # RFC 9112 section 8
        self._received += len(data)
        self._check_size(self._received)
        return data

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise PayloadTooLarge(f"The body is larger than {in_words(self._most)}.")


def _announced_length() -> int | None:
    """None for a chunked body, whose end the server finds."""
    length = request.content_length if request.environ.get("CONTENT_LENGTH") else None
    return 0 if length is None and "wsgi.input_terminated" not in request.environ else length


def in_words(size: int) -> str:
    """``16 KB``"""
    unit, name = next(((unit, name) for unit, name in ((MB, "MB"), (KB, "KB")) if size % unit == 0), (1, "bytes"))
    return f"{size // unit} {name}"
