"""A remote Guardian asked side by side: bounded, within one deadline, and nothing left behind."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from app.core.db.models import db
from tests.access.conftest import moved
from tests.fakes.guardian import FakeGuardian, answers, hangs, resets
from tests.fakes.roles import FakeRoles, slowly, wide
from tests.support.clients import Tenant
from tests.support.marks import flaky, only_postgresql
from tests.support.variants import Variant

# Where connections to the database are dear.
pytestmark = [only_postgresql, flaky]
TIMEOUT, SLACK = 0.5, 0.6
OWN = "/users/me/permissions"


def test_sixty_calls_take_the_time_of_a_few(acme: Tenant, engine: FakeGuardian, variant: Variant) -> None:
    engine.behaviour = wide(0.1, acme.admin.company_id, acme.admin.user_id, roles=10, policies=5)
    admin = moved(acme.admin, variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_MAX_IN_FLIGHT="16"))
    started = time.monotonic()

    found = admin.get(OWN)

    assert len(found.get_json()["permissions"]) == 50
    # Six rounds of 0.1 s; one after the other there would be 61.
    assert time.monotonic() - started < 20 * 0.1


def test_calls_of_all_requests_together_stay_within_the_bound(
    acme: Tenant, engine: FakeGuardian, variant: Variant
) -> None:
    data = wide(0.02, acme.admin.company_id, acme.admin.user_id, roles=10, policies=5)
    engine.behaviour = data
    admin = moved(acme.admin, variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_MAX_IN_FLIGHT="10"))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: admin.get(OWN).status_code, range(4)))

    assert found == [200] * 4
    # A fifth of the permits is left for permission checks.
    assert data.most_at_once == 8


def test_requests_wait_for_one_another_where_there_is_one_permit(
    acme: Tenant, engine: FakeGuardian, variant: Variant
) -> None:
    data = wide(0.02, acme.admin.company_id, acme.admin.user_id, roles=2, policies=1)
    engine.behaviour = data
    admin = moved(acme.admin, variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_MAX_IN_FLIGHT="1"))

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: admin.get(OWN).status_code, range(3)))

    assert (found, data.most_at_once) == ([200] * 3, 1)


def test_permission_checks_find_a_permit_while_roles_are_read(
    acme: Tenant, engine: FakeGuardian, variant: Variant
) -> None:
    data = wide(0.03, acme.admin.company_id, acme.admin.user_id, roles=10, policies=5)
    engine.behaviour = data
    admin = moved(acme.admin, variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_MAX_IN_FLIGHT="5"))
    checked = []

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(admin.get, OWN) for _ in range(3)]
        while not all(each.done() for each in readers):
            checked.append(admin.get("/customers").status_code)

    assert [each.result().status_code for each in readers] == [200] * 3
    assert len(checked) > 3
    assert set(checked) == {200}


def test_one_deadline_holds_for_the_whole_request(acme: Tenant, engine: FakeGuardian, variant: Variant) -> None:
    engine.behaviour = wide(0.2, acme.admin.company_id, acme.admin.user_id, roles=1, policies=1)
    settings = {"GUARDIAN_SERVICE_URL": engine.url, "GUARDIAN_SERVICE_TIMEOUT": str(TIMEOUT)}
    admin = moved(acme.admin, variant(**settings))
    started = time.monotonic()

    found = admin.get(OWN)

    # Three calls of 0.2 s one after the other: each in time, but not all together.
    assert found.status_code == 504
    assert 2 * 0.2 < time.monotonic() - started < TIMEOUT + SLACK


def test_waiting_for_a_permit_ends_at_the_deadline(acme: Tenant, engine: FakeGuardian, variant: Variant) -> None:
    data = wide(0, acme.admin.company_id, acme.admin.user_id, roles=1, policies=1)
    data.faults["GET /user-roles"] = hangs
    engine.behaviour = data
    settings = {"GUARDIAN_MAX_IN_FLIGHT": "1", "GUARDIAN_SERVICE_TIMEOUT": str(TIMEOUT)}
    admin = moved(acme.admin, variant(GUARDIAN_SERVICE_URL=engine.url, **settings))
    started = time.monotonic()

    with ThreadPoolExecutor(2) as pool:
        found = sorted(each.status_code for each in pool.map(lambda _: admin.get(OWN), range(2)))

    assert found in ([503, 504], [504, 504])
    assert time.monotonic() - started < TIMEOUT + SLACK


def test_failures_give_their_permits_back(acme: Tenant, engine: FakeGuardian, variant: Variant) -> None:
    data = wide(0, acme.admin.company_id, acme.admin.user_id, roles=10, policies=1)
    engine.behaviour = data
    settings = {"GUARDIAN_MAX_IN_FLIGHT": "3", "GUARDIAN_SERVICE_TIMEOUT": "2"}
    admin = moved(acme.admin, variant(GUARDIAN_SERVICE_URL=engine.url, **settings))

    for fault in (hangs, resets, answers(500, {}), slowly(0.15, resets)):
        data.faults = {"GET /policies/": fault}
        assert admin.get(OWN).status_code in (502, 503, 504)
    data.faults = {}

    assert admin.get(OWN).status_code == 200


def test_no_thread_and_no_database_connection_is_kept_while_the_engine_answers(
    acme: Tenant, engine: FakeGuardian, remote: Flask
) -> None:
    data = wide(0.05, acme.admin.company_id, acme.admin.user_id, roles=10, policies=1)
    engine.behaviour = data
    admin, held, own = moved(acme.admin, remote), [], threading.get_ident()
    with remote.app_context():
        pool: Any = db.engine.pool
    admin.get(OWN)

    def note(exchange: Any) -> bool:
        names = {each.name for each in threading.enumerate()}
        held.append((pool.checkedout(), [each for each in names if each.startswith("ThreadPool")]))
        return data._answer(exchange)

    data.faults = {"GET /": note}
    before = threading.active_count()
    found = admin.get(OWN)

    assert found.status_code == 200
    assert own == threading.get_ident()
    assert len(held) == 21
    assert {connections for connections, _ in held} == {0}
    assert {tuple(names) for _, names in held} == {()}
    assert threading.active_count() <= before


def test_engine_that_keeps_failing_is_left_alone_here_too(data: FakeRoles, acme: Tenant, remote: Flask) -> None:
    admin = moved(acme.admin, remote)
    data.faults = {"GET /": answers(500, {})}

    statuses = [admin.get(OWN).status_code for _ in range(6)]
    checked = admin.get("/customers").status_code

    assert statuses == [502] * 5 + [503]
    assert checked == 503
    assert len(data.asked) == 5
