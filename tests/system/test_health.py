"""Health: only the database is asked live, and nothing that hangs delays anybody."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.config.settings import VERSION
from tests.fakes.guardian import FakeGuardian, answers, closes, hangs
from tests.support.clients import ApiClient, Tenant
from tests.support.databases import Postgres, dispose, settings_for, worker
from tests.support.marks import flaky, one_database
from tests.support.variants import Variant

QUICK_SECONDS = 1.0
NOBODY_LISTENS = "postgresql://identity:sesame@127.0.0.1:1/identity_directory"
NO_SUCH_FOLDER = "sqlite:////nonexistent-folder/identity.db"


@pytest.fixture
def guardian() -> Iterator[FakeGuardian]:
    with FakeGuardian(answers(200, {"status": "healthy"})) as found:
        yield found


@pytest.fixture(params=[NOBODY_LISTENS, NO_SUCH_FOLDER], ids=["postgresql", "sqlite"])
def without_database(request: pytest.FixtureRequest) -> ApiClient:
    return ApiClient(create_app(settings_for(request.param)))


def timed(client: ApiClient, path: str = "/health") -> tuple[Any, float]:
    started = time.monotonic()
    answer = client.get(path)
    return answer, time.monotonic() - started


# /health


@pytest.mark.usefixtures("patient_health")
def test_healthy_service_lists_only_what_is_configured(anonymous: ApiClient) -> None:
    answer = anonymous.get("/health")

    found = answer.get_json()
    assert answer.status_code == 200
    assert (found["status"], found["service"], found["version"]) == ("healthy", "identity_service", VERSION)
    assert found["environment"] == "testing"
    assert list(found["checks"]) == ["database", "storage"]
    assert found["checks"]["database"]["healthy"] is True
    assert found["checks"]["database"]["response_time_ms"] > 0


@flaky
@pytest.mark.usefixtures("postgres")
def test_service_without_its_database_is_unhealthy_and_says_so_in_no_detail(without_database: ApiClient) -> None:
    answer, seconds = timed(without_database)

    found = answer.get_json()
    assert answer.status_code == 503
    assert (found["status"], found["checks"]["database"]["healthy"]) == ("unhealthy", False)
    assert seconds < 3
    for word in ("127.0.0.1", "sesame", "identity_directory", "nonexistent", "sqlite", "psycopg", "Traceback"):
        assert word not in answer.text


@one_database
@pytest.mark.usefixtures("patient_health")
def test_reachable_engine_is_listed(variant: Variant, guardian: FakeGuardian) -> None:
    answer = ApiClient(variant(GUARDIAN_SERVICE_URL=guardian.url)).get("/health")

    assert answer.get_json()["status"] == "healthy"
    assert answer.get_json()["checks"]["guardian"]["healthy"] is True


@one_database
@flaky
@pytest.mark.parametrize("behaviour", [hangs, closes, answers(500, {}), answers(302, {})])
def test_bad_engine_degrades_and_delays_nobody(variant: Variant, guardian: FakeGuardian, behaviour: Any) -> None:
    guardian.behaviour = behaviour
    client = ApiClient(variant(GUARDIAN_SERVICE_URL=guardian.url))

    (first, first_seconds), (second, second_seconds) = timed(client), timed(client)

    for answer in (first, second):
        found = answer.get_json()
        assert (answer.status_code, found["status"]) == (200, "degraded")
        assert found["checks"]["guardian"]["healthy"] is False
        assert found["checks"]["database"]["healthy"] is True
        assert guardian.url.removeprefix("http://") not in answer.text
    assert first_seconds < QUICK_SECONDS
    assert second_seconds < QUICK_SECONDS / 2


@one_database
@flaky
def test_engine_that_nobody_runs_degrades(variant: Variant) -> None:
    answer, seconds = timed(ApiClient(variant(GUARDIAN_SERVICE_URL="http://127.0.0.1:1")))

    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    assert "127.0.0.1" not in answer.text
    assert seconds < QUICK_SECONDS


# /health/live and /health/ready


@flaky
@pytest.mark.usefixtures("postgres")
def test_process_is_alive_without_its_database_but_not_ready(without_database: ApiClient) -> None:
    live, live_seconds = timed(without_database, "/health/live")
    ready = without_database.get("/health/ready")

    assert (live.status_code, live.get_json()) == (200, {"status": "alive"})
    assert live_seconds < QUICK_SECONDS / 2
    assert (ready.status_code, ready.get_json()) == (503, {"status": "database not ready"})


def test_live_touches_no_database(anonymous: ApiClient, statements: Any) -> None:
    with statements() as sent:
        anonymous.get("/health/live")

    assert sent == []


@one_database
def test_service_is_ready_until_it_drains(variant: Variant, tmp_path: Path) -> None:
    drain_file = tmp_path / "draining"
    client = ApiClient(variant(DRAIN_FILE=str(drain_file)))

    before = client.get("/health/ready")
    drain_file.touch()
    draining = client.get("/health/ready")
    health = client.get("/health")

    assert (before.status_code, before.get_json()) == (200, {"status": "ready"})
    assert (draining.status_code, draining.get_json()) == (503, {"status": "draining"})
    assert health.status_code == 200


def test_service_is_not_ready_before_the_migrations(database: str, postgres: Postgres, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    if database == "postgresql":
        postgres.create(f"unmigrated_{worker()}")
        url = postgres.url(f"unmigrated_{worker()}")
    app = create_app(settings_for(url))

    answer = ApiClient(app).get("/health/ready")

    assert answer.status_code == 503
    dispose(app)


# /version


@one_database
def test_version_needs_a_token_and_no_permission(acme: Tenant, anonymous: ApiClient) -> None:
    assert anonymous.get("/version").status_code == 401
    assert acme.user().get("/version").get_json() == {"version": VERSION}


@one_database
def test_health_needs_no_token_and_takes_no_notice_of_a_wrong_one(app: Flask) -> None:
    for path in ("/health", "/health/live", "/health/ready"):
        assert ApiClient(app, token="not a token").get(path).status_code == 200
