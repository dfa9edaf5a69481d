"""docker-entrypoint.sh passes signals on, and drains before it stops."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.project.entrypoint import SHELLS, Start, line_of, rest_of
from tests.support.http import send
from tests.support.marks import flaky
from tests.support.waiting import PATIENCE_SECONDS, find_line, wait_for

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def address_of(process: subprocess.Popen[str]) -> str:
    return find_line(process.stdout, r"Listening at: (\S+)")[1]


def status_of(url: str) -> int:
    return send("GET", url, timeout=10).status_code


@pytest.mark.parametrize("shell", SHELLS)
def test_another_command_replaces_the_shell_and_nothing_is_prepared(start: Start, shell: str) -> None:
    process = start("sh", "-c", "echo $$", shell=shell, RUN_MIGRATIONS="true", WAIT_FOR_DB="true")

    assert rest_of(process).strip() == str(process.pid)
    assert process.returncode == 0


def test_no_command_is_refused_with_an_example(start: Start) -> None:
    process = start()

    assert "gunicorn -b 0.0.0.0:5000 wsgi:app" in rest_of(process)
    assert process.returncode != 0


@flaky
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("number", SIGNALS, ids=["TERM", "INT"])
def test_gunicorn_serves_while_draining_and_stops_afterwards(
    start: Start, folder: Path, shell: str, number: signal.Signals
) -> None:
    process = start("gunicorn", "-b", "here", "wsgi:app", shell=shell, DRAIN_SECONDS="0.3")
    assert line_of(process).endswith("ready -b here wsgi:app")

    began = time.monotonic()
    process.send_signal(number)
    wait_for((folder / "draining").exists)

    assert line_of(process) == "stopped by SIGTERM draining"
    assert 0.3 <= time.monotonic() - began < 20
    assert rest_of(process) == ""
    assert process.returncode == 7


def test_the_service_answers_while_it_says_that_it_is_draining(start: Start, tmp_path: Path) -> None:
    process = start(
        "gunicorn",
        "-b",
        "127.0.0.1:0",
        "wsgi:app",
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        DATABASE_URL=f"sqlite:///{tmp_path}/identity.db",
        RUN_MIGRATIONS="true",
        WEB_CONCURRENCY="1",
        DRAIN_SECONDS="600",
    )
    base = address_of(process)
    wait_for(lambda: status_of(f"{base}/health/ready") == 200)

    process.terminate()

    wait_for(lambda: status_of(f"{base}/health/ready") == 503)
    assert status_of(f"{base}/init-db") == 200
    process.terminate()
    assert process.wait(30) == 0
    with pytest.raises(requests.ConnectionError):
        status_of(f"{base}/health/live")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_second_signal_ends_the_draining(start: Start, folder: Path, shell: str) -> None:
    for _ in range(10):
        process = start("gunicorn", shell=shell, DRAIN_SECONDS="600")
        line_of(process)
        process.terminate()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (folder / "draining").exists():  # Without a pause: the shell may still be inside its first handler.
            assert time.monotonic() < deadline

        process.terminate()

        assert line_of(process) == "stopped by SIGTERM draining"
        rest_of(process)
        assert process.returncode == 7


@pytest.mark.parametrize("shell", SHELLS)
def test_the_exit_code_of_gunicorn_is_passed_on_when_it_ends_by_itself(start: Start, shell: str) -> None:
    process = start("gunicorn", shell=shell)
    gunicorn = int(line_of(process).split()[1])

    os.kill(gunicorn, signal.SIGUSR1)

    rest_of(process)
    assert process.returncode == 9


@pytest.mark.parametrize("shell", SHELLS)
def test_gunicorn_that_ends_while_draining_is_not_waited_for(start: Start, folder: Path, shell: str) -> None:
    process = start("gunicorn", shell=shell, DRAIN_SECONDS="600")
    gunicorn = int(line_of(process).split()[1])
    process.terminate()
    wait_for((folder / "draining").exists)

    os.kill(gunicorn, signal.SIGUSR1)

    assert process.wait(30) == 9


@pytest.mark.parametrize("shell", SHELLS)
def test_gunicorn_that_is_killed_gives_the_code_of_the_signal(start: Start, shell: str) -> None:
    process = start("gunicorn", shell=shell)
    gunicorn = int(line_of(process).split()[1])

    os.kill(gunicorn, signal.SIGKILL)

    rest_of(process)
    assert process.returncode == 128 + signal.SIGKILL


def test_the_mark_of_an_earlier_run_is_removed(start: Start, folder: Path) -> None:
    (folder / "draining").touch()

    process = start("gunicorn")

    assert "ready" in line_of(process)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_mark_that_cannot_be_written_does_not_keep_gunicorn_from_stopping(start: Start, shell: str) -> None:
    process = start("gunicorn", shell=shell, DRAIN_FILE="/nowhere/draining")
    line_of(process)

    process.terminate()

    assert "stopped by SIGTERM at once" in rest_of(process)
    assert process.returncode == 7
