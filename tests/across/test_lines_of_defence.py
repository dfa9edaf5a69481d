"""The lines of defence between tenants, each alone."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Table, create_engine, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from app import create_app
from app.core.db.models import Model, db
from app.core.db.tenancy import Tenanted, TenantQuery, tenant
from app.core.db.transaction import platform_session, read, unit_of_work
from app.customers.models import Customer
from tests.across.foreign_rows import World, accepted_references, leaking_lists, reachable_items, without_the_criterion
from tests.support.clients import Tenant
from tests.support.databases import Postgres, settings_for, worker
from tests.support.declared import Json, owner_of, references_within_tenant, synthetic_row, tenant_tables
from tests.support.marks import only_postgresql, only_sqlite

ROW_SECURITY_VIOLATED = "42501"


@only_postgresql
def test_row_level_security_alone_keeps_the_tenants_apart(world: World) -> None:
    before = world.rows_of_acme()

    with without_the_criterion():
        assert reachable_items(world) == []
        assert leaking_lists(world) == []
        assert accepted_references(world) == []

    assert world.rows_of_acme() == before


@only_sqlite
def test_these_tests_notice_that_the_guard_of_the_session_is_gone(world: World) -> None:
    # The flush still refuses what the session lets through, and that is a bug to the service.
    world.globex.tenant.admin.may_crash = True

    with without_the_criterion():
        assert len(leaking_lists(world)) > 10
        assert len(accepted_references(world)) > 5
        assert len(reachable_items(world)) > 10


@dataclass
class Tables:
    """One row per tenant table and company, put there behind the service's back."""

    acme: UUID
    globex: UUID
    rows: dict[UUID, dict[str, Json]]


@pytest.fixture
def tables(app: Flask, acme: Tenant, globex: Tenant, database: str, postgres: Postgres) -> Tables:
    rows: dict[UUID, dict[str, Json]] = {acme.company_id: {}, globex.company_id: {}}
    with app.app_context():
        engine = create_engine(_unbounded(database, postgres))
        for company_id, of_company in rows.items():
            for table in tenant_tables():
                of_company[table.name] = synthetic_row(table, company_id, of_company)
        with engine.begin() as connection:
            for of_company in rows.values():
                for name, values in of_company.items():
                    if name != "company":
                        connection.execute(insert(Model.metadata.tables[name]).values(values))
        engine.dispose()
    return Tables(acme.company_id, globex.company_id, rows)


def _unbounded(database: str, postgres: Postgres) -> str:
    """Where everything can be written: row-level security does not hold for a superuser."""
    if database == "sqlite":
        return db.engine.url.render_as_string(hide_password=False)
    return f"postgresql+psycopg://postgres@/identity_{worker()}?host={postgres.socket_dir}"


UNGUARDED = {"unguarded": "a test of row-level security"}


def seen(session: Session, table: Table, company_id: UUID) -> int:
    statement = select(func.count()).select_from(table).where(owner_of(table) == company_id)
    return session.scalar(statement, execution_options=UNGUARDED) or 0


@only_postgresql
def test_raw_statements_of_one_tenant_see_no_row_of_another(app: Flask, tables: Tables) -> None:
    with app.app_context():
        for table in tenant_tables():
            with tenant(tables.acme), unit_of_work(writes=False) as session:
                assert seen(session, table, tables.acme) > 0, f"{table.name} has no row to hide"
            with tenant(tables.globex), unit_of_work(writes=False) as session:
                assert seen(session, table, tables.acme) == 0, table.name
                assert seen(session, table, tables.globex) > 0, table.name


@only_postgresql
def test_raw_statements_of_one_tenant_change_and_delete_no_row_of_another(app: Flask, tables: Tables) -> None:
    with app.app_context():
        for table in tenant_tables():
            owner = owner_of(table)
            with tenant(tables.globex), unit_of_work() as session:
                for statement in (
                    update(table).values({owner.name: owner}).where(owner == tables.acme),
                    delete(table).where(owner == tables.acme),
                ):
                    done = session.execute(statement, execution_options=UNGUARDED)
                    assert done.rowcount == 0, statement  # type: ignore[attr-defined]
            with tenant(tables.acme), unit_of_work(writes=False) as session:
                assert seen(session, table, tables.acme) > 0, table.name


@only_postgresql
def test_raw_statements_of_one_tenant_insert_no_row_for_another(app: Flask, tables: Tables) -> None:
    with app.app_context():
        for table in tenant_tables():
            foreign = synthetic_row(table, tables.acme, tables.rows[tables.acme])

            assert _state_of(tables.globex, insert(table).values(foreign)) == ROW_SECURITY_VIOLATED, table.name


@only_postgresql
def test_raw_statements_of_one_tenant_give_no_row_away(app: Flask, tables: Tables) -> None:
    with app.app_context():
        for table in tenant_tables():
            given = update(table).values({owner_of(table).name: tables.acme})

            assert _state_of(tables.globex, given) == ROW_SECURITY_VIOLATED, table.name


def _state_of(company_id: UUID, statement: Any) -> str:
    """SQLSTATE with which the statement was refused."""
    with pytest.raises(ProgrammingError) as refused, tenant(company_id), unit_of_work() as session:
        session.execute(statement, execution_options=UNGUARDED)
    return str(refused.value.orig.sqlstate)  # type: ignore[union-attr]


@only_postgresql
def test_without_a_tenant_no_row_is_there_and_the_platform_sees_companies_only(app: Flask, tables: Tables) -> None:
    with app.app_context():
        for table in tenant_tables():
            with unit_of_work(writes=False) as session:
                assert seen(session, table, tables.acme) == 0, table.name
            with platform_session() as session:
                assert seen(session, table, tables.acme) == (table.name == "company"), table.name


@only_postgresql
def test_a_pooled_connection_carries_no_tenant_over(acme: Tenant, database_url: str) -> None:
    asked = text("SELECT pg_backend_pid(), nullif(current_setting('app.company_id', true), '')")
    app = create_app(settings_for(database_url, DATABASE_POOL_SIZE="1"))

    with app.app_context():
        with tenant(acme.company_id), unit_of_work() as session:
            pid, bound = session.execute(asked, execution_options=UNGUARDED).one()
        with unit_of_work(writes=False) as session:
            left = session.execute(asked, execution_options=UNGUARDED).one()
        db.engine.dispose()

    assert bound == str(acme.company_id)
    assert left == (pid, None)


@only_postgresql
def test_statements_after_one_that_took_its_commit_along_are_the_tenants_too(app: Flask, tables: Tables) -> None:
    alone = TenantQuery(select(Customer.id).execution_options(single_statement=True))

    with app.app_context(), tenant(tables.globex), unit_of_work(writes=False) as session:
        for _ in range(2):
            assert len(read(alone, {})) == 1
            for table in tenant_tables():
                assert seen(session, table, tables.globex) > 0, table.name
                assert seen(session, table, tables.acme) == 0, table.name


def test_the_session_alone_narrows_every_statement_on_every_model(app: Flask, tables: Tables) -> None:
    mappers = [each for each in Model.registry.mappers if issubclass(each.class_, Tenanted)]

    with app.app_context(), tenant(tables.globex), unit_of_work() as session:
        for mapper in mappers:
            model, unchanged = mapper.class_, _unchanged(mapper)
            foreign = model.company_id == tables.acme
            assert session.scalars(select(model).where(foreign)).all() == []
            assert session.scalar(select(func.count()).select_from(model).where(foreign)) == 0
            for statement in (update(model).where(foreign).values(unchanged), delete(model).where(foreign)):
                done = session.execute(statement.execution_options(synchronize_session=False))
                assert done.rowcount == 0, statement  # type: ignore[attr-defined]

    with app.app_context(), tenant(tables.acme), unit_of_work(writes=False) as session:
        assert all(seen(session, each.local_table, tables.acme) for each in mappers)


def _unchanged(mapper: Any) -> dict[str, Any]:
    """Some column set to itself."""
    column = next(each for each in mapper.local_table.c if each.name not in ("company_id", "id"))
    return {mapper.get_property_by_column(column).key: column}


def test_a_reference_to_a_row_of_another_tenant_cannot_be_stored(app: Flask, tables: Tables) -> None:
    with app.app_context():
        for table in tenant_tables():
            for name, target in references_within_tenant(table).items():
                own = synthetic_row(table, tables.globex, tables.rows[tables.globex])
                crossing = own | {name: tables.rows[tables.acme][target.name]["id"]}
                with pytest.raises(IntegrityError), tenant(tables.globex), unit_of_work() as session:
                    session.execute(insert(table).values(crossing), execution_options=UNGUARDED)
