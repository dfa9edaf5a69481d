"""INSERT … ON CONFLICT for either database: SQLAlchemy has one class for each."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from app.core.db.models import db


def upsert(model: type[Any]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of the database in use. The caller adds ``on_conflict_do_update`` or ``on_conflict_do_nothing``."""
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    insert: postgresql.Insert | sqlite.Insert = dialect.insert(model)
    return insert
