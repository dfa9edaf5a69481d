"""Rows as JSON, and back."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Date, DateTime, ForeignKey, Uuid, insert, select
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db.models import Model, db
from app.core.db.tenancy import current_tenant

Json = dict[str, Any]


def columns_of(model: type[Any]) -> list[InstrumentedAttribute[Any]]:
    """All columns, also the deferred ones."""
    return [getattr(model, column.key) for column in model.__table__.c]


def to_json(values: Mapping[Any, Any]) -> Json:
    """UUIDs, dates and times become text."""
    row: Json = orjson.loads(orjson.dumps(dict(values)))
    return row


def from_json(model: type[Any], values: Mapping[str, Any]) -> Json:
    """The reverse of ``to_json``, by the types of the model's columns."""
    return {name: _from_json(model.__table__.c[name].type, value) for name, value in values.items()}


def _from_json(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, Uuid):
        return UUID(value)
    return kind.python_type.fromisoformat(value) if isinstance(kind, Date | DateTime) else value


def read_rows(model: type[Any], condition: ColumnElement[bool]) -> list[Json]:
    """Rows as ``insert_rows`` takes them."""
    rows = db.session.execute(select(*columns_of(model)).where(condition))
    return [to_json(row._mapping) for row in rows]


def insert_rows(model: type[Any], rows: Iterable[Json]) -> None:
    """Insert rows of ``read_rows`` with their versions; references to deleted rows are cleared, or omit the row."""
    values = [from_json(model, row) | {"company_id": current_tenant()} for row in rows]
    for constraint in model.__table__.foreign_key_constraints:
        [*_, element] = constraint.elements
        if values and element.parent.name != "company_id":
            values = _clear_dangling(values, element)
    if values:
        unguarded = {"unguarded": "the rows keep their versions, and get the bound tenant"}
        db.session.execute(insert(model.__table__), values, execution_options=unguarded)


def _clear_dangling(rows: list[Json], reference: ForeignKey) -> list[Json]:
    name, target = reference.parent.name, reference.column
    owner = next(mapper.class_ for mapper in Model.registry.mappers if mapper.local_table is target.table)
    attribute = getattr(owner, target.key)
    keys = {row[name] for row in rows} - {None}
    existing = set(db.session.scalars(select(attribute).where(attribute.in_(keys)))) if keys else set()
    if not reference.parent.nullable:
        return [row for row in rows if row[name] in existing]
    return [row if row[name] in existing else row | {name: None} for row in rows]
