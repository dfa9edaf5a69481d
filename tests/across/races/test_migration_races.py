"""``flask db upgrade`` by several processes at once on an empty database."""

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import create_engine, inspect, text

from app.core.db.models import Model
from tests.across.races.fleet import ROOT, SIZE
from tests.support.databases import ENVIRONMENT, Postgres, worker

SECONDS = 60


def test_every_one_of_several_upgrades_at_once_succeeds(database: str, postgres: Postgres, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if database == "postgresql":
        postgres.create(f"upgraded_{worker()}")
        url = postgres.url(f"upgraded_{worker()}")

    processes = [_upgrade(url) for _ in range(SIZE)]
    outputs = [process.communicate(timeout=SECONDS)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * SIZE, outputs
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        versions = connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one()
        seeded = connection.execute(text("SELECT count(*) FROM document_type")).scalar_one()
    tables = set(inspect(engine).get_table_names())
    engine.dispose()
    assert (versions, seeded) == (1, 6)
    assert tables >= set(Model.metadata.tables)


def _upgrade(url: str) -> subprocess.Popen[str]:
    environ = {**os.environ, **ENVIRONMENT, "DATABASE_URL": url, "FLASK_APP": "wsgi.py", "FLASK_SKIP_DOTENV": "1"}
    command = [sys.executable, "-m", "flask", "db", "upgrade"]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
