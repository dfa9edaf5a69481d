"""``expand=``: declared relations embedded as small objects, one statement each whatever the page size."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import func, select

from app.core.db.models import Model, db
from app.core.wire.schema import BaseSchema

MOST_EMBEDDED = 100


@dataclass(frozen=True)
class Expansion:
    """``model`` may be the name of a class of a later slice.

    ``by`` is the column of the row that refers to the model (one object or null). ``foreign`` is the column of
    ``model`` that refers back to the row (an array of at most 100, oldest first). A third model ``through`` links
    by its two columns: ``foreign`` to the row and ``by`` to the model. ``schema`` describes fields without a column.
    """

    model: type[Any] | str
    shown: tuple[str, ...]
    permission: str
    by: str = ""
    foreign: str = ""
    through: type[Any] | None = None
    schema: BaseSchema | None = None

    @cached_property
    def target(self) -> Any:
        if not isinstance(self.model, str):
            return self.model
        return next(mapper.class_ for mapper in Model.registry.mappers if mapper.class_.__name__ == self.model)


def embed(items: list[dict[str, Any]], expansions: Mapping[str, Expansion]) -> None:
    """Adds each expansion under its name to every item."""
    for name, expansion in expansions.items():
        embedded = _many(expansion, items) if expansion.foreign else _one(expansion, items)
        for item in items:
            item[name] = embedded.get(item["id"], []) if expansion.foreign else embedded.get(item[expansion.by])


def _one(expansion: Expansion, items: list[dict[str, Any]]) -> dict[Any, Any]:
    ids = {item[expansion.by] for item in items if item[expansion.by] is not None}
    if not ids:
        return {}
    model = expansion.target
    rows = db.session.execute(select(*_columns(expansion)).where(model.id.in_(ids)))
    return {row.id: dict(row._mapping) for row in rows}


def _many(expansion: Expansion, items: list[dict[str, Any]]) -> dict[Any, Any]:
    model, foreign = expansion.target, getattr(expansion.through or expansion.target, expansion.foreign)
    rank = func.row_number().over(partition_by=foreign, order_by=(model.created_at, model.id)).label("rank_")
    related = select(*_columns(expansion), foreign.label("owner_"), rank).where(
        foreign.in_([item["id"] for item in items])
    )
    if expansion.through is not None:
        related = related.join(expansion.through, getattr(expansion.through, expansion.by) == model.id)
    ranked = related.subquery()
    statement = select(ranked).where(ranked.c.rank_ <= MOST_EMBEDDED).order_by(ranked.c.owner_, ranked.c.rank_)
    embedded: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in db.session.execute(statement):
        embedded[row.owner_].append({name: getattr(row, name) for name in expansion.shown})
    return embedded


def _columns(expansion: Expansion) -> list[Any]:
    return [getattr(expansion.target, name).label(name) for name in expansion.shown]
