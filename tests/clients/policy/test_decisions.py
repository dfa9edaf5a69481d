"""Remembered grants in the service: what they save, and that a change of a role is seen at once everywhere."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from app.companies.models import Company
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.guardian.models import PolicyPermission, Role, RolePolicy, UserRole
from tests.fakes.guardian import FakeGuardian, decides, grants
from tests.support.clients import ApiClient, Tenant
from tests.support.databases import Postgres, worker
from tests.support.engine_events import sent_statements
from tests.support.marks import one_database, only_postgresql
from tests.support.roles import give, role_id, role_with, user_with
from tests.support.variants import Variant


@pytest.fixture
def caching(variant: Variant) -> Flask:
    return variant(GUARDIAN_DECISION_TTL_SECONDS="600")


@pytest.fixture
def also_caching(variant: Variant) -> Flask:
    """As another process."""
    return variant(GUARDIAN_DECISION_TTL_SECONDS="600")


def at(app: Flask, person: ApiClient) -> ApiClient:
    return ApiClient(app, person.token)


def statements_of(app: Flask, speaker: ApiClient, path: str) -> list[str]:
    with sent_statements(app) as sent:
        assert speaker.get(path).status_code == 200
    return sent


def test_a_remembered_grant_saves_the_decisions_statement(caching: Flask, acme: Tenant) -> None:
    speaker = at(caching, acme.admin)
    path = f"/customers/{speaker.create('/customers', {'name': 'Wile'})['id']}"

    first, second = (len(statements_of(caching, speaker, path)) for _ in range(2))

    assert (first, second) == (3, 2)


@one_database
def test_nothing_is_remembered_by_default(app: Flask, acme: Tenant) -> None:
    assert [len(statements_of(app, acme.admin, f"/users/{acme.admin.user_id}")) for _ in range(2)] == [3, 3]


def test_a_role_taken_away_is_gone_at_once_in_every_process(caching: Flask, also_caching: Flask, acme: Tenant) -> None:
    user = acme.user()
    assignment = give(acme, user, role_id(acme, "viewer"))
    assert {at(each, user).get("/customers").status_code for each in (caching, also_caching)} == {200}

    at(also_caching, acme.admin).delete(f"/guardian/user-roles/{assignment}")

    assert {at(each, user).get("/customers").status_code for each in (caching, also_caching)} == {403}


def _change(what: str) -> Any:
    statements = {
        "assignment": delete(UserRole),
        "role": update(Role).values(is_system=False),
        "policy_of_a_role": delete(RolePolicy),
        "permission_of_a_policy": delete(PolicyPermission),
    }
    return statements[what].execution_options(synchronize_session=False)


@pytest.mark.parametrize("what", ["assignment", "role", "policy_of_a_role", "permission_of_a_policy"])
def test_a_change_of_anything_that_decides_is_seen_at_once(caching: Flask, acme: Tenant, what: str) -> None:
    user = acme.user("administrator") if what == "role" else user_with(acme, "identity:customer:LIST")
    assert at(caching, user).get("/customers").status_code == 200

    with caching.app_context(), tenant(acme.company_id), unit_of_work() as session:
        session.execute(_change(what))

    assert at(caching, user).get("/customers").status_code == 403


def version_of(company: Tenant) -> int:
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False) as session:
        found: int = session.scalars(select(Company.policy_version)).one()
    return found


def test_a_change_that_is_rolled_back_raises_nothing(acme: Tenant) -> None:
    before = version_of(acme)

    with suppress(LookupError), acme.app.app_context(), tenant(acme.company_id), unit_of_work() as session:
        session.execute(delete(RolePolicy).execution_options(synchronize_session=False))
        raise LookupError

    assert version_of(acme) == before


def test_a_change_in_one_company_leaves_the_others_version(acme: Tenant, globex: Tenant) -> None:
    before, own = version_of(globex), version_of(acme)

    role_with(acme, "identity:customer:LIST")

    assert version_of(globex) == before
    assert version_of(acme) > own


def test_the_version_is_nobodys_to_write_or_read(acme: Tenant) -> None:
    path = f"/companies/{acme.company_id}"

    assert "policy_version" not in acme.admin.get(path).get_json()
    assert acme.admin.patch(path, {"policy_version": 0}).status_code == 400


def test_a_change_of_a_role_moves_no_version_of_the_companys_own(acme: Tenant) -> None:
    path = f"/companies/{acme.company_id}"
    before = acme.admin.get(path).headers["ETag"]

    role_with(acme, "identity:customer:LIST")

    assert acme.admin.get(path).headers["ETag"] == before


@only_postgresql
def test_an_operator_who_changes_roles_by_hand_raises_every_companys_version(
    acme: Tenant, globex: Tenant, postgres: Postgres
) -> None:
    before = version_of(acme), version_of(globex)

    with postgres.superuser(f"identity_{worker()}") as connection:
        connection.execute("DELETE FROM user_role WHERE false")

    assert (version_of(acme), version_of(globex)) == (before[0] + 1, before[1] + 1)


THREADS, ROUNDS = 6, 8


def test_changes_at_once_lose_no_version_and_wait_for_each_other_without_end(acme: Tenant) -> None:
    role = role_with(acme, "identity:customer:LIST")
    users = [UUID(acme.user().user_id) for _ in range(THREADS)]
    before, gate = version_of(acme), threading.Barrier(THREADS, timeout=30)

    def change(number: int) -> int:
        gate.wait()
        for _ in range(ROUNDS):
            _change_twice(acme, users[number], UUID(role), assigns_first=number % 2 == 0)
        return ROUNDS

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(change, range(THREADS))) == [ROUNDS] * THREADS

    assert version_of(acme) == before + 3 * THREADS * ROUNDS


def _change_twice(company: Tenant, user_id: UUID, role: UUID, *, assigns_first: bool) -> None:
    """A row that every thread wants, and one of its own, in either order: whoever locks late is locked out."""
    shared = update(Role).where(Role.id == role).values(description=str(user_id))
    mine = delete(UserRole).where(UserRole.user_id == user_id)
    with company.app.app_context(), tenant(company.company_id), unit_of_work() as session:
        if assigns_first:
            _assign(session, user_id, role)
        session.execute(shared.execution_options(synchronize_session=False))
        if not assigns_first:
            _assign(session, user_id, role)
        session.execute(mine.execution_options(synchronize_session=False))


def _assign(session: Session, user_id: UUID, role: UUID) -> None:
    session.add(UserRole(user_id=user_id, role_id=role))
    session.flush()


# With a remote engine.


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian(grants) as running:
        yield running


@one_database
def test_with_a_remote_engine_a_grant_is_forwarded_once_and_a_denial_every_time(
    variant: Variant, engine: FakeGuardian, acme: Tenant
) -> None:
    remote = variant(GUARDIAN_DECISION_TTL_SECONDS="600", GUARDIAN_SERVICE_URL=engine.url)
    speaker = at(remote, acme.admin)
    engine.behaviour = decides(lambda asked: asked["resource_name"] == "customer")

    found = [speaker.get(path).status_code for path in ("/customers", "/users") for _ in range(3)]

    assert found == [200] * 3 + [403] * 3
    assert len(engine.seen) == 4


@one_database
def test_by_default_every_request_is_forwarded(variant: Variant, engine: FakeGuardian, acme: Tenant) -> None:
    speaker = at(variant(GUARDIAN_SERVICE_URL=engine.url), acme.admin)

    for _ in range(3):
        speaker.get("/customers")

    assert len(engine.seen) == 3


@one_database
def test_raising_the_version_is_one_update_of_the_company(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        found = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()

    assert sum(name.startswith("policy_version_") for name in found) == 12
