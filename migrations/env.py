"""Runs the migrations as the owner of the tables, in one process at a time and in one transaction."""

import logging

from alembic import context
from flask import current_app
from sqlalchemy import text

from app.core.db.engine import owner_engine
from app.core.db.mode import statement_timeout

LOCK = 7_021_936_150


def is_ours(name, kind, _parents) -> bool:
    """False for the search indexes, which belong to the operator (scripts/postgres/search-index.sql)."""
    return not (kind == "index" and name.endswith("_text_trgm"))


def run() -> None:
    extension = current_app.extensions["migrate"]
    # An operator sees which migrations run.
    logging.getLogger("alembic.runtime.migration").setLevel(current_app.extensions["identity"].settings.log_level)
    engine, metadata = owner_engine(), extension.db.metadata
    with statement_timeout(None), engine.connect() as connection:
        # transactional_ddl makes the whole upgrade one transaction. On SQLite the engine opens it with
        # BEGIN IMMEDIATE, so a second process waits.
        context.configure(
            connection=connection,
            target_metadata=metadata,
            transactional_ddl=True,
            include_name=is_ours,
            **extension.configure_args,
        )
        with context.begin_transaction():
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = '60s'"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            context.run_migrations()


run()
