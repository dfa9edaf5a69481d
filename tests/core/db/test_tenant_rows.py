"""Rows are written for the bound tenant and for no other."""

from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.companies.models import Company
from app.core.db.tenancy import ForeignTenant, TenantNotSet, current_tenant, tenant
from app.core.db.transaction import unit_of_work
from app.customers.models import Customer
from tests.support.clients import Tenant


def test_a_new_row_cannot_be_added_while_no_tenant_is_bound(app: Flask) -> None:
    with unit_of_work(writes=False) as session:
        session.add(Customer(name="Wile"))
        with pytest.raises(TenantNotSet):
            session.flush()


def test_there_is_no_current_tenant_unless_one_is_bound() -> None:
    with pytest.raises(TenantNotSet):
        current_tenant()


def test_a_new_row_is_stamped_with_the_bound_tenant(acme: Tenant) -> None:
    with tenant(acme.company_id), unit_of_work() as session:
        row = Customer(name="Wile")
        session.add(row)
        session.flush()

    assert row.company_id == acme.company_id


def test_a_new_row_of_another_tenant_is_refused(acme: Tenant, globex: Tenant) -> None:
    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        session.add(Customer(name="Wile", company_id=globex.company_id))
        with pytest.raises(ForeignTenant):
            session.flush()


def test_a_row_cannot_be_merged_over_one_of_another_tenant(
    acme: Tenant, globex: Tenant, two: tuple[UUID, UUID]
) -> None:
    stolen = Customer(id=two[1], company_id=globex.company_id, name="Mine now")

    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        session.merge(stolen)
        with pytest.raises(ForeignTenant):
            session.flush()


def test_the_tenant_of_a_row_never_changes(acme: Tenant, globex: Tenant, two: tuple[UUID, UUID]) -> None:
    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        session.scalars(select(Customer)).one().company_id = globex.company_id
        with pytest.raises(ForeignTenant):
            session.flush()


@pytest.mark.parametrize("change", ["update", "delete"])
def test_a_foreign_row_that_got_into_a_session_is_not_written(
    acme: Tenant, globex: Tenant, two: tuple[UUID, UUID], change: str
) -> None:
    with tenant(globex.company_id), unit_of_work(writes=False) as session:
        row = session.scalars(select(Customer)).one()
        session.expunge(row)

    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        session.add(row)
        session.delete(row) if change == "delete" else setattr(row, "name", "Mine now")
        with pytest.raises(ForeignTenant):
            session.flush()


def test_the_id_of_a_company_never_changes(acme: Tenant) -> None:
    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        session.scalars(select(Company)).one().id = uuid7()
        with pytest.raises(ForeignTenant):
            session.flush()
