"""Bodies, rows and paths built from what the routes declare: a new entity needs no edit here."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from io import BytesIO
from typing import Any
from uuid import UUID

from flask import Flask
from marshmallow import fields, validate
from sqlalchemy import LargeBinary, Table, select
from sqlalchemy.schema import Column
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.core.crud.crud import Crud
from app.core.db.models import Model
from app.core.db.tenancy import is_tenant_table, tenant
from app.core.db.transaction import unit_of_work
from app.core.web.endpoint import is_id
from app.core.web.routing import Route
from app.core.wire.schema import AnotherRef, BaseSchema, Email, Id, Reference, Url
from app.users.schemas import Password
from tests.support.clients import PASSWORD, Tenant, unique

Json = dict[str, Any]
PLACEHOLDER = re.compile(r"<(\w+)>")
SIMPLE: tuple[tuple[type[fields.Field[Any]], Any], ...] = (
    (fields.Boolean, True),
    (fields.Integer, 1),
    (fields.Float, 1.5),
    (fields.DateTime, "2025-07-22T02:10:06.300453Z"),
    (fields.Date, "2025-07-22"),
    (fields.Dict, {}),
    (fields.List, []),
)


def routes_of(app: Flask) -> list[Route]:
    found: list[Route] = app.extensions["routes"]
    return found


def tenant_tables() -> list[Table]:
    """Every table whose rows belong to one tenant, those that are referred to first."""
    return [table for table in Model.metadata.sorted_tables if is_tenant_table(table)]


def owner_of(table: Table) -> Column[UUID]:
    """The column that says whose row it is."""
    return table.c["company_id" if "company_id" in table.c else "id"]


def references_within_tenant(table: Table) -> dict[str, Table]:
    """The columns that refer to another row of the same tenant, and the tables they refer to."""
    return {
        column.name: constraint.referred_table
        for constraint in table.foreign_key_constraints
        if len(constraint.columns) == 2
        for column in constraint.columns
        if column.name != "company_id"
    }


def rows_of(app: Flask, company_id: UUID) -> dict[str, list[Any]]:
    """Every row of a tenant in every table, as it sees them itself."""
    found = {}
    with app.app_context(), tenant(company_id), unit_of_work(writes=False) as session:
        for table in tenant_tables():
            statement = select(table).where(owner_of(table) == company_id).order_by(*table.primary_key.columns)
            found[table.name] = session.execute(statement, execution_options={"unguarded": "a test"}).all()
    return found


def ids_in(rows: dict[str, list[Any]]) -> set[str]:
    return {str(row.id) for found in rows.values() for row in found if isinstance(getattr(row, "id", None), UUID)}


@dataclass
class Maker:
    """Makes rows for one tenant through the API, one per collection, each when it is first asked for."""

    app: Flask
    tenant: Tenant
    made: dict[str, Json] = field(default_factory=dict)

    def path(self, pattern: str) -> str:
        """The pattern with an id of the tenant's own in every place."""
        return PLACEHOLDER.sub(self._filling, pattern)

    def _filling(self, place: re.Match[str]) -> str:
        """From the collection before it, whose pattern may have places of its own."""
        return str(self.row(place.string[: place.start()].rstrip("/"))["id"]) if is_id(place[1]) else "x"

    def row(self, pattern: str) -> Json:
        """A row of a collection: created where tenants may, else the first that the list shows."""
        if pattern not in self.made:
            route = find_route(self.app, pattern, "POST")
            may_create = route is not None and route.permission is not None and not route.permission.platform
            self.made[pattern] = self.create(pattern) if may_create else self._found(pattern)
        return self.made[pattern]

    def _another(self, pattern: str) -> Json:
        """A second row of a collection."""
        name = f"another of {pattern}"
        if name not in self.made:
            self.made[name] = self.create(pattern)
        return self.made[name]

    def _found(self, pattern: str) -> Json:
        """What the list shows; where it shows nothing, a row of the collection of that name is put into it."""
        rows = self.listed(pattern)
        if not rows:
            path = self.path(pattern)
            self.tenant.admin.post(f"{path}/{self.row('/' + pattern.rpartition('/')[2])['id']}")
        return (rows or self.listed(pattern))[0]

    def create(self, pattern: str) -> Json:
        route = find_route(self.app, pattern, "POST")
        assert route is not None, pattern
        answer = self.tenant.admin.post(self.path(pattern), **self.sent(route))
        if answer.status_code == 409:
            # Two collections may show one kind of row, and what was made in the other is here already.
            return self.listed(pattern)[0]
        assert answer.status_code == 201, answer.text
        made: Json = answer.get_json()
        return made

    def listed(self, pattern: str) -> list[Json]:
        answer = self.tenant.admin.get(self.path(pattern))
        assert answer.status_code == 200, (pattern, answer.text)
        found = answer.get_json()
        rows: list[Json] = found if isinstance(found, list) else next(iter(found.values()))
        return rows

    def row_in(self, table: Table) -> Json:
        """A row of a table, from the collection of that kind."""
        return self.row(collection_of(self.app, table))

    def body(self, route: Route) -> Json | None:
        """What a method takes, with every required field; None where it takes nothing."""
        schema = schema_of(route)
        return None if schema is None else self._object(schema, leave_out=column_of_parent(route))

    def sent(self, route: Route) -> Json:
        """The body as the client's options: JSON, or a form where there must be a file."""
        body, declaration = self.body(route), route.declaration
        if not declaration.upload or declaration.takes_json:
            return {"json": body}
        return {"data": (body or {}) | {declaration.upload: (BytesIO(b"made"), "made.txt")}}

    def _object(self, schema: BaseSchema, leave_out: str = "") -> Json:
        return {
            name: self._value(each) for name, each in schema.load_fields.items() if each.required and name != leave_out
        }

    def _value(self, each: fields.Field[Any]) -> Any:
        choices = [rule for rule in _rules(each) if isinstance(rule, validate.OneOf)]
        if choices:
            return next(iter(choices[0].choices))
        if "example" in each.metadata:
            return each.metadata["example"]
        if isinstance(each, AnotherRef):
            return self._another(collection_of(self.app, each.model.__table__))["id"]
        if isinstance(each, Reference):
            return self.row_in(each.column.class_.__table__)[each.column.key]
        if isinstance(each, fields.Nested):
            return self._object(each.schema)  # type: ignore[arg-type]
        simple = [value for kind, value in SIMPLE if isinstance(each, kind)]
        return simple[0] if simple else self._text(each)

    def _text(self, each: fields.Field[Any]) -> str:
        if isinstance(each, Id):
            return str(uuid7())
        if isinstance(each, Email):
            return f"{unique('made')}@example.com"
        if isinstance(each, Url):
            return f"https://example.com/{unique('made')}"
        return PASSWORD if isinstance(each, Password) else unique("Made ")


def find_route(app: Flask, pattern: str, method: str) -> Route | None:
    return next((each for each in routes_of(app) if (each.path, each.method) == (pattern, method)), None)


def _rules(each: fields.Field[Any]) -> Sequence[Any]:
    return each.validators or ()


def schema_of(route: Route) -> BaseSchema | None:
    """What the body of a method is loaded with."""
    return route.declaration.body


def column_of_parent(route: Route) -> str:
    endpoint = route.endpoint
    return endpoint.parent.column if issubclass(endpoint, Crud) and endpoint.parent else ""


def collections(app: Flask) -> Iterator[type[Crud]]:
    """The endpoints of whole kinds: their path has no placeholder."""
    for endpoint in {each.endpoint: None for each in routes_of(app)}:
        if issubclass(endpoint, Crud) and "<" not in endpoint.path:
            yield endpoint


def table_of(app: Flask, route: Route) -> Table | None:
    """The table of the rows that a method writes: of the collection that has its path, or whose item has it."""
    path = route.path.removesuffix("/<id>")
    kinds = {each.endpoint for each in routes_of(app) if issubclass(each.endpoint, Crud)}
    return next((each.model.__table__ for each in kinds if each.path == path), None)


def collection_of(app: Flask, table: Table) -> str:
    return next(each.path for each in collections(app) if each.model.__table__ is table)


def kind_in(app: Flask, pattern: str) -> Table | None:
    """The table of the rows that the pattern's first placeholder names, if a collection says so."""
    prefix = pattern.partition("<")[0].rstrip("/")
    return next((each.model.__table__ for each in collections(app) if each.path == prefix), None)


def synthetic_row(table: Table, company_id: UUID, of_company: dict[str, Json]) -> Json:
    """Values that the columns accept; required references point to ``of_company``'s rows by table."""
    within = references_within_tenant(table)
    found = {}
    for column in table.c:
        if column.name == "company_id" or (table.name == "company" and column.name == "id"):
            found[column.name] = company_id
        elif column.name in within and not column.nullable:
            found[column.name] = of_company[within[column.name].name]["id"]
        elif not column.nullable:
            found[column.name] = _filling(column)
    return found


def _filling(column: Column[Any]) -> Any:
    if isinstance(column.type, LargeBinary):
        return uuid7().bytes
    values = {
        UUID: uuid7,
        bool: bool,
        object: dict,
        int: lambda: int(unique("")) + 1_000_000,
        datetime: utcnow,
        date: date.today,
        str: lambda: f"{unique('s')}"[: getattr(column.type, "length", None) or 40],
    }
    if column.foreign_keys:
        return _referred(next(iter(column.foreign_keys)).column)
    return values[column.type.python_type]()


def _referred(target: Column[Any]) -> Any:
    """A value of a global table."""
    with unit_of_work(writes=False) as session:
        return session.scalar(select(target).limit(1), execution_options={"unguarded": "a test"})
