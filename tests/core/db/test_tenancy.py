"""Statements are narrowed to the bound tenant, or refused."""

from collections.abc import Callable
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import delete, exists, func, insert, literal, select, text, union, union_all, update
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from app.companies.models import Company
from app.core.db.models import db
from app.core.db.tenancy import TenantNotSet, UnguardedStatement, tenant
from app.core.db.transaction import unit_of_work
from app.customers.models import Customer
from app.subcontractors.models import Subcontractor
from app.users.models import LoginKey
from tests.support.clients import Tenant
from tests.support.rows import by_row

Ask = Callable[[Session], Any]
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
