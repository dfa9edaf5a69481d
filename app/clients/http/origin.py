"""The origin of a peer (RFC 6454): its URL taken apart, and the paths that lie on it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Raises ValueError for a URL that is not ``http(s)://host[:port][/path]``."""
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        if parts.scheme not in PORTS or not host or not url.isascii():
            raise ValueError("The URL must be http(s)://host in ASCII.")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("The URL must have no credentials, query or fragment.")
        return cls(parts.scheme, host, parts.port or PORTS[parts.scheme])

    def path_of(self, url: str) -> str | None:
        """The path of a URL on this very origin. None for other URLs, and for paths that no request can name."""
        try:
            other = Origin.parse(url)
        except ValueError:
            return None
        path = urlsplit(url).path
        return path if other == self and path.startswith("/") and path.isprintable() and " " not in path else None


def root_of(url: str) -> str:
    """``http(s)://host[:port]`` without the path. Raises ValueError as ``Origin.parse``."""
    Origin.parse(url)
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
