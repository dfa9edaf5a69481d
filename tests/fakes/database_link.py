"""The network between the service and PostgreSQL: it stalls, or cuts what it carries."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from sqlalchemy import make_url

from tests.support.waiting import PATIENCE_SECONDS


class DatabaseLink:
    """Forwards to the server of ``url``; ``url`` of the link is the same database by way of the link.

    ``cut_request`` and ``cut_answer`` close the connection in place of the next message of their direction, after
    as many others. ``stall`` holds answers back until ``resume``, or for as long as a test waits for anything.
    """

    def __init__(self, url: str) -> None:
        parts = make_url(url)
        self._server = f"{parts.query['host']}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://{parts.username}@127.0.0.1:{port}/{parts.database}?sslmode=disable&gssencmode=disable"
        self.connections = 0
        self._sockets: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._cuts: dict[str, int] = {}

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._flowing.set()
        _close(self._listener, *self._sockets)

    def stall(self) -> None:
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def cut_request(self, after: int = 0) -> None:
        self._cuts = {"request": after}

    def cut_answer(self, after: int = 0) -> None:
        self._cuts = {"answer": after}

    @property
    def has_cut(self) -> bool:
        return not self._cuts

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self.connections += 1
                self._sockets += client, server
                for name, source, target in (("request", client, server), ("answer", server, client)):
                    threading.Thread(target=self._pump, args=(name, source, target), daemon=True).start()

    def _pump(self, name: str, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while (message := source.recv(65536)) and not self._is_cut(name):
                if name == "answer":
                    self._flowing.wait(PATIENCE_SECONDS)
                target.sendall(message)
        _close(source, target)

    def _is_cut(self, name: str) -> bool:
        with self._lock:
            left = self._cuts.pop(name, None)
            if left:
                self._cuts[name] = left - 1
            return left == 0


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        close: Callable[[], None]
        for close in (lambda each=each: each.shutdown(socket.SHUT_RDWR), each.close):  # type: ignore[misc]
            with suppress(OSError):
                close()
