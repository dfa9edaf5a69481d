"""A look at the database past tenants and row-level security, for what no client may see."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, NullPool, Table, create_engine, func, select

from app.core.db.models import Model
from tests.support.databases import Postgres, worker
from tests.support.snapshots import GLOBAL_TABLES


@pytest.fixture
def everything(database: str, database_url: str, postgres: Postgres) -> Iterator[Engine]:
    superuser = f"postgresql+psycopg://postgres@/identity_{worker()}?host={postgres.socket_dir}"
    engine = create_engine(database_url if database == "sqlite" else superuser, poolclass=NullPool)
    yield engine
    engine.dispose()


def row_counts(engine: Engine) -> dict[str, int]:
    """Rows by table, but for the global tables."""
    tables: list[Table] = [table for table in Model.metadata.sorted_tables if table.name not in GLOBAL_TABLES]
    with engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        }
