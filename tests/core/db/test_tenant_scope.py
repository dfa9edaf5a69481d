"""Where a tenant is bound, what the platform sees, and prepared reads."""

from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from app.companies.models import Company
from app.core.db.tenancy import TenantNotSet, TenantQuery, current_scope, tenant
from app.core.db.transaction import platform_session, read, read_in_own_transaction, unit_of_work
from app.customers.models import Customer
from tests.support.clients import Tenant


def test_a_tenant_cannot_be_bound_inside_a_transaction(acme: Tenant, globex: Tenant) -> None:
    with tenant(acme.company_id), unit_of_work() as session:
        with pytest.raises(RuntimeError, match="inside an open transaction"), tenant(globex.company_id):
            pass
        with pytest.raises(RuntimeError, match="inside an open transaction"), platform_session():
            pass
        assert session.scalars(select(Company.id)).all() == [acme.company_id]


def test_a_unit_of_work_cannot_start_inside_another(acme: Tenant) -> None:
    with tenant(acme.company_id), unit_of_work(), pytest.raises(RuntimeError, match="inside another"), unit_of_work():
        pass


def test_the_tenant_is_unbound_after_an_error(acme: Tenant) -> None:
    with pytest.raises(LookupError), tenant(acme.company_id), unit_of_work():
        raise LookupError

    assert current_scope().company_id is None
    with tenant(acme.company_id), unit_of_work() as session:
        assert session.scalars(select(Company.id)).all() == [acme.company_id]


def test_the_platform_sees_every_company_and_no_other_table(acme: Tenant, globex: Tenant) -> None:
    with platform_session() as session:
        assert set(session.scalars(select(Company.id))) == {acme.company_id, globex.company_id}
        with pytest.raises(TenantNotSet):
            session.scalars(select(Customer)).all()
        with pytest.raises(TenantNotSet):
            session.execute(select(Company.id).join(Customer, Customer.company_id == Company.id)).all()


def test_the_platform_adds_no_rows(acme: Tenant) -> None:
    with platform_session() as session:
        session.add(Customer(name="Wile", company_id=acme.company_id))
        with pytest.raises(TenantNotSet):
            session.flush()


CUSTOMERS, COMPANIES = TenantQuery(select(Customer.id)), TenantQuery(select(Company.id))


def test_a_prepared_read_serves_each_tenant_its_own(acme: Tenant, globex: Tenant, two: tuple[UUID, UUID]) -> None:
    for each, own in ((acme, two[0]), (globex, two[1]), (acme, two[0])):
        with tenant(each.company_id):
            assert [row.id for row in read_in_own_transaction(CUSTOMERS, {})] == [own]
            with unit_of_work(writes=False):
                assert [row.id for row in read(CUSTOMERS, {})] == [own]


def test_a_prepared_read_without_a_tenant_is_refused(acme: Tenant) -> None:
    with pytest.raises(TenantNotSet), unit_of_work(writes=False):
        read(CUSTOMERS, {})
    with pytest.raises(StatementError, match="No tenant is bound"):
        read_in_own_transaction(CUSTOMERS, {})


def test_a_prepared_read_of_the_platform_sees_companies_only(acme: Tenant, globex: Tenant) -> None:
    with platform_session():
        assert {row.id for row in read(COMPANIES, {})} == {acme.company_id, globex.company_id}
        with pytest.raises(TenantNotSet):
            read(CUSTOMERS, {})


def test_reading_units_of_work_write_nothing(acme: Tenant) -> None:
    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        row = session.scalars(select(Company)).one()
        row.name = "Changed"

    assert acme.admin.get(f"/companies/{acme.company_id}").get_json()["name"] == "acme"
