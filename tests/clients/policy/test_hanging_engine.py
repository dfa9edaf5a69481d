"""An engine that hangs takes neither the service's other endpoints with it nor another engine's calls."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.clients.policy.guardian import GuardianClient
from app.clients.policy.request import AccessRequest
from app.clients.policy.transport import RemoteTransport
from app.config.settings import ROOT
from tests.clients.policy.guardian.asking import AMPLE, QUESTION, TOKEN, refusal
from tests.fakes.guardian import FakeGuardian, grants, hangs
from tests.support.clients import Tenant
from tests.support.databases import ENVIRONMENT
from tests.support.marks import flaky, one_database
from tests.support.waiting import find_line, wait_for

REQUESTS, LOOKS, ROUNDS = 20, 100, 4


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian(hangs) as running:
        yield running


@pytest.fixture
def port(engine: FakeGuardian, database_url: str) -> Iterator[int]:
    """Of a gunicorn with one worker of 16 threads, half of which may wait for the engine."""
    settings = {
        "DATABASE_URL": database_url,
        "GUARDIAN_SERVICE_URL": engine.url,
        "GUARDIAN_SERVICE_TIMEOUT": "20",
        "THREADS": "16",
        "WEB_CONCURRENCY": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "wsgi:app"],
        cwd=ROOT,
        env=os.environ | ENVIRONMENT | settings | {"FLASK_SKIP_DOTENV": "1", "LOG_LEVEL": "INFO"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield int(find_line(process.stderr, r"Listening at: http://127\.0\.0\.1:(\d+)")[1])
    finally:
        process.terminate()
        process.communicate(timeout=40)


def status_of(port: int, path: str, token: str = "", *, timeout: float = 30) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    finally:
        connection.close()


@flaky
@one_database
def test_with_the_engine_hanging_health_keeps_its_latency(port: int, engine: FakeGuardian, acme: Tenant) -> None:
    token = acme.admin.token or ""
    assert status_of(port, "/health/live") == 200

    with ThreadPoolExecutor(REQUESTS) as threads:
        asking = [threads.submit(status_of, port, "/customers", token) for _ in range(REQUESTS)]
        wait_for(lambda: _checks(engine) == 8 and sum(each.done() for each in asking) == REQUESTS - 8)
        # Whatever else this machine does must not fail the test: one of the rounds has to be undisturbed.
        slowest = min(_p99(port) for _ in range(ROUNDS))
        own = status_of(port, "/users/me", token)
        engine.behaviour = grants
        engine.hang_up()

    assert slowest < 0.05
    assert own == 200
    assert sorted(each.result() for each in asking) == [503] * REQUESTS


def _checks(engine: FakeGuardian) -> int:
    """The look of /health at the engine is not one."""
    return sum(seen.path == "/check-access" for seen in engine.seen)


def _p99(port: int) -> float:
    taken = []
    for _ in range(LOOKS):
        started = time.perf_counter()
        status_of(port, "/health")
        taken.append(time.perf_counter() - started)
    return sorted(taken)[LOOKS * 99 // 100 - 1]


def test_with_one_engine_hanging_the_calls_of_another_keep_their_places(engine: FakeGuardian) -> None:
    with FakeGuardian(grants) as other, ThreadPoolExecutor(8) as threads:
        hanging, working = (GuardianClient(RemoteTransport(each.url, 3 * AMPLE, 8)) for each in (engine, other))
        waiting = [threads.submit(refusal, hanging) for _ in range(8)]
        wait_for(lambda: len(engine.seen) == 8)

        for _ in range(20):
            _ask(working, QUESTION)
        hanging_yet = [not each.done() for each in waiting]
        engine.hang_up()

    assert hanging_yet == [True] * 8


def _ask(client: GuardianClient, question: AccessRequest) -> None:
    client.check(question, token=TOKEN, request_id="request-1")
