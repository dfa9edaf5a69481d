"""Database connections: limits, pragmas, and the start of a transaction on either database."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from flask import Flask
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine

from app.base.errors import SettingsError
from app.config.settings import Settings
from app.core.db.mode import is_writing, read_only
from app.core.db.models import db
from app.core.db.pool import TenantPool

READINESS = "readiness"
"""The engine with one connection besides the pool."""


class UnsafeRole(SettingsError):
    """Row-level security does not bind the database role."""


def configure(app: Flask, settings: Settings) -> None:
    pool = {"poolclass": TenantPool, "pool_size": settings.database_pool_size, "max_overflow": 0, "pool_timeout": 2}
    connect_args, listeners = SQLITE_CONNECT_ARGS, SQLITE_LISTENERS
    if settings.is_postgresql:
        # A service on SQLite does not import the driver.
        from app.core.db import postgres

        connect_args, listeners = postgres.CONNECT_ARGS, postgres.LISTENERS
    # Error texts are logged, and would repeat the values of the row.
    options = pool | {"hide_parameters": True, "connect_args": connect_args}
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    app.config["SQLALCHEMY_BINDS"] = {READINESS: options | {"url": settings.database_url, "pool_size": 1}}
    app.config["SQLALCHEMY_RECORD_QUERIES"] = False
    db.init_app(app)
    with app.app_context():
        for engine in db.engines.values():
            _listen(engine, listeners, checks_role=settings.is_deployed and settings.is_postgresql)
        if settings.is_deployed and settings.is_postgresql:
            _probe(db.engine)


def _listen(engine: Engine, listeners: Mapping[str, Callable[..., Any]], *, checks_role: bool) -> None:
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    if checks_role:
        event.listen(engine, "connect", _check_role)


@contextmanager
def readiness_connection() -> Iterator[Connection]:
    """A read-only transaction on a connection that no request can take."""
    with read_only(), db.engines[READINESS].connect() as connection:
        yield connection


def _probe(engine: Engine) -> None:
    """Raises UnsafeRole. A database that cannot be reached yet does not stop the start."""
    with suppress(exc.OperationalError):
        engine.connect().close()
    engine.dispose()


def _check_role(connection: Any, _record: Any) -> None:
    """Raises UnsafeRole."""
    row = connection.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()
    if row[0]:
        connection.close()
        raise UnsafeRole(["DATABASE_URL: the role is a superuser or has BYPASSRLS; it must be a plain one."])


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=5000", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that changes from reading to writing fails at once with SQLITE_BUSY.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing() else "BEGIN")


SQLITE_CONNECT_ARGS: dict[str, Any] = {"timeout": 5, "check_same_thread": False}
SQLITE_LISTENERS: dict[str, Callable[..., Any]] = {"connect": _open_sqlite, "begin": _begin_sqlite}
