"""Database connections: limits, pragmas, and the start of a transaction on either database."""

from contextlib import suppress
from typing import Any

from flask import Flask
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine

from app.base.errors import SettingsError
from app.config.settings import Settings
from app.core.db.models import db
from app.core.db.transaction import is_writing


class UnsafeRole(SettingsError):
    """Row-level security does not bind the database role."""


def configure(app: Flask, settings: Settings) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(settings)
    app.config["SQLALCHEMY_RECORD_QUERIES"] = False
    db.init_app(app)
    with app.app_context():
        _attach_listeners(db.engine)
        if settings.is_deployed and settings.is_postgresql:
            event.listen(db.engine, "connect", _check_role)
            _probe(db.engine)


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


def _engine_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"pool_size": settings.database_pool_size, "max_overflow": 0, "pool_timeout": 2}
    # Error texts are logged, and would repeat the values of the row.
    options["hide_parameters"] = True
    if settings.is_postgresql:
        from app.core.db.postgres import CONNECT_ARGS

        options["connect_args"] = CONNECT_ARGS
    else:
        options["connect_args"] = {"timeout": 5, "check_same_thread": False}
    return options


def _attach_listeners(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        # A service on SQLite does not import the driver.
        from app.core.db import postgres

        postgres.attach(engine)


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=5000", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that changes from reading to writing fails at once with SQLITE_BUSY.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing() else "BEGIN")
