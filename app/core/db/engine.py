"""Database connections: limits, pragmas, and the start of a transaction on either database."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine

from app.base.errors import SettingsError
from app.config.settings import Settings
from app.core.db.mode import is_writing, read_only, statement_timeout
from app.core.db.models import db
from app.core.db.pool import TenantPool

READINESS, OWNER = "readiness", "owner"
"""The engine with one connection besides the pool, and that of the role that owns the tables."""

log = structlog.get_logger(__name__)


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
    single = options | {"pool_size": 1}
    app.config["SQLALCHEMY_BINDS"] = {READINESS: single | {"url": settings.database_url}}
    if settings.migration_database_url:
        app.config["SQLALCHEMY_BINDS"][OWNER] = single | {"url": settings.migration_database_url}
    app.config["SQLALCHEMY_RECORD_QUERIES"] = False
    db.init_app(app)
    with app.app_context():
        for name, engine in db.engines.items():
            serves = settings.is_deployed and settings.is_postgresql and name != OWNER
            _listen(engine, listeners, checks_role=serves)
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


ROLE = """
    SELECT rolsuper OR rolbypassrls, EXISTS (
        SELECT FROM pg_class WHERE relname = 'alembic_version' AND relkind = 'r' AND pg_has_role(relowner, 'MEMBER')
    ) FROM pg_roles WHERE rolname = current_user
"""


def _check_role(connection: Any, _record: Any) -> None:
    """Raises UnsafeRole."""
    is_unbound, is_owner = connection.execute(ROLE).fetchone()
    if is_unbound:
        connection.close()
        raise UnsafeRole(["DATABASE_URL: the role is a superuser or has BYPASSRLS; it must be a plain one."])
    if is_owner:
        _warn_of_owner()


@cache
def _warn_of_owner() -> None:
    """Once in each process."""
    remedy = "MIGRATION_DATABASE_URL and flask db grant, see docs/deployment.md"
    log.warning("database_role_owns_the_tables", consequence="it can switch row-level security off", remedy=remedy)


def owner_engine() -> Engine:
    """The engine of MIGRATION_DATABASE_URL, or else that of the service."""
    return db.engines.get(OWNER, db.engine)


VERSION = "alembic_version"
ROWS = "SELECT, INSERT, UPDATE, DELETE"
# TRUNCATE is missing, because no policy binds it.
STATEMENTS = (
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "REVOKE ALL ON SCHEMA public FROM {role}",
    "REVOKE ALL ON {tables}, {version} FROM {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    f"GRANT {ROWS} ON {{tables}} TO {{role}}",
    "GRANT SELECT ON {version} TO {role}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
    # For tables of later migrations.
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {ROWS} ON TABLES TO {{role}}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {role}",
)


OWNERSHIP = """
    SELECT count(*) = %s, bool_and(pg_has_role(relowner, 'MEMBER')), bool_or(pg_has_role(%s, relowner, 'MEMBER'))
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname = ANY(%s)
"""


class CannotGrant(Exception):
    """``args[0]`` says why."""


def grant_to(role: str) -> None:
    """Raises CannotGrant, and SQLAlchemyError from the database."""
    names = [VERSION, *(table.name for table in db.metadata.sorted_tables)]
    with statement_timeout(None), owner_engine().begin() as connection:
        _check_ownership(connection, role, names)
        role, version, *tables = map(connection.dialect.identifier_preparer.quote_identifier, [role, *names])
        for statement in STATEMENTS:
            connection.exec_driver_sql(statement.format(role=role, tables=", ".join(tables), version=version))


def _check_ownership(connection: Connection, role: str, names: list[str]) -> None:
    """Raises CannotGrant. PostgreSQL only warns of a GRANT by a role that may not grant."""
    arguments = (len(names), role, names)
    is_complete, may_grant, is_owner = connection.exec_driver_sql(OWNERSHIP, arguments).one()
    if not is_complete:
        raise CannotGrant("The database is not migrated: flask db upgrade comes first.")
    if not may_grant:
        raise CannotGrant("The role of MIGRATION_DATABASE_URL does not own the tables.")
    if is_owner:
        raise CannotGrant(f"{role} owns the tables, or is a member of the role that does.")


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=5000", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that changes from reading to writing fails at once with SQLITE_BUSY.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing() else "BEGIN")


SQLITE_CONNECT_ARGS: dict[str, Any] = {"timeout": 5, "check_same_thread": False}
SQLITE_LISTENERS: dict[str, Callable[..., Any]] = {"connect": _open_sqlite, "begin": _begin_sqlite}
