"""A database that restarts, is not there, is locked, or has no connection left: 503, and nothing is lost."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import connect
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.core.db import postgres as driver
from app.core.db.models import db
from tests.across.faults.service import Answer, OwnPostgres, Service
from tests.support.clients import PASSWORD, ApiClient, Tenant, make_tenant
from tests.support.databases import ROLE, Postgres, dispose, settings_for, worker
from tests.support.marks import only_postgresql, only_sqlite
from tests.support.variants import PRODUCTION, Variant
from tests.support.waiting import wait_for

RECOVERY_SECONDS = 2.0


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPostgres]:
    # Not below pytest's own directory: every run of pytest takes the server's user the right to enter it.
    with TemporaryDirectory(prefix="identity-faults-") as folder:
        found = OwnPostgres(Path(folder) / "data")
        yield found
        found.remove()


@pytest.fixture(scope="module")
def acme_there(own: OwnPostgres) -> Iterator[Tenant]:
    app = create_app(settings_for(own.url))
    yield make_tenant(app, "acme", is_platform=True)
    dispose(app)


# A restart under load


@dataclass
class Client:
    """Reads and writes without pause, and remembers what it was answered and when."""

    service: Service
    token: str
    refresh_token: str
    name: str
    seen: list[tuple[float, Answer]] = field(default_factory=list)
    created: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        turn = 0
        while not stop.wait(0.01):
            turn += 1
            self.read()
            self.write(f"{self.name} {turn}")
            self.refresh()

    def read(self) -> None:
        self._note("GET", "/customers?limit=5", token=self.token)

    def write(self, name: str) -> None:
        if self._note("POST", "/customers", {"name": name}, token=self.token).status == 201:
            self.created.append(name)

    def refresh(self) -> None:
        answer = self._note("POST", "/auth/refresh", {"refresh_token": self.refresh_token})
        if answer.status == 200:
            self.refresh_token = answer.json["refresh_token"]

    def _note(self, *arguments: Any, **options: Any) -> Answer:
        started = time.monotonic()
        answer = self.service.call(*arguments, **options)
        self.seen.append((started, answer))
        return answer


def client_of(service: Service, admin: ApiClient, name: str) -> Client:
    login = {"email": admin.email, "password": PASSWORD}
    tokens = service.call("POST", "/auth/login?token=body", login).json
    return Client(service, tokens["access_token"], tokens["refresh_token"], name)


@contextmanager
def under_load(clients: list[Client]) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=client.run, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_restart_under_load_costs_some_503_and_nothing_else(
    own: OwnPostgres, acme_there: Tenant, tmp_path: Path
) -> None:
    admin = acme_there.admin
    with Service(tmp_path, **PRODUCTION, DATABASE_URL=own.url, WEB_CONCURRENCY="2", THREADS="8") as service:
        clients = [client_of(service, admin, f"client {number}") for number in range(4)]
        with under_load(clients):
            wait_for(lambda: all(len(client.seen) > 6 for client in clients))
            gone = time.monotonic()
            own.stop()
            wait_for(lambda: all(client.seen[-1][1].status == 503 for client in clients))
            own.start()
            back = time.monotonic()
            wait_for(lambda: all(client.seen[-9][0] > back + RECOVERY_SECONDS for client in clients))
        still_in = [service.call("GET", "/auth/verify", token=client.token).status for client in clients]
        refreshed = [service.call("POST", "/auth/refresh", {"refresh_token": c.refresh_token}).status for c in clients]

    seen = [each for client in clients for each in client.seen]
    failed = [(at, answer) for at, answer in seen if answer.status not in (200, 201)]
    assert Counter(answer.status for _, answer in failed).keys() == {503}
    assert all(answer.json["error_code"] == "DATABASE_UNAVAILABLE" for _, answer in failed)
    assert all("Retry-After" in answer.headers for _, answer in failed)
    assert all(gone - 0.5 < at < back + RECOVERY_SECONDS for at, _ in failed)
    assert all(client.seen[-1][0] > back + RECOVERY_SECONDS for client in clients)
    assert still_in == refreshed == [200] * len(clients)
    rows = {row["name"] for row in admin.get("/customers?limit=1000").get_json()["data"]}
    assert {name for client in clients for name in client.created} <= rows


def test_a_service_that_started_without_its_database_recovers_by_itself(
    own: OwnPostgres, acme_there: Tenant, tmp_path: Path
) -> None:
    login = {"email": acme_there.admin.email, "password": PASSWORD}
    own.stop()

    with Service(tmp_path, **PRODUCTION, DATABASE_URL=own.url, WEB_CONCURRENCY="1") as service:
        without = {path: service.call("GET", path) for path in ("/health", "/health/ready", "/health/live", "/config")}
        refused = service.call("POST", "/auth/login", login)
        verified = service.call("GET", "/auth/verify", token=acme_there.admin.token)
        own.start()
        seconds = wait_for(lambda: service.call("GET", "/health").status == 200)
        welcome = service.call("POST", "/auth/login", login)

    assert {path: answer.status for path, answer in without.items()} == {
        "/health": 503, "/health/ready": 503, "/health/live": 200, "/config": 200,
    }  # fmt: skip
    assert without["/health"].json["status"] == "unhealthy"
    assert (refused.status, verified.status) == (503, 503)
    assert max(answer.seconds for answer in (*without.values(), refused, verified)) < 3
    assert not any(word in refused.text + without["/health"].text for word in ("postgres", "psycopg", str(tmp_path)))
    assert seconds < RECOVERY_SECONDS
    assert welcome.status == 200


# A database that is there and does not answer


def told(answer: Any) -> tuple[int, str]:
    assert answer.headers["Retry-After"]
    return answer.status_code, answer.get_json()["error_code"]


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.monotonic()
    return call(), time.monotonic() - started


@only_postgresql
def test_every_connection_has_its_limits(app: Flask) -> None:
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

    with app.app_context(), db.engine.connect() as connection:
        found = [connection.exec_driver_sql(f"SHOW {limit}").scalar() for limit in limits]

    assert found == ["5s", "2s", "10s"]


@only_postgresql
def test_a_lock_that_is_not_released_is_503_after_two_seconds(app: Flask, acme: Tenant, postgres: Postgres) -> None:
    with postgres.superuser(f"identity_{worker()}") as connection, connection.transaction():
        connection.execute("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE")
        answer, seconds = timed(lambda: acme.admin.post("/customers", {"name": "Never"}))

    assert told(answer) == (503, "DATABASE_BUSY")
    assert 1.9 < seconds < 3
    assert acme.admin.get("/customers").get_json()["pagination"]["total"] == 0


@only_postgresql
def test_a_statement_that_is_cancelled_is_503(app: Flask, acme: Tenant, postgres: Postgres) -> None:
    """As PostgreSQL does by itself after the statement timeout: SQLSTATE 57014 either way."""
    cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
    name = f"identity_{worker()}"
    with postgres.superuser(name) as connection, connection.transaction(), ThreadPoolExecutor(1) as thread:
        connection.execute("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE")
        call = thread.submit(acme.admin.get, "/customers")
        with postgres.superuser(name) as other:
            wait_for(lambda: other.execute(cancel, [name]).fetchall())
        answer = call.result()

    assert told(answer) == (503, "DATABASE_TIMEOUT")
    assert acme.admin.get("/customers").status_code == 200


@only_sqlite
def test_a_sqlite_that_another_process_keeps_locked_is_503_for_writers_only(acme: Tenant, database_url: str) -> None:
    with closing(connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer, seconds = timed(lambda: acme.admin.post("/customers", {"name": "Never"}))
        reading = acme.admin.get("/customers")
        other.execute("ROLLBACK")

    assert told(answer) == (503, "DATABASE_BUSY")
    assert 4 < seconds < 8
    assert (reading.status_code, reading.get_json()["pagination"]["total"]) == (200, 0)
    assert acme.admin.post("/customers", {"name": "Now"}).status_code == 201


@only_postgresql
def test_a_pool_without_a_free_connection_is_503_and_gives_nothing_away(variant: Variant, acme: Tenant) -> None:
    service = variant(DATABASE_POOL_SIZE="1")
    admin = ApiClient(service, acme.admin.token)
    assert admin.get("/customers").status_code == 200

    with service.app_context(), db.engine.connect():
        answer, seconds = timed(lambda: admin.get("/customers"))
        health = service.test_client().get("/health")

    assert told(answer) == (503, "DATABASE_BUSY")
    assert seconds < 3
    assert health.status_code == 503
    assert admin.get("/customers").status_code == 200


@only_postgresql
def test_a_connection_that_was_cut_while_it_was_idle_is_replaced_unnoticed(
    app: Flask, acme: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"identity_{worker()}"
    assert acme.admin.get("/customers").status_code == 200
    monkeypatch.setattr(driver, "IDLE_SECONDS", 0.0)
    # The service's own: the connection that restores the database is a superuser's.
    others = "FROM pg_stat_activity WHERE datname = %s AND usename = %s"
    with postgres.superuser(name) as other:
        cut = other.execute(f"SELECT pg_terminate_backend(pid) {others}", [name, ROLE]).fetchall()

    answers = [acme.admin.get("/customers").status_code for _ in range(5)]

    assert cut
    assert answers == [200] * 5
