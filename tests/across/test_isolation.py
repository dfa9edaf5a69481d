"""Every route × {anonymous, no grant, other tenant}, and every tenant table × the lines of defence.

Generated from the routes and the tables: a new entity is covered without an edit here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from flask import Flask
from sqlalchemy import Table, create_engine, delete, event, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from app.core.crud.crud import Crud
from app.core.db import tenancy
from app.core.db.models import Model, db
from app.core.db.tenancy import GuardedSession, Tenanted, TenantQuery, is_tenant_table, tenant
from app.core.db.transaction import platform_session, read, unit_of_work
from app.core.web.endpoint import UNSAFE_METHODS
from app.core.web.routing import Route
from app.customers.models import Customer
from tests.support.clients import ApiClient, Tenant
from tests.support.databases import Postgres, settings_for, worker
from tests.support.declared import (
    PLACEHOLDER,
    Json,
    Maker,
    collections,
    column_of_parent,
    ids_in,
    kind_in,
    owner_of,
    references_within_tenant,
    routes_of,
    rows_of,
    schema_of,
    synthetic_row,
    table_of,
    tenant_tables,
)
from tests.support.marks import only_postgresql, only_sqlite

ROW_SECURITY_VIOLATED = "42501"


@dataclass
class World:
    """Two tenants with at least one row of everything that can be made."""

    app: Flask
    acme: Maker
    globex: Maker

    @property
    def routes(self) -> list[Route]:
        return routes_of(self.app)

    def rows_of_acme(self) -> dict[str, list[Any]]:
        return rows_of(self.app, self.acme.tenant.company_id)

    def as_globex(self, route: Route, path: str, body: Json | None = None, **options: Any) -> TestResponse:
        given = self.globex.body(route) if body is None else body
        return self.globex.tenant.admin.request(route.method, path, given, **options)


@pytest.fixture
def world(app: Flask, acme: Tenant, globex: Tenant) -> World:
    found = World(app, Maker(app, acme), Maker(app, globex))
    for maker in (found.acme, found.globex):
        for route in found.routes:
            if route.endpoint.access != "public":
                maker.path(f"{route.path}/<id>" if route.method == "POST" and _is_list(found, route) else route.path)
    return found


def _is_list(world: World, route: Route) -> bool:
    return route.is_collection and any((each.path, each.method) == (route.path, "GET") for each in world.routes)


def test_anonymous_callers_reach_nothing_but_what_is_public(world: World) -> None:
    wrong = []

    for route in world.routes:
        if route.endpoint.access == "public":
            continue
        body = world.acme.body(route)
        answer = ApiClient(world.app).request(route.method, world.acme.path(route.path), body)
        if answer.status_code != 401 or answer.headers.get("WWW-Authenticate") != "Bearer":
            wrong.append(f"{route.method} {route.path}: {answer.status_code}")

    assert wrong == []


def test_callers_without_a_grant_reach_nothing_but_their_own_things(world: World) -> None:
    nobody, wrong = world.acme.tenant.user(), []
    before = world.rows_of_acme()

    for route in world.routes:
        if route.endpoint.access in ("public", "self"):
            continue
        answer = nobody.request(route.method, world.acme.path(route.path), world.acme.body(route))
        if answer.status_code != 403 or answer.get_json()["error_code"] != "ACCESS_DENIED":
            wrong.append(f"{route.method} {route.path}: {answer.status_code}")

    assert wrong == []
    assert world.rows_of_acme() == before


def test_what_is_reserved_to_the_platform_is_refused_to_another_administrator(world: World) -> None:
    wrong = []
    before = world.rows_of_acme()

    for route in world.routes:
        if route.method in route.endpoint.platform:
            answer = world.as_globex(route, world.acme.path(route.path))
            if answer.status_code != 403 or answer.get_json()["error_code"] != "ACCESS_DENIED":
                wrong.append(f"{route.method} {route.path}: {answer.status_code}")

    assert wrong == []
    assert world.rows_of_acme() == before


def test_what_every_tenant_shares_is_written_by_the_platform_only(world: World) -> None:
    shared = [each.path for each in collections(world.app) if not is_tenant_table(each.model.__table__)]

    for route in world.routes:
        if route.path.removesuffix("/<id>") in shared and route.method in UNSAFE_METHODS:
            assert route.method in route.endpoint.platform, route


def reachable_items(world: World) -> list[str]:
    """What globex's administrator gets besides 404 for the ids of acme's rows."""
    found = []
    for route in world.routes:
        if "<" not in route.path or route.endpoint.access == "public":
            continue
        kind = kind_in(world.app, route.path)
        is_shared = kind is not None and not is_tenant_table(kind)
        if is_shared or route.method in route.endpoint.platform:
            continue
        answer = world.as_globex(route, world.acme.path(route.path))
        if answer.status_code != 404 or not answer.get_json()["error_code"].endswith("_NOT_FOUND"):
            found.append(f"{route.method} {route.path}: {answer.status_code}")
    return found


def test_rows_of_another_tenant_are_not_found_and_stay_as_they_are(world: World) -> None:
    before = world.rows_of_acme()

    assert reachable_items(world) == []

    assert world.rows_of_acme() == before


def test_an_id_of_another_tenant_and_an_unknown_one_get_the_same_answer(world: World) -> None:
    differing = []

    for route in world.routes:
        if "<id>" not in route.path or route.method != "GET" or route.endpoint.access:
            continue
        kind = kind_in(world.app, route.path)
        if kind is None or not is_tenant_table(kind):
            continue
        foreign = world.as_globex(route, world.acme.path(route.path)).get_json()
        unknown = world.as_globex(route, PLACEHOLDER.sub(str(UUID(int=1)), route.path)).get_json()
        if any(foreign[name] != unknown[name] for name in ("status", "detail", "error_code", "title")):
            differing.append(route.path)

    assert differing == []


def leaking_lists(world: World) -> list[str]:
    """Answers to globex's administrator that carry an id of acme's."""
    secret = ids_in(world.rows_of_acme())
    found = []
    for route in world.routes:
        if route.method == "GET":
            for query in _queries(world, route):
                answer = world.as_globex(route, world.globex.path(route.path), query_string=query)
                # What is public may want more than nothing: the token of a link.
                expected = (200, 400, 404) if route.endpoint.access == "public" else (200, 404)
                if answer.status_code not in expected or any(each in _said(answer) for each in secret):
                    found.append(f"{route.path}?{query}: {answer.status_code}")
    return found


def _said(answer: TestResponse) -> str:
    """The text of an answer, unpacked where it is an archive."""
    if answer.mimetype != "application/zip":
        return answer.text
    with ZipFile(BytesIO(answer.data)) as archive:
        return "\n".join(archive.read(name).decode(errors="replace") for name in archive.namelist())


def _queries(world: World, route: Route) -> list[dict[str, str]]:
    """Plain; with all that can be embedded; and asking for acme's rows by id or by what they refer to."""
    endpoint = route.endpoint
    if not issubclass(endpoint, Crud):
        return [{}]
    found = [{}, {"expand": ",".join(endpoint.expand)}] if endpoint.expand else [{}]
    if route.is_collection:
        within = references_within_tenant(endpoint.model.__table__)
        found += [{name: world.acme.row_in(within[name])["id"]} for name in endpoint.filters if name in within]
    return found


def test_no_answer_shows_anything_of_another_tenant(world: World) -> None:
    assert leaking_lists(world) == []


def test_lists_show_the_own_rows_and_ask_for_foreign_ones_in_vain(world: World) -> None:
    wrong = []

    for endpoint in collections(world.app):
        if not is_tenant_table(endpoint.model.__table__) or "list" not in endpoint.verbs:
            continue
        own, foreign = world.globex.row(endpoint.path), world.acme.row(endpoint.path)
        shown = world.globex.listed(endpoint.path)
        by_id = world.globex.tenant.admin.get(endpoint.path, query_string={"id__in": foreign["id"]}).get_json()
        rows = by_id if isinstance(by_id, list) else by_id["data"]
        if own["id"] not in [each["id"] for each in shown] or rows:
            wrong.append(endpoint.path)

    assert wrong == []


def accepted_references(world: World) -> list[str]:
    """Bodies of globex's that name a row of acme's and are not refused with 400 at that field."""
    found = []
    for route in world.routes:
        for name, table in _references_of(world.app, route).items():
            body = (world.globex.body(route) or {}) | {name: world.acme.row_in(table)["id"]}
            answer = world.as_globex(route, world.globex.path(route.path), body)
            if answer.status_code != 400 or name not in answer.get_json().get("errors", {}):
                found.append(f"{route.method} {route.path} {name}: {answer.status_code}")
    return found


def _references_of(app: Flask, route: Route) -> dict[str, Table]:
    schema, table = schema_of(route), table_of(app, route)
    if schema is None or table is None:
        return {}
    within = references_within_tenant(table)
    parent = column_of_parent(route)
    return {name: within[name] for name in schema.load_fields if name in within and name != parent}


def test_a_body_cannot_refer_to_a_row_of_another_tenant(world: World) -> None:
    before = world.rows_of_acme(), rows_of(world.app, world.globex.tenant.company_id)

    assert accepted_references(world) == []

    assert (world.rows_of_acme(), rows_of(world.app, world.globex.tenant.company_id)) == before


# The lines of defence, each alone.


@contextmanager
def without_the_criterion() -> Iterator[None]:
    """The service without its first line of defence: nothing adds the tenant to a statement."""
    unscoped = property(lambda query: query.unscoped, lambda query, scoped: query.__dict__.update(scoped=scoped))
    event.remove(GuardedSession, "do_orm_execute", tenancy._narrow)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TenantQuery, "scoped", unscoped, raising=False)
            yield
    finally:
        event.listen(GuardedSession, "do_orm_execute", tenancy._narrow)


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
