"""Where the policy engine is: its URL taken apart, and connections to it within a deadline."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Origin:
    host: str
    port: int
    authority: str
    prefix: str
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str, tls: ssl.SSLContext | None) -> Origin:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        if parts.scheme not in ("http", "https") or not host or not url.isascii():
            raise ValueError("The policy engine's URL must be http(s)://host in ASCII.")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("The policy engine's URL must have no credentials, query or fragment.")
        secure = parts.scheme == "https"
        context = (tls or ssl.create_default_context()) if secure else None
        return cls(host, parts.port or (443 if secure else 80), parts.netloc, parts.path.rstrip("/"), context)

    def path_of(self, url: str) -> str | None:
        """The path of a URL on this very host and port; None for any other, and for what no request can say."""
        try:
            other = Origin.of(url, self.tls)
        except ValueError:
            return None
        path = urlsplit(url).path
        is_here = (other.host, other.port, other.tls is None) == (self.host, self.port, self.tls is None)
        return path if is_here and path.startswith("/") and path.isprintable() and " " not in path else None

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """In one piece: http.client sends head and body as two segments, and lets folded lines pass."""
        target = self.prefix + path
        lines = [
            f"{method} {target} HTTP/1.1",
            f"Host: {self.authority}",
            "Accept-Encoding: identity",
            *(f"{name}: {value}" for name, value in headers.items()),
            f"Content-Length: {len(body)}",
        ]
        everything = "".join(lines)
        if " " in method + target or not everything.isascii() or not everything.isprintable():
            raise ValueError("A request to the policy engine must be printable ASCII.")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def open(self, deadline: float) -> socket.socket:
        """A connected socket; the addresses of a name share the time that is left."""
        addresses = _addresses(self.host, self.port, deadline)
        failure = OSError("no address")
        for turn, address in enumerate(addresses):
            try:
                return self._connect(address, left(deadline) / (len(addresses) - turn), deadline)
            except OSError as error:
                failure = error
        raise failure

    def _connect(self, address: tuple[str, int], patience: float, deadline: float) -> socket.socket:
        connection = socket.create_connection(address, patience)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is None:
            return connection
        connection.settimeout(left(deadline))
        return self.tls.wrap_socket(connection, server_hostname=self.host)


def root_of(url: str) -> str:
    """``http(s)://host[:port]``. Raises ValueError as ``Origin.of``."""
    Origin.of(url, None)
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def _addresses(host: str, port: int, deadline: float) -> list[tuple[str, int]]:
    """getaddrinfo knows no timeout: a thread waits for it and is left behind at the deadline."""
    found: SimpleQueue[list[tuple[str, int]] | OSError] = SimpleQueue()
    threading.Thread(target=_look_up, args=(host, port, found), daemon=True).start()
    try:
        addresses = found.get(timeout=left(deadline))
    except Empty:
        raise TimeoutError("no address in time") from None
    if isinstance(addresses, OSError):
        raise addresses
    return addresses


def _look_up(host: str, port: int, found: SimpleQueue[list[tuple[str, int]] | OSError]) -> None:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found.put([(str(row[4][0]), port) for row in rows])
    except OSError as error:
        found.put(error)


def left(deadline: float) -> float:
    """Seconds, more than 0. Raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left
