"""``flask db upgrade`` by several processes at once on an empty database."""

import multiprocessing
import os
from pathlib import Path

from flask.cli import cli
from sqlalchemy import create_engine, inspect, text

from app.config.settings import ROOT
from app.core.db.models import Model
from tests.across.races.fleet import SIZE
from tests.support.databases import ENVIRONMENT, OWNER, Postgres, worker

SECONDS = 60
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
"""Processes that find this module, and with it the service, imported."""


def test_every_one_of_several_upgrades_at_once_succeeds(database: str, postgres: Postgres, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if database == "postgresql":
        postgres.create(f"upgraded_{worker()}")
        url = postgres.url(f"upgraded_{worker()}", OWNER)

    logs = [tmp_path / f"{number}.log" for number in range(SIZE)]
    processes = [FORKS.Process(target=_upgrade, args=(url, log)) for log in logs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            process.join()

    written = "\n".join(log.read_text() for log in logs if log.exists())
    assert [process.exitcode for process in processes] == [0] * SIZE, written
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        versions = connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one()
        seeded = connection.execute(text("SELECT count(*) FROM document_type")).scalar_one()
    tables = set(inspect(engine).get_table_names())
    engine.dispose()
    assert (versions, seeded) == (1, 6)
    assert tables >= set(Model.metadata.tables)


def _upgrade(url: str, log: Path) -> None:
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
    os.chdir(ROOT)
    os.environ |= {**ENVIRONMENT, "DATABASE_URL": url, "FLASK_APP": "wsgi.py", "FLASK_SKIP_DOTENV": "1"}
    cli.main(["db", "upgrade"], prog_name="flask")
