"""No fake: the real Cerbos, as a process of the tests."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

import pytest

from app.config.settings import ROOT

INSTALL = ROOT / "scripts" / "cerbos" / "install.sh"
START_SECONDS = 20


def binary() -> Path:
    """Installs it if need be. Skips the test where that cannot be; .ci/run fails then."""
    done = subprocess.run([INSTALL], capture_output=True, text=True, timeout=300)
    if done.returncode == 0:
        return Path(done.stdout.strip())
    pytest.skip(f"Cerbos is not installed and could not be: {done.stderr.strip()[-500:]}")


class Cerbos:
    """A server with the policies of one folder."""

    def __init__(self, program: Path, policies: Path, log: Path) -> None:
        http, grpc = _free_ports()
        self.url = f"http://127.0.0.1:{http}"
        settings = {
            "server.httpListenAddr": f"127.0.0.1:{http}",
            "server.grpcListenAddr": f"127.0.0.1:{grpc}",
            "storage.disk.directory": policies,
            "storage.disk.watchForChanges": "false",
        }
        chosen = [f"--set={name}={value}" for name, value in settings.items()]
        self._log = log
        self._command = [program, "server", f"--config={ROOT / 'scripts/cerbos/cerbos.yaml'}", *chosen]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_serving():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _is_serving(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_cerbos/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _free_ports() -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
