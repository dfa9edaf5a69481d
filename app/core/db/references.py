"""References to rows of a model, by the foreign keys."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db.models import Model


def referrers(model: type[Any]) -> Iterator[tuple[type[Any], InstrumentedAttribute[Any]]]:
    """Other models and their columns that refer to rows of ``model`` inside one tenant."""
    for mapper in Model.registry.mappers:
        for constraint in mapper.local_table.foreign_key_constraints:  # type: ignore[attr-defined]
            if _is_within_tenant(constraint, model) and mapper.class_ is not model:
                column = next(column for column in constraint.columns if column.name != "company_id")
                yield mapper.class_, getattr(mapper.class_, mapper.get_property_by_column(column).key)


def _is_within_tenant(constraint: ForeignKeyConstraint, model: type[Any]) -> bool:
    return constraint.referred_table is model.__table__ and len(constraint.columns) == 2
