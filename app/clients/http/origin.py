"""The origin of a peer (RFC 6454): its URL taken apart, and the paths that lie on it."""

from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]
"""Scheme, host and port."""


def origin_of(url: str) -> Origin:
    """Raises ValueError for a URL that is not ``http(s)://host[:port][/path]``."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    if parts.scheme not in PORTS or not host or not url.isascii():
        raise ValueError("The URL must be http(s)://host in ASCII.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("The URL must have no credentials, query or fragment.")
    return parts.scheme, host, parts.port or PORTS[parts.scheme]


def path_on(origin: Origin, url: str) -> str | None:
    """The path of a URL on this very origin. None for other URLs, and for paths that no request can name."""
    try:
        is_foreign = origin_of(url) != origin
    except ValueError:
        return None
    path = urlsplit(url).path
    return None if is_foreign or not path.startswith("/") or not path.isprintable() or " " in path else path
