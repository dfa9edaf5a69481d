"""Deleting a company that holds more rows than one request deletes."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.base.clock import utcnow
from app.base.errors import Unavailable
from app.companies import deletion
from app.companies.deletion import DELETE, continue_deletion
from app.core.crud.erase import erase_rows
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.files.stored_file import REMOVE
from app.core.jobs.outbox import Job, claim
from app.core.jobs.worker import Worker
from app.customers.models import Customer
from tests.companies.founding import fill, item, tenant_rows
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import only_postgresql
from tests.support.outbox import change_entries, entries, make_due

LIMIT = 100
"""Rows of a batch, which the permissions of a new company alone exceed."""


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "AT_ONCE", LIMIT)
    monkeypatch.setattr(deletion, "WAIT", timedelta())


@pytest.fixture
def large(acme: Tenant, globex: Tenant) -> Tenant:
    """An inactive company with more rows than the limit."""
    acme.admin.patch(item(globex), {"status": "inactive"})
    return globex


@pytest.fixture
def full(acme: Tenant, globex: Tenant) -> Tenant:
    """An inactive company with one of everything, more customers than the limit, and a chain of units."""
    fill(globex)
    unit = globex.admin.create("/organization_units", {"name": "root"})
    for number in range(3):
        unit = globex.admin.create("/organization_units", {"name": f"unit {number}", "parent_id": unit["id"]})
    add_customers(globex, 2 * LIMIT)
    acme.admin.patch(item(globex), {"status": "inactive"})
    return globex


def add_customers(company: Tenant, number: int) -> None:
    with company.app.app_context(), company_transaction(company.company_id) as session:
        session.add_all([Customer(name=f"customer {each}") for each in range(number)])


def work(app: Flask) -> None:
    Worker(app).drain()


def jobs(app: Flask, kind: str = DELETE) -> list[Job]:
    return entries(app, Job.kind == kind)


def delete(acme: Tenant, company: Tenant, query: str = "?cascade=true") -> Any:
    return acme.admin.delete(f"{item(company)}{query}")


def test_a_large_company_reads_deleting_until_a_job_has_deleted_it_with_its_files(acme: Tenant, full: Tenant) -> None:
    bystander = tenant_rows(acme)

    answer = delete(acme, full)

    assert (answer.status_code, answer.get_json()["customer"]) == (202, 2 * LIMIT + 1)
    assert acme.admin.get(item(full)).get_json()["status"] == "deleting"
    work(acme.app)
    assert acme.admin.get(item(full)).status_code == 404
    assert set(tenant_rows(full).values()) == {0}
    assert jobs(acme.app, REMOVE) == []
    assert tenant_rows(acme) == bystander


def test_nobody_signs_in_to_a_company_that_is_being_deleted(acme: Tenant, large: Tenant, anonymous: ApiClient) -> None:
    delete(acme, large)

    login = anonymous.post("/auth/login", {"email": large.admin.email, "password": PASSWORD})

    assert (login.status_code, login.get_json()["error_code"]) == (403, "COMPANY_NOT_ACTIVE")
    assert large.admin.get("/users/me").status_code == 403


def test_a_company_that_is_being_deleted_does_not_change(acme: Tenant, large: Tenant) -> None:
    delete(acme, large)

    for answer in (
        acme.admin.patch(item(large), {"status": "active"}),
        acme.admin.put(item(large), {"name": "globex"}),
        acme.admin.delete(f"{item(large)}/logo"),
    ):
        assert (answer.status_code, answer.get_json().get("error_code")) == (409, "COMPANY_DELETING")
    assert acme.admin.get(item(large)).get_json()["status"] == "deleting"


def test_nobody_sets_the_status_deleting(acme: Tenant, globex: Tenant) -> None:
    assert acme.admin.patch(item(globex), {"status": "deleting"}).status_code == 400
    assert acme.admin.post("/companies", {"name": "Initech", "status": "deleting"}).status_code == 400
    assert acme.admin.get(item(globex)).get_json()["status"] == "active"


def test_a_second_deletion_is_accepted_and_adds_no_job(acme: Tenant, large: Tenant) -> None:
    delete(acme, large)

    assert [delete(acme, large, query).status_code for query in ("?cascade=true", "")] == [202, 202]
    assert len(jobs(acme.app)) == 1


def test_a_second_deletion_starts_again_what_was_given_up(acme: Tenant, large: Tenant) -> None:
    delete(acme, large)
    change_entries(acme.app, Job.kind == DELETE, failed_at=utcnow())

    assert delete(acme, large).status_code == 202
    work(acme.app)

    assert set(tenant_rows(large).values()) == {0}


def test_a_job_leaves_to_the_next_what_its_turn_was_too_short_for(
    acme: Tenant, large: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "TURN_SECONDS", 0.0)
    delete(acme, large)

    with acme.app.app_context():
        leased = claim()
        assert leased is not None
        continue_deletion(leased)

    assert [job.id != leased.id for job in jobs(acme.app)] == [True]
    assert tenant_rows(large)["company"] == 1


def test_a_deletion_goes_on_where_a_killed_worker_left_it(
    acme: Tenant, large: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_customers(large, 2 * LIMIT)
    delete(acme, large)
    with acme.app.app_context(), monkeypatch.context() as patched:
        batches = iter([True, True])
        patched.setattr(deletion, "erase_rows", lambda *args: next(batches) and erase_rows(*args))
        leased = claim()
        assert leased is not None
        with pytest.raises(StopIteration):
            continue_deletion(leased)
    left = sum(tenant_rows(large).values())
    change_entries(acme.app, Job.kind == DELETE, leased_until=utcnow())

    work(acme.app)

    assert left > LIMIT
    assert set(tenant_rows(large).values()) == {0}


@only_postgresql
def test_a_batch_has_more_time_than_a_request(acme: Tenant, large: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def erase(limit: int, token: str) -> int:
        statement = text("SHOW statement_timeout").execution_options(unguarded="a test")
        shown.append(db.session.scalar(statement))
        return erase_rows(limit, token)

    monkeypatch.setattr(deletion, "erase_rows", erase)
    delete(acme, large)

    work(acme.app)

    assert set(shown) == {"30s"}


def test_the_company_stays_until_its_files_are_gone(
    acme: Tenant, full: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = acme.app.extensions["identity"].storage
    delete(acme, full)
    with monkeypatch.context() as patched:
        patched.setattr(type(storage), "remove", _refuse)
        patched.setattr(deletion, "WAIT", timedelta(days=1))
        work(acme.app)
    assert tenant_rows(full)["customer"] == 0
    assert acme.admin.get(item(full)).get_json()["status"] == "deleting"

    make_due(acme.app, Job.kind == REMOVE)
    work(acme.app)
    make_due(acme.app)
    work(acme.app)

    assert acme.admin.get(item(full)).status_code == 404
    assert jobs(acme.app, REMOVE) == []


def _refuse(*_args: object) -> None:
    raise Unavailable("The storage is away.")


def test_a_row_that_arrives_meanwhile_goes_as_well(acme: Tenant, large: Tenant) -> None:
    delete(acme, large)
    add_customers(large, 1)

    work(acme.app)

    assert set(tenant_rows(large).values()) == {0}


def test_a_company_within_the_limit_is_deleted_at_once(
    acme: Tenant, globex: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "AT_ONCE", 1_000)
    acme.admin.patch(item(globex), {"status": "inactive"})

    assert delete(acme, globex).status_code == 204


def test_a_batch_deletes_no_more_than_its_limit(acme: Tenant, full: Tenant) -> None:
    before = sum(tenant_rows(full).values())

    with acme.app.app_context(), company_transaction(full.company_id):
        deleted = erase_rows(LIMIT)

    assert 0 < before - sum(tenant_rows(full).values()) <= deleted <= LIMIT
