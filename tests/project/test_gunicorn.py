"""gunicorn.conf.py under a real gunicorn with a small application."""

import os
import re
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO

import pytest

from app.config.settings import ROOT, Settings
from tests.support.rows import by_row
from tests.support.waiting import PATIENCE_SECONDS, find_line, wait_for

APPLICATION = """
def application(environ, start_response):
    seen = ("wsgi.url_scheme", "SCRIPT_NAME", "REMOTE_ADDR", "PATH_INFO")
    body = " ".join(environ[name] or "-" for name in seen).encode()
    status = "413 Content Too Large" if environ["PATH_INFO"] == "/refused" else "200 OK"
    start_response(status, [("Content-Length", str(len(body)))])
    return [body]
"""
LIMIT, MB = 8190, 1024 * 1024
DEFAULTS = {each.name: each.default for each in fields(Settings)}
CLAIMS = ["X-Forwarded-Proto: https", "X-Forwarded-For: 9.9.9.9", "Script_Name: /a", "Path_Info: /b"]

Serve = Callable[..., "Service"]


class Service:
    """A running gunicorn and what can be said to it."""

    def __init__(self, process: subprocess.Popen[str], log: IO[str]) -> None:
        self.process = process
        self.log: list[str] = []
        found = find_line(log, r"Listening at: (?:http://([\d.]+):(\d+)|unix:(\S+))", self.log)
        self.address = found[3] or (found[1], int(found[2]))

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        with socket.socket(family) as connection:
            connection.settimeout(PATIENCE_SECONDS)
            connection.connect(self.address)
            yield connection

    def say(self, head: str) -> str:
        with self.connected() as connection:
            connection.sendall(lines(head))
            return connection.makefile("rb").read().decode()

    def get(self, path: str, *headers: str) -> str:
        return self.say("\n".join((f"GET {path} HTTP/1.1", "Host: here", "Connection: close", *headers)))


def lines(head: str) -> bytes:
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gunicorn")
    (folder / "small.py").write_text(APPLICATION)
    return folder


@pytest.fixture(scope="module")
def serve(folder: Path) -> Iterator[Serve]:
    started = []

    def start(*arguments: str, **environ: str) -> Service:
        base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        command = ["-c", f"{ROOT}/gunicorn.conf.py", "--pythonpath", str(folder), *arguments]
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *command, "small:application"],
            cwd=ROOT,
            env={**base, "FLASK_ENV": "testing", "WEB_CONCURRENCY": "1", **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stderr is not None
        return Service(process, process.stderr)

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def service(serve: Serve) -> Service:
    return serve("-b", "127.0.0.1:0", FORWARDED_ALLOW_IPS="*")


def test_the_server_is_not_named(service: Service) -> None:
    answer = service.get("/")

    assert answer.startswith("HTTP/1.1 200")
    assert "server:" not in answer.lower()


def test_the_server_is_named_when_the_setting_asks_for_it(serve: Serve) -> None:
    answer = serve("-b", "127.0.0.1:0", SERVER_NAME_HEADER="true").get("/")

    assert "\r\nServer: gunicorn\r\n" in answer


def test_gunicorn_believes_no_forwarded_header_whatever_its_own_variable_says(service: Service) -> None:
    answer = service.get("/path", *CLAIMS)

    assert answer.endswith("http - 127.0.0.1 /path")


def test_gunicorn_believes_no_forwarded_header_on_a_unix_socket(serve: Serve, folder: Path) -> None:
    answer = serve("-b", f"unix:{folder}/socket").get("/path", *CLAIMS)

    assert answer.endswith("http - - /path")


def test_headers_of_a_proxy_that_contradict_each_other_are_not_gunicorns_to_refuse(service: Service) -> None:
    answer = service.get("/", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: off")

    assert answer.startswith("HTTP/1.1 200")


@pytest.mark.parametrize(("excess", "status"), [(0, "200"), (1, "414")])
def test_a_request_line_may_have_8190_bytes(service: Service, excess: int, status: str) -> None:
    path = "/" + "a" * (LIMIT - len("GET / HTTP/1.1") + excess)

    answer = service.get(path)

    assert answer.startswith(f"HTTP/1.1 {status}")


REFUSED_BY_GUNICORN = {
    "414": f"GET /{'a' * LIMIT} HTTP/1.1\nHost: here",
    "431": f"GET / HTTP/1.1\nHost: here\nX: {'a' * LIMIT}",
    "400": "GET / HTTP/1.1\nHost: here\nContent-Length: <script>",
    "501": "GET / HTTP/1.1\nHost: here\nTransfer-Encoding: <script>",
}


@by_row(("status", "head"), REFUSED_BY_GUNICORN.items(), ids=REFUSED_BY_GUNICORN)
def test_what_gunicorn_itself_refuses_has_no_body(service: Service, status: str, head: str) -> None:
    answer = service.say(head)

    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "\r\nContent-Length: 0\r\n" in answer
    assert answer.endswith("\r\n\r\n")


@pytest.mark.parametrize(("count", "status"), [(4, "200"), (5, "431")])
def test_all_headers_together_have_a_limit(service: Service, count: int, status: str) -> None:
    answer = service.get("/", *["Cookie: " + "a=b; " * 1600] * count)

    assert answer.startswith(f"HTTP/1.1 {status} ")


def test_clients_that_do_not_close_delay_no_other(service: Service) -> None:
    """Each would hold the thread that accepts for two seconds."""
    closing = lines("GET / HTTP/1.1\nHost: here\nConnection: close")
    started = time.monotonic()

    with ExitStack() as open_connections:
        for _ in range(15):
            connection = open_connections.enter_context(service.connected())
            connection.sendall(closing)
            assert connection.makefile("rb").read().startswith(b"HTTP/1.1 200 ")

    assert time.monotonic() - started < 15


REFUSED = "POST /refused HTTP/1.1\nHost: here"
LARGE = {
    "announced": (lines(f"{REFUSED}\nContent-Length: {20 * MB}"), bytes(20 * MB)),
    "chunked": (
        lines(f"{REFUSED}\nTransfer-Encoding: chunked"),
        (b"100000\r\n" + bytes(MB) + b"\r\n") * 20 + b"0\r\n\r\n",
    ),
}


@by_row(("head", "body"), LARGE.values(), ids=LARGE)
def test_a_client_that_still_sends_sees_its_refusal_and_goes_on(service: Service, head: bytes, body: bytes) -> None:
    with service.connected() as connection:
        connection.sendall(head)
        connection.sendall(body)
        connection.sendall(lines("GET /next HTTP/1.1\nHost: here\nConnection: close"))
        answers = connection.makefile("rb").read().decode()

    assert re.findall(r"HTTP/1.1 (\d+)", answers) == ["413", "200"]


@by_row(("head", "body"), LARGE.values(), ids=LARGE)
def test_a_client_that_still_sends_sees_its_refusal_before_the_end(service: Service, head: bytes, body: bytes) -> None:
    with service.connected() as connection:
        connection.sendall(head.replace(b"Host:", b"Connection: close\r\nHost:"))
        connection.sendall(body)
        answer = connection.makefile("rb").read().decode()

    assert answer.startswith("HTTP/1.1 413 ")


def test_a_request_whose_body_nobody_reads_has_one_answer(service: Service) -> None:
    with service.connected() as connection:
        connection.sendall(lines("GET / HTTP/1.1\nHost: here\nTransfer-Encoding: chunked") + b"no size\r\n")
        answers = connection.makefile("rb").read().decode()

    assert re.findall(r"HTTP/1.1 (\d+)", answers) == ["200"]


def test_a_refused_body_is_read_off_for_64_mb(service: Service) -> None:
    sent = 0

    with service.connected() as connection:
        connection.sendall(lines(f"{REFUSED}\nContent-Length: {1024 * MB}"))
        while sent < 1024 * MB and takes(connection, bytes(MB)):
            sent += MB

    # The buffers of both ends take some more.
    assert 60 * MB < sent < 128 * MB


def test_a_refused_body_is_read_off_for_a_time(serve: Serve, folder: Path) -> None:
    settings = (ROOT / "gunicorn.conf.py").read_text(encoding="utf-8")
    (folder / "impatient.py").write_text(settings.replace("DRAIN_SECONDS = 10", "DRAIN_SECONDS = 0.3"))
    service = serve("-b", "127.0.0.1:0", "-c", str(folder / "impatient.py"))

    with service.connected() as connection:
        connection.sendall(lines(f"{REFUSED}\nContent-Length: {MB}"))
        # Each byte alone would come soon enough.
        wait_for(lambda: not takes(connection, b"x"))


def takes(connection: socket.socket, data: bytes) -> bool:
    """False once the other end has closed."""
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def test_the_service_listens_on_this_machine_only_unless_told_otherwise() -> None:
    assert settings_of({})["bind"] == "127.0.0.1:5000"


def test_workers_and_threads_have_the_defaults_of_the_settings() -> None:
    found = settings_of({})

    assert (found["threads"], found["workers"]) == (DEFAULTS["threads"], DEFAULTS["web_concurrency"])


def test_workers_and_threads_come_from_the_environment() -> None:
    found = settings_of({"THREADS": "5", "WEB_CONCURRENCY": "7"})

    assert (found["threads"], found["workers"]) == (5, 7)


@pytest.mark.parametrize("value", ["", "0", "-3", "many"])
def test_a_number_that_is_none_is_left_to_the_service_to_refuse(value: str) -> None:
    found = settings_of({"THREADS": value, "WEB_CONCURRENCY": value})

    assert (found["threads"], found["workers"]) == (DEFAULTS["threads"], DEFAULTS["web_concurrency"])


def test_a_recycled_worker_loses_no_request(serve: Serve) -> None:
    service = serve("-b", "127.0.0.1:0", "--max-requests", "20", "--max-requests-jitter", "0")

    answers = [service.get("/") for _ in range(50)]

    assert all(answer.startswith("HTTP/1.1 200") for answer in answers)


def settings_of(environ: dict[str, str]) -> dict[str, object]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("THREADS", "WEB_CONCURRENCY", "SERVER_NAME_HEADER"):
            patch.delenv(name, raising=False)
        patch.setenv("FLASK_ENV", "testing")
        for name, value in environ.items():
            patch.setenv(name, value)
        patch.setattr("gunicorn.http.wsgi.Response.default_headers", lambda self: [])
        return runpy.run_path(str(ROOT / "gunicorn.conf.py"))
