"""The processes of a run: PostgreSQL, nginx in place of the policy engine, and gunicorn."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[2]
ROLE, DATABASE, SUPERUSER = "identity", "identity", "postgres"
POSTGRES_SETTINGS = ("shared_buffers=512MB", "max_wal_size=2GB", "max_connections=400")
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port}; default_type application/json;
        location = /check-access {{ return 200 '{{"access_granted":true}}'; }}
        location = /health {{ return 200 '{{"status":"healthy"}}'; }}
    }}
}}
"""


class Failed(Exception):
    """A requirement of the run is missing or did not start."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def find_program(name: str, package: str) -> str:
    """Raises Failed, naming Debian's package."""
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Failed(f"{name} is not installed. On Debian and Ubuntu: apt install {package}")
    return program


def find_postgres() -> Path:
    """The program folder of the newest installed server. Raises Failed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if programs:
        return programs[-1].parent
    return Path(find_program("initdb", "postgresql postgresql-contrib")).resolve().parent


def wait_until(is_ready: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Raises Failed."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if time.monotonic() > deadline:
            raise Failed(f"{what} is not ready after {seconds:.0f} s.")
        time.sleep(0.005)


@contextmanager
def running(command: Sequence[str], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end. Its output goes to ``log``."""
    with log.open("ab") as output, subprocess.Popen(command, stdout=output, stderr=output, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(cpu.user + cpu.system for cpu in times)


@dataclass(frozen=True)
class Postgres:
    port: int
    process: psutil.Process

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{DATABASE}"

    def superuser(self, database: str = DATABASE) -> psycopg.Connection[Any]:
        where = f"host=127.0.0.1 port={self.port} user={SUPERUSER} dbname={database}"
        return psycopg.connect(where, autocommit=True)

    def owner(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url)

    def processes(self) -> list[psutil.Process]:
        return self.process.children()


@contextmanager
def postgres(data: Path, log: Path) -> Iterator[Postgres]:
    """A server on ``data`` with a plain role that owns its database. A missing folder is created."""
    programs, account, port = find_postgres(), _account(), free_port()
    is_new = not (data / "PG_VERSION").exists()
    if is_new:
        _initialize(programs, data, account)
    settings = [word for setting in POSTGRES_SETTINGS for word in ("-c", setting)]
    listen = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    command = [str(programs / "postgres"), "-D", str(data), *listen, *settings]
    with running(command, log, cwd="/", **account) as process:
        server = Postgres(port, psutil.Process(process.pid))
        wait_until(lambda: _is_answering(server), f"PostgreSQL (see {log})")
        if is_new:
            _create_database(server)
        yield server


def _account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {account.pw_name for account in pwd.getpwall()}
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _initialize(programs: Path, data: Path, account: Mapping[str, Any]) -> None:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account:
        os.chown(data, account["user"], account["group"])
    command = [
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        SUPERUSER,
        "--auth=trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]
    result = subprocess.run(command, cwd="/", capture_output=True, text=True, **account)
    if result.returncode:
        raise Failed(f"initdb failed:\n{result.stderr}")


def _is_answering(server: Postgres) -> bool:
    try:
        server.superuser("postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def _create_database(server: Postgres) -> None:
    with server.superuser("postgres") as connection:
        connection.execute(f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS")
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    """URL of a policy engine that grants everything: an nginx with a constant answer."""
    port, own = free_port(), folder / "nginx"
    own.mkdir(exist_ok=True)
    settings = own / "nginx.conf"
    settings.write_text(NGINX.format(folder=own, port=port))
    command = [find_program("nginx", "nginx-light"), "-p", str(own), "-c", str(settings)]
    with running(command, folder / "nginx.log"):
        wait_until(lambda: _is_listening(port), "nginx")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def silent_engine() -> Iterator[str]:
    """URL of an engine that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Gunicorn:
    url: str
    process: psutil.Process

    def workers(self) -> list[psutil.Process]:
        return self.process.children()


@contextmanager
def gunicorn(
    application: str, environ: Mapping[str, str], log: Path, worker_class: str | None = None, root: Path = ROOT
) -> Iterator[Gunicorn]:
    """``application`` of a checkout, under its gunicorn.conf.py. Workers are not replaced, to keep CPU times."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--max-requests", "0"]
    command += ["-k", worker_class] if worker_class else []
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with running([*command, application], log, cwd=root, env=inherited | dict(environ)) as process:
        yield Gunicorn(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
