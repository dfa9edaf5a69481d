"""Rows as JSON, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Date,
    DateTime,
    ForeignKey,
    Uuid,
    insert,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db.models import Model, db
from app.core.db.tenancy import current_tenant

Json = dict[str, Any]


def columns_of(model: type[Any]) -> list[InstrumentedAttribute[Any]]:
    """All of them, with those that are loaded on demand."""
    return [getattr(model, each.key) for each in model.__table__.c]


def to_json(values: Mapping[Any, Any]) -> Json:
    """Ready for JSON."""
    return {str(name): _frozen(value) for name, value in values.items()}


def _frozen(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def from_json(model: type[Any], values: Mapping[str, Any]) -> Json:
    """As the columns of the model take them."""
    return {name: _thawed(model.__table__.c[name].type, value) for name, value in values.items()}


def _thawed(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, Uuid):
        return UUID(value)
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if isinstance(kind, Date) else value


def insert_rows(model: type[Any], rows: Iterable[Json]) -> None:
    """Insert frozen rows of the bound tenant as they were, versions included. What they referred to and is gone
    is cleared; a row that cannot do without it stays away."""
    found = [from_json(model, row) | {"company_id": current_tenant()} for row in rows]
    for constraint in model.__table__.foreign_key_constraints:
        [*_, element] = constraint.elements
        if found and element.parent.name != "company_id":
            found = _without_gone(found, element)
    if found:
        unguarded = {"unguarded": "rows come back with their versions, and with the tenant that is bound"}
        db.session.execute(insert(model.__table__), found, execution_options=unguarded)


def _without_gone(rows: list[Json], reference: ForeignKey) -> list[Json]:
    name, target = reference.parent.name, reference.column
    owner = next(each.class_ for each in Model.registry.mappers if each.local_table is target.table)
    attribute = getattr(owner, target.key)
    wanted = {row[name] for row in rows} - {None}
    there = set(db.session.scalars(select(attribute).where(attribute.in_(wanted)))) if wanted else set()
    if not reference.parent.nullable:
        return [row for row in rows if row[name] in there]
    return [row if row[name] in there else row | {name: None} for row in rows]
