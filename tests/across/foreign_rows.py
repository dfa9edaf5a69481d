"""Rows of every kind in two companies, and what a caller reaches of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from flask import Flask
from sqlalchemy import Table, event
from werkzeug.test import TestResponse

from app.core.crud.crud import Crud
from app.core.db import tenancy
from app.core.db.tenancy import GuardedSession, TenantQuery, is_tenant_table
from app.core.web.routing import Route
from tests.support.declared import (
    Json,
    Maker,
    column_of_parent,
    ids_in,
    kind_in,
    references_within_tenant,
    routes_of,
    rows_of,
    schema_of,
    table_of,
)


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


def is_list(world: World, route: Route) -> bool:
    return route.is_collection and any((each.path, each.method) == (route.path, "GET") for each in world.routes)


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


@contextmanager
def without_the_criterion() -> Iterator[None]:
    """The service without its first line of defence: nothing adds the tenant to a statement."""
    scoped = property(lambda query: query.unscoped, lambda query, scoped: query.__dict__.update(scoped=scoped))
    single = property(
        lambda query: query.unscoped.execution_options(single_statement=True),
        lambda query, single: query.__dict__.update(single=single),
    )
    event.remove(GuardedSession, "do_orm_execute", tenancy._narrow)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TenantQuery, "scoped", scoped, raising=False)
            patch.setattr(TenantQuery, "single", single, raising=False)
            yield
    finally:
        event.listen(GuardedSession, "do_orm_execute", tenancy._narrow)
