"""A hanging policy engine takes no thread that other endpoints need."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.across.faults.service import Service
from tests.fakes.guardian import FakeGuardian, grants, hangs
from tests.support.clients import PASSWORD, Tenant
from tests.support.marks import one_database
from tests.support.waiting import wait_for

pytestmark = one_database

THREADS, DEADLINE = 4, 2.0
AT_ONCE = 0.8


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian(grants) as found:
        yield found


@pytest.fixture(scope="module")
def service(database_url: str, engine: FakeGuardian, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {
        "DATABASE_URL": database_url,
        "GUARDIAN_SERVICE_URL": engine.url,
        "GUARDIAN_SERVICE_TIMEOUT": str(DEADLINE),
        "THREADS": str(THREADS),
        "WEB_CONCURRENCY": "1",
    }
    with Service(tmp_path_factory.mktemp("service"), **settings) as started:
        yield started


def test_with_a_hanging_engine_everything_else_keeps_its_pace(
    service: Service, engine: FakeGuardian, acme: Tenant
) -> None:
    token = acme.admin.token
    assert service.call("GET", "/customers", token=token).status == 200
    engine.behaviour = hangs
    asked = len(engine.seen)

    with ThreadPoolExecutor(12) as threads:
        calls = [threads.submit(service.call, "GET", "/customers", token=token) for _ in range(8)]
        wait_for(lambda: len(engine.seen) - asked == THREADS // 2)
        login = {"email": acme.admin.email, "password": PASSWORD}
        others = [
            service.call("GET", "/health"),
            service.call("GET", "/health/ready"),
            service.call("GET", "/auth/verify", token=token),
            service.call("GET", "/users/me", token=token),
            service.call("POST", "/auth/login", login),
            service.call("POST", "/auth/logout"),
        ]
        answers = [call.result() for call in calls]

    assert [other.status for other in others] == [200] * 6
    assert max(other.seconds for other in others) < AT_ONCE
    refused = [answer for answer in answers if answer.status == 503]
    late = [answer for answer in answers if answer.status == 504]
    assert (len(refused), len(late)) == (6, 2)
    assert max(answer.seconds for answer in refused) < AT_ONCE
    assert all(DEADLINE <= answer.seconds < DEADLINE + 1 for answer in late)
    assert all("Retry-After" in answer.headers for answer in refused)

    engine.behaviour = grants
    assert service.call("GET", "/customers", token=token).status == 200


def test_health_is_degraded_while_the_engine_hangs_and_never_waits_for_it(
    service: Service, engine: FakeGuardian
) -> None:
    engine.behaviour = hangs
    wait_for(lambda: service.call("GET", "/health").json["status"] == "degraded")

    answers = [service.call("GET", "/health") for _ in range(5)]

    assert {answer.status for answer in answers} == {200}
    assert {answer.json["status"] for answer in answers} == {"degraded"}
    assert all(answer.json["checks"]["database"]["healthy"] for answer in answers)
    assert not any(answer.json["checks"]["guardian"]["healthy"] for answer in answers)
    assert max(answer.seconds for answer in answers) < AT_ONCE
    assert engine.url.rpartition(":")[2] not in answers[0].text
