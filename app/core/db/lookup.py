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
    return kind(f"{name.replace('_', ' ').capitalize()} not found.", code=missing_code(model))


def missing_code(model: type[Any]) -> str:
    return f"{model.__tablename__.upper()}_NOT_FOUND"


def get_row(model: type[Any], id: UUID) -> Any:
    """The row, for writing. Raises NotFound."""
    row = db.session.scalar(select(model).where(model.id == id))
    if row is None:
        raise not_found(model)
    return row


def check_exists(model: type[Any], id: UUID) -> None:
    """Raises NotFound."""
    if db.session.scalar(select(model.id).where(model.id == id)) is None:
        raise not_found(model)


def lock(model: type[Any], id: UUID, *, key_share: bool = False) -> bool:
    """Keep others from locking or changing the row until the transaction ends; False if there is none.

    With ``key_share`` rows that refer to it may still be added (FOR NO KEY UPDATE). SQLite has one writer anyway.
    """
    statement = select(model.id).where(model.id == id).with_for_update(key_share=key_share)
    return db.session.scalar(statement) is not None


def lock_row(model: type[Any], id: UUID) -> Any | None:
    """As ``lock``; the row as it is now, whatever the session knew of it."""
    statement = select(model).where(model.id == id).with_for_update()
    return db.session.scalar(statement.execution_options(populate_existing=True))


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
    def takes_turns(self) -> bool:
        """Whether the transaction locks the parent before it looks for a row below."""
        return self.locked and is_writing()

    def check(self, id: UUID) -> None:
        """Raises NotFound."""
        if not self.takes_turns:
            check_exists(self.model, id)
        elif not lock(self.model, id, key_share=True):
            raise not_found(self.model)
