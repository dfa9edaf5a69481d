"""Rows that a path names: found, or not found in one form for every kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.base.errors import NotFound
from app.core.db.models import db
from app.core.db.transaction import is_writing


def not_found(model: type[Any]) -> NotFound:
    """Of the kind that the model names as ``missing``, if it names one: a handler may know more."""
    name: str = model.__tablename__
    kind: type[NotFound] = getattr(model, "missing", NotFound)
    return kind(f"{name.replace('_', ' ').capitalize()} not found.", code=f"{name.upper()}_NOT_FOUND")


def existing(model: type[Any], id: UUID) -> Any:
    """The row, for writing. Raises NotFound."""
    row = db.session.scalar(select(model).where(model.id == id))
    if row is None:
        raise not_found(model)
    return row


def check_exists(model: type[Any], id: UUID, *, locked: bool = False) -> None:
    """Raises NotFound. ``locked`` keeps out every other who asks so until the transaction ends; those who
    only refer to the row pass."""
    statement = select(model.id).where(model.id == id)
    if db.session.scalar(statement.with_for_update(key_share=True) if locked else statement) is None:
        raise not_found(model)


@dataclass(frozen=True)
class Parent:
    """Rows whose ``column`` holds the id of the parent. A path names that id like the column, or first.

    Writers below the same ``locked`` parent take turns: what they find stays so until they have written.
    """

    model: type[Any]
    column: str
    locked: bool = False

    def place_in(self, path: str) -> str:
        names = re.findall(r"<(\w+)>", path)
        return self.column if self.column in names else str(names[0])

    @property
    def locks_now(self) -> bool:
        return self.locked and is_writing()

    def check(self, id: UUID) -> None:
        """Raises NotFound."""
        check_exists(self.model, id, locked=self.locks_now)
