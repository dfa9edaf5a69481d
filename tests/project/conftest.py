"""The entrypoint as a process that every test ends."""

import functools
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config.settings import ROOT
from tests.project.entrypoint import FLASK, GUNICORN, LIMIT_SECONDS, SHELLS, Start, environment, kill, write_program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_program(tmp_path / "gunicorn", GUNICORN)
    write_program(tmp_path / "flask", FLASK)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start the entrypoint: ``start(command, shell=…, **environ)``."""
    started: list[tuple[subprocess.Popen[str], threading.Timer]] = []

    def run(*command: str, shell: str = SHELLS[0], **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [shell, str(ROOT / "docker-entrypoint.sh"), *command],
            cwd=ROOT,
            env=environment(folder, environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A shell ignores SIGINT for good where its parent does, as that of a job in the background does.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        watchdog = threading.Timer(LIMIT_SECONDS, kill, [process])
        watchdog.start()
        started.append((process, watchdog))
        return process

    yield run
    for process, watchdog in started:
        watchdog.cancel()
        kill(process)
        process.wait()
        if process.stdout:
            process.stdout.close()
