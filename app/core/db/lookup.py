"""Rows by id, and one form of "not found" for all models."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.base.errors import NotFound
from app.core.db.mode import is_writing
from app.core.db.models import db


def not_found(model: type[Any]) -> NotFound:
    """An instance of the model's class ``missing``, or of NotFound: error handlers may treat a class apart."""
    name: str = model.__tablename__
    error: type[NotFound] = getattr(model, "missing", NotFound)
    return error(f"{name.replace('_', ' ').capitalize()} not found.", code=missing_code(model))


def missing_code(model: type[Any]) -> str:
    return f"{model.__tablename__.upper()}_NOT_FOUND"


def get_row(model: type[Any], id: UUID) -> Any:
    """The row as an entity, for writing. Raises NotFound."""
    row = db.session.scalar(select(model).where(model.id == id))
    if row is None:
        raise not_found(model)
    return row


def check_exists(model: type[Any], id: UUID) -> None:
    """Raises NotFound."""
    if db.session.scalar(select(model.id).where(model.id == id)) is None:
        raise not_found(model)


def lock(model: type[Any], id: UUID, *, key_share: bool = False) -> bool:
    """False without the row. With ``key_share`` others may still add rows that refer to it (FOR NO KEY UPDATE)."""
    statement = select(model.id).where(model.id == id).with_for_update(key_share=key_share)
    return db.session.scalar(statement) is not None


def reload(model: type[Any], id: UUID) -> Any | None:
    """The present values of the row, also if the session has read it before."""
    return db.session.scalar(select(model).where(model.id == id).execution_options(populate_existing=True))


def lock_row(model: type[Any], id: UUID) -> Any | None:
    """Lock the row and read its present values, also if the session has read it before."""
    statement = select(model).where(model.id == id).with_for_update()
    return db.session.scalar(statement.execution_options(populate_existing=True))


@dataclass(frozen=True)
class Parent:
    """The parent of rows by ``column``. Its id in a path has that name, or comes first.

    Writers below a ``locked`` one take turns.
    """

    model: type[Any]
    column: str
    locked: bool = False

    def place_in(self, path: str) -> str:
        names = re.findall(r"<(\w+)>", path)
        return self.column if self.column in names else str(names[0])

    @property
    def takes_turns(self) -> bool:
        """Whether the transaction locks the parent before it reads rows below it."""
        return self.locked and is_writing()

    def check_exists(self, id: UUID) -> None:
        """Raises NotFound."""
        if not self.takes_turns:
            check_exists(self.model, id)
        elif not lock(self.model, id, key_share=True):
            raise not_found(self.model)
