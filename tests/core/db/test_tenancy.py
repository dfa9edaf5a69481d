"""The session's guard: what it narrows, what it stamps, and what it refuses. Row-level security is
tested in tests/across/test_isolation.py; everything here holds on SQLite, which has none."""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import delete, exists, func, insert, literal, select, text, union, union_all, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from app.companies.models import Company
from app.core.db.models import db
from app.core.db.tenancy import (
    ForeignTenant,
    TenantNotSet,
    TenantQuery,
    UnguardedStatement,
    current_scope,
    current_tenant,
    tenant,
)
from app.core.db.transaction import platform_session, read, read_in_own_transaction, unit_of_work
from app.customers.models import Customer
from app.subcontractors.models import Subcontractor
from app.users.models import LoginKey
from tests.support.clients import Tenant
from tests.support.rows import by_row

Ask = Callable[[Session], Any]


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def wile(acme: Tenant) -> UUID:
    """Acme's one customer."""
    return UUID(acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})["id"])


@pytest.fixture
def road_runner(globex: Tenant) -> UUID:
    """Globex's one customer, of the same name."""
    return UUID(globex.admin.create("/customers", {"name": "Wile", "email": "runner@example.com"})["id"])


@pytest.fixture
def two(wile: UUID, road_runner: UUID) -> tuple[UUID, UUID]:
    return wile, road_runner


Other = aliased(Customer)
COUNTS: dict[str, Ask] = {
    "entities": lambda s: len(s.scalars(select(Customer)).all()),
    "columns": lambda s: len(s.execute(select(Customer.name, Customer.email)).all()),
    "count": lambda s: s.scalar(select(func.count()).select_from(Customer)),
    "count of a column": lambda s: s.scalar(select(func.count(Customer.id))),
    "count over a subquery": lambda s: s.scalar(
        select(func.count()).select_from(select(Customer.id).where(Customer.name == "Wile").subquery())
    ),
    "count over a subquery of a subquery": lambda s: s.scalar(
        select(func.count()).select_from(select(select(Customer.id).subquery()).subquery())
    ),
    "scalar subquery": lambda s: s.scalar(select(select(func.count(Customer.id)).scalar_subquery().label("count"))),
    "IN over a subquery": lambda s: s.scalar(select(func.count(Customer.id)).where(Customer.id.in_(select(Other.id)))),
    "common table expression": lambda s: s.scalar(
        select(func.count()).select_from(select(Customer.id).cte("customers"))
    ),
    "alias": lambda s: len(s.scalars(select(Other)).all()),
    "aliased subquery": lambda s: len(s.scalars(select(aliased(Customer, select(Customer).subquery()))).all()),
    "self-join": lambda s: len(s.execute(select(Customer.id).join(Other, Other.name == Customer.name)).all()),
    "outer join from the tenant": lambda s: s.scalar(
        select(func.count(Customer.id)).select_from(Company).outerjoin(Customer, literal(True))
    ),
    "union": lambda s: len(
        s.execute(union(select(Customer.id), select(Customer.id).where(Customer.name == "Wile"))).all()
    ),
    "union of literals": lambda s: len(
        s.execute(union_all(select(literal(1)).select_from(Customer).where(Customer.name == "Wile"))).all()
    ),
    "subquery in FROM of a union": lambda s: (
        s.scalar(select(func.count()).select_from(union_all(select(Customer.id), select(Customer.id)).subquery())) // 2
    ),
    "query of old": lambda s: s.query(Customer).count(),
    "window": lambda s: s.execute(select(Customer.id, func.count().over().label("n"))).one().n,
}


@pytest.mark.parametrize("ask", COUNTS.values(), ids=COUNTS.keys())
def test_every_way_to_ask_finds_the_own_row_only(acme: Tenant, two: tuple[UUID, UUID], ask: Ask) -> None:
    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        assert ask(session) == 1


EXISTENCE: dict[str, Callable[[UUID], Any]] = {
    "EXISTS of a select": lambda id: select(select(Customer.id).where(Customer.id == id).exists()),
    "EXISTS in WHERE": lambda id: (
        select(func.count()).select_from(Company).where(select(Customer.id).where(Customer.id == id).exists())
    ),
    "EXISTS of an alias": lambda id: select(select(Other.id).where(Other.id == id).exists()),
    "subquery": lambda id: select(select(func.count(Customer.id)).where(Customer.id == id).scalar_subquery()),
    "union": lambda id: select(func.count()).select_from(
        union_all(select(Customer.id).where(Customer.id == id)).subquery()
    ),
}


@pytest.mark.parametrize("statement", EXISTENCE.values(), ids=EXISTENCE.keys())
def test_existence_of_a_foreign_row_is_not_told(
    acme: Tenant, two: tuple[UUID, UUID], statement: Callable[[UUID], Any]
) -> None:
    own, foreign = two

    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        assert session.scalar(statement(own))
        assert not session.scalar(statement(foreign))


def test_one_statement_compiled_once_serves_each_tenant_its_own(
    acme: Tenant, globex: Tenant, two: tuple[UUID, UUID]
) -> None:
    statement, found = select(Customer.id), []

    for each in (acme, globex, acme):
        with tenant(each.company_id), unit_of_work(writes=False) as session:
            found.append(session.scalars(statement).all())

    assert found == [[two[0]], [two[1]], [two[0]]]


def test_threads_do_not_share_their_tenant(acme: Tenant, globex: Tenant, two: tuple[UUID, UUID], app: Flask) -> None:
    found: dict[UUID, Any] = {}

    def ask(company_id: UUID) -> None:
        with app.app_context(), tenant(company_id), unit_of_work(writes=False) as session:
            found[company_id] = session.scalars(select(Customer.id)).all()

    with tenant(acme.company_id):
        threads = [Thread(target=ask, args=(each.company_id,)) for each in (acme, globex)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == {acme.company_id: [two[0]], globex.company_id: [two[1]]}


def test_get_by_primary_key_finds_no_foreign_row(acme: Tenant, globex: Tenant, two: tuple[UUID, UUID]) -> None:
    with tenant(acme.company_id), unit_of_work(writes=False) as session:
        assert session.get(Customer, (acme.company_id, two[0])) is not None
        assert session.get(Customer, (globex.company_id, two[1])) is None


def test_no_model_loads_related_rows_by_itself() -> None:
    """A lazy load would be a statement that nobody sees; what is embedded goes through ``expand``."""
    for mapper in db.Model.registry.mappers:
        assert all(each.lazy == "raise" for each in mapper.relationships), mapper


def test_bulk_update_and_delete_touch_the_own_rows_only(acme: Tenant, globex: Tenant, two: tuple[UUID, UUID]) -> None:
    with tenant(acme.company_id), unit_of_work() as session:
        renamed = session.execute(update(Customer).values(name="Renamed", name_key="renamed"))
        deleted = session.execute(delete(Customer).where(Customer.name == "Renamed"))

    assert (renamed.rowcount, deleted.rowcount) == (1, 1)  # type: ignore[attr-defined]
    assert globex.admin.get(f"/customers/{two[1]}").get_json()["name"] == "Wile"


def test_update_by_a_list_of_keys_cannot_name_a_foreign_row(
    acme: Tenant, globex: Tenant, two: tuple[UUID, UUID]
) -> None:
    foreign = {"company_id": globex.company_id, "id": two[1], "row_version": 1, "name": "Mine now"}

    with pytest.raises(UnguardedStatement), tenant(acme.company_id), unit_of_work() as session:
        session.execute(update(Customer), [foreign])

    assert globex.admin.get(f"/customers/{two[1]}").get_json()["name"] == "Wile"


UNGUARDED: dict[str, Ask] = {
    "raw SQL": lambda s: s.execute(text("SELECT * FROM customer")),
    "Core select": lambda s: s.execute(select(Customer.__table__)),
    "Core columns": lambda s: s.execute(select(Customer.__table__.c.id)),
    "EXISTS without an entity": lambda s: s.scalar(select(exists().where(Customer.id == uuid7()))),
    "Core insert": lambda s: s.execute(insert(Customer.__table__).values(id=uuid7(), name="x")),
    "Core update": lambda s: s.execute(update(Customer.__table__).values(name="x")),
    "Core delete": lambda s: s.execute(delete(Customer.__table__)),
    "Core subquery": lambda s: s.execute(select(func.count()).select_from(Customer.__table__)),
    "entities from raw SQL": lambda s: s.execute(select(Customer).from_statement(text("SELECT * FROM customer"))),
    "ORM insert": lambda s: s.execute(insert(Customer).values(name="x")),
    "ORM insert of many": lambda s: s.execute(insert(Customer), [{"name": "x"}, {"name": "y"}]),
    "ORM insert from a select": lambda s: s.execute(insert(Subcontractor).from_select(["name"], select(Customer.name))),
    "bulk save": lambda s: s.bulk_save_objects([Customer(name="x")]),
    "bulk insert": lambda s: s.bulk_insert_mappings(Customer, [{"name": "x"}]),  # type: ignore[arg-type]
    "bulk update": lambda s: s.bulk_update_mappings(Customer, [{"name": "x"}]),  # type: ignore[arg-type]
    "update of the tenant": lambda s: s.execute(update(Customer).values(company_id=uuid7())),
    "update of the tenant by column": lambda s: s.execute(update(Customer).values({Customer.company_id: uuid7()})),
    "ordered update of the tenant": lambda s: s.execute(
        update(Customer).ordered_values((Customer.name, "x"), (Customer.company_id, uuid7()))
    ),
}


@by_row("ask", UNGUARDED.values(), ids=UNGUARDED.keys())
def test_what_the_guard_cannot_narrow_is_refused(acme: Tenant, ask: Ask) -> None:
    with pytest.raises(UnguardedStatement), tenant(acme.company_id), unit_of_work() as session:
        ask(session)


def test_a_raw_statement_that_names_its_reason_may_run(acme: Tenant) -> None:
    with tenant(acme.company_id), unit_of_work() as session:
        found = session.scalar(text("SELECT 1"), execution_options={"unguarded": "a test"})

    assert found == 1


TENANTLESS: dict[str, Ask] = {
    "entities": lambda s: s.scalars(select(Customer)).all(),
    "columns": lambda s: s.execute(select(Customer.id)).all(),
    "the tenant itself": lambda s: s.scalars(select(Company)).all(),
    "count": lambda s: s.scalar(select(func.count()).select_from(Customer)),
    "count over a subquery": lambda s: s.scalar(select(func.count()).select_from(select(Customer.id).subquery())),
    "EXISTS": lambda s: s.scalar(select(select(Customer.id).exists())),
    "alias": lambda s: s.scalars(select(Other)).all(),
    "common table expression": lambda s: s.scalar(select(func.count()).select_from(select(Customer.id).cte())),
    "union": lambda s: s.execute(union(select(Customer.id), select(Subcontractor.id))).all(),
    "join to a global table": lambda s: s.execute(
        select(LoginKey.user_id).join(Customer, Customer.id == LoginKey.user_id)
    ).all(),
    "IN of a global table's": lambda s: s.execute(
        select(LoginKey.user_id).where(LoginKey.user_id.in_(select(Customer.id)))
    ).all(),
    "get": lambda s: s.get(Customer, (uuid7(), uuid7())),
    "update": lambda s: s.execute(update(Customer).values(name="x")),
    "delete": lambda s: s.execute(delete(Customer)),
    "insert": lambda s: s.execute(insert(Customer).values(name="x")),
}


@by_row("ask", TENANTLESS.values(), ids=TENANTLESS.keys())
def test_nothing_of_a_tenant_is_asked_for_while_none_is_bound(acme: Tenant, ask: Ask) -> None:
    with pytest.raises(TenantNotSet), unit_of_work() as session:
        ask(session)


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
