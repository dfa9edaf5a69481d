"""``flask guardian serve`` as a process of its own, and clients that speak to it over a socket."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from flask import Flask

from app.config.settings import ROOT
from tests.support import contract
from tests.support.clients import ApiClient
from tests.support.databases import ENVIRONMENT
from tests.support.http import send
from tests.support.stages import Stage
from tests.support.waiting import find_line

PREFIX = "/guardian"
# As it would be where the engine has the environment of the service that asks it.
CONFUSING = {"GUARDIAN_SERVICE_URL": "http://127.0.0.1:9", "USE_GUARDIAN_SERVICE": "false"}


@dataclass
class Answer:
    """What tests look at in a TestResponse."""

    response: requests.Response
    path: str

    @property
    def status_code(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    @property
    def data(self) -> bytes:
        return self.response.content

    @property
    def text(self) -> str:
        return self.data.decode()

    @property
    def mimetype(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]

    @property
    def request(self) -> SimpleNamespace:
        return SimpleNamespace(path=self.path)

    def get_json(self) -> Any:
        return self.response.json()


@dataclass
class SocketClient(ApiClient):
    """Asks the served engine at the root, where the protocol has its paths, and holds it against openapi.yml."""

    url: str = ""
    cookie: bool = True

    def request(self, method: str, path: str, json: Any = None, **options: Any) -> Any:
        cookie = {"Cookie": f"access_token={self.token}"} if self.token else {}
        response = send(
            method,
            self.url + path.removeprefix(PREFIX),
            json=json,
            params=options.get("query_string"),
            headers={**cookie, **options.get("headers", {})},
        )
        answer = Answer(response, path.partition("?")[0])
        if path.startswith(PREFIX):
            contract.check(self.app, method, answer)  # type: ignore[arg-type]
        return answer


@dataclass
class Served:
    """A running engine."""

    process: subprocess.Popen[str]
    port: int
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def speaking(self, client: ApiClient) -> SocketClient:
        """The same person, over the socket."""
        return SocketClient(client.app, client.token, client.user_id, client.company_id, client.email, url=self.url)


@pytest.fixture
def served(stage: Stage) -> Served:
    return stage.share(_serving)


@contextmanager
def _serving(stage: Stage) -> Iterator[Served]:
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    settings = {"DATABASE_URL": stage.url, "LOG_LEVEL": "INFO", "WEB_CONCURRENCY": "1", "THREADS": "40"}
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "guardian", "serve", "--bind", "127.0.0.1:0"],
        cwd=ROOT,
        env={**base, **ENVIRONMENT, **CONFUSING, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield _listening(process)
    process.terminate()
    process.communicate(timeout=30)


def _listening(process: subprocess.Popen[str]) -> Served:
    log: list[str] = []
    match = find_line(process.stderr, r"Listening at: http://[\d.]+:(\d+)", log)
    return Served(process, int(match[1]), log)


Through = Callable[[ApiClient], ApiClient]


@pytest.fixture(params=["in the service", "as a process"])
def engine(request: pytest.FixtureRequest, app: Flask) -> Through:
    """How a client reaches the engine: ``engine(acme.admin).get("/guardian/roles")``."""
    if request.param == "in the service":
        return lambda client: client
    served: Served = request.getfixturevalue("served")
    return served.speaking
