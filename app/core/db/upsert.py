"""INSERT … ON CONFLICT, which SQLAlchemy has for each database but not for both."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from app.core.db.models import db


def upsert(model: type[Any]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of the database in use, to which ``on_conflict_do_…`` is added."""
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    insert: postgresql.Insert | sqlite.Insert = dialect.insert(model)
    return insert
