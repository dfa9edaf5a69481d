"""A policy engine on a loopback socket that answers as told, also in ways that no HTTP library would."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Self, cast


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; header names are lower-case, connections are counted from 1."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def asked(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.body))


@dataclass(frozen=True)
class Exchange:
    """One request and the socket that waits for its answer."""

    seen: Seen
    socket: socket.socket
    stopped: threading.Event


Behaviour = Callable[[Exchange], bool]
"""Answers, and says whether the connection stays open."""


def answer(
    status: int = 200, body: object = None, content_type: str | None = "application/json", headers: Iterable[str] = ()
) -> bytes:
    """A whole HTTP/1.1 answer; ``body`` is sent as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    declared = [f"Content-Type: {content_type}"] if content_type else []
    lines = [f"HTTP/1.1 {status} Reason", *declared, f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def answers(*args: Any, **kwargs: Any) -> Behaviour:
    return sends(answer(*args, **kwargs))


def sends(raw: bytes, *, closes: bool = False) -> Behaviour:
    def behave(exchange: Exchange) -> bool:
        exchange.socket.sendall(raw)
        return not closes

    return behave


def dribbles(raw: bytes, interval: float, *, at_once: int = 0) -> Behaviour:
    """One byte per ``interval`` seconds, after the first ``at_once``."""

    def behave(exchange: Exchange) -> bool:
        exchange.socket.sendall(raw[:at_once])
        for each in raw[at_once:]:
            if exchange.stopped.wait(interval):
                return False
            exchange.socket.sendall(bytes([each]))
        return True

    return behave


def decides(is_granted: Callable[[dict[str, Any]], bool]) -> Behaviour:
    """Answers each question by its own members."""

    def behave(exchange: Exchange) -> bool:
        exchange.socket.sendall(answer(200, {"access_granted": is_granted(exchange.seen.asked)}))
        return True

    return behave


def decides_each(is_granted: Callable[[dict[str, Any]], bool]) -> Behaviour:
    """AuthZEN: answers a single evaluation, or each of a batch, by its own members; it has no document."""

    def behave(exchange: Exchange) -> bool:
        if exchange.seen.method == "GET":
            return answers(404, {})(exchange)
        asked = exchange.seen.asked
        items = [{"decision": is_granted(asked | each)} for each in asked.get("evaluations", [{}])]
        exchange.socket.sendall(answer(200, {"evaluations": items} if "evaluations" in asked else items[0]))
        return True

    return behave


def hangs(exchange: Exchange) -> bool:
    exchange.stopped.wait()
    return False


def resets(exchange: Exchange) -> bool:
    """A lingering time of zero makes the close a TCP reset."""
    exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def closes(_exchange: Exchange) -> bool:
    return False


GRANT = answer(200, {"access_granted": True, "reason": "Because."})
grants = sends(GRANT)
denies = answers(200, {"access_granted": False, "reason": "No role."})


class FakeGuardian:
    """Denies until ``behaviour`` says otherwise.

    ``resets_next_body`` is the number of requests to break off in the middle, ``cut_off`` that of
    the connections on which the client was gone before everything was sent.
    """

    def __init__(self, behaviour: Behaviour = denies, *, tls: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.seen: list[Seen] = []
        self.connections = 0
        self.cut_off = 0
        self.resets_next_body = 0
        self._tls = tls
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection as a server does that finds it idle for too long."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(accepted, self.connections), daemon=True).start()

    def _serve(self, accepted: socket.socket, number: int) -> None:
        try:
            with self._secured(accepted) as connection, connection.makefile("rb") as reader:
                self._open.add(connection)
                while self._answered(connection, reader, number):
                    continue
        except OSError:
            self.cut_off += 1

    def _secured(self, accepted: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(accepted, server_side=True) if self._tls else accepted

    def _answered(self, connection: socket.socket, reader: BinaryIO, number: int) -> bool:
        head = _head(reader)
        if not head:
            return False
        headers = _headers(head[1:])
        if self.resets_next_body:
            self.resets_next_body -= 1
            reader.read(1000)
            return resets(Exchange(Seen(number, "", "", headers, b""), connection, self._stopped))
        method, path, _version = head[0].split(" ")
        seen = Seen(number, method, path, headers, reader.read(int(headers.get("content-length", "0"))))
        self.seen.append(seen)
        return self.behaviour(Exchange(seen, connection, self._stopped))


def _head(reader: BinaryIO) -> list[str]:
    """The request line and the header lines; empty at the end of the connection."""
    lines = iter(lambda: reader.readline().decode("ascii").rstrip("\r\n"), "")
    return list(lines)


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}
