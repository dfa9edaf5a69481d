"""Requests that cannot hold another line, and responses with their headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, NamedTuple

# An empty value here suppresses a header that libcurl adds by itself.
DEFAULTS = {"Accept": "", "Accept-Encoding": " identity", "Content-Type": "", "Expect": "", "User-Agent": ""}


@dataclass(frozen=True, slots=True)
class FileBody:
    """``size`` bytes from the beginning of a file, between two pieces of text."""

    file: BinaryIO
    size: int
    before: bytes = b""
    after: bytes = b""

    def __len__(self) -> int:
        return len(self.before) + self.size + len(self.after)

    def reader(self) -> Callable[[int], bytes]:
        """Reads the body from its beginning. Ends early where the file does."""
        self.file.seek(0)
        before, after, unread = BytesIO(self.before), BytesIO(self.after), self.size

        def read(count: int) -> bytes:
            nonlocal unread
            if chunk := before.read(count):
                return chunk
            if unread:
                chunk = self.file.read(min(count, unread))
                unread -= len(chunk)
                return chunk
            return after.read(count)

        return read


class Request(NamedTuple):
    """``max_bytes`` bounds the body of the response."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | FileBody
    max_bytes: int

    def lines(self) -> list[str]:
        """The headers as libcurl takes them. Raises ValueError for what would not stay one line."""
        stated = [f"{name}: {value}" for name, value in self.headers.items()]
        text = "".join((self.method, self.url, *stated))
        if " " in self.method or " " in self.url or not text.isascii() or not text.isprintable():
            raise ValueError("A request must be printable ASCII, without spaces in its method and URL.")
        return [*stated, *(f"{name}:{value}" for name, value in DEFAULTS.items() if name not in self.headers)]


class Response(NamedTuple):
    """``body`` stands at its end. ``is_cut``: the rest was dropped. Values of one header are joined by commas."""

    status: int
    headers: Mapping[str, str]
    body: BinaryIO
    is_cut: bool = False

    def has_framing(self) -> bool:
        """Whether something other than the end of the connection tells where the body ends (RFC 9112 section 6.3)."""
        if self.status in (204, 304) or "content-length" in self.headers:
            return True
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    def is_persistent(self) -> bool:
        """Whether the peer keeps the connection for another request (RFC 9112 section 9.3)."""
        return self.has_framing() and "close" not in self.headers.get("connection", "").lower()
