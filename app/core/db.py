"""Base classes of the models, the connection's set-up, and the one place that commits."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, ForeignKeyConstraint, Index, MetaData, Text, TypeDecorator, Uuid, event, exc
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedColumn,
    Session,
    UOWTransaction,
    declared_attr,
    mapped_column,
)
from sqlalchemy.pool import ConnectionPoolEntry
from uuid_utils.compat import uuid7

from app.config import Settings
from app.core.effects import forget_effects, run_effects
from app.core.tenancy import GuardedSession, current_scope, in_transaction, platform_scope

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class SqliteUtc(TypeDecorator[datetime]):
    """SQLite keeps no zone: stored as UTC, read as aware UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


UtcDateTime = DateTime(timezone=True).with_variant(SqliteUtc(), "sqlite")
CodePointText = Text().with_variant(Text(collation="C"), "postgresql")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


# Flask-SQLAlchemy derives its own base, which may not carry a map of its own besides the registry's.
Base.registry.update_type_annotation_map({datetime: UtcDateTime, UUID: Uuid()})

db = SQLAlchemy(
    model_class=Base,
    disable_autonaming=True,
    session_options={"class_": GuardedSession, "expire_on_commit": False, "autoflush": False},
)
Model = db.Model


def utcnow() -> datetime:
    """Aware UTC. Never on a whole second: orjson would leave out the microseconds that 01 promises."""
    now = datetime.now(UTC)
    return now if now.microsecond else now + timedelta(microseconds=1)


def fold(text: str) -> str:
    """The form in which text is compared, sorted and searched on every database."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


class Identified:
    """A time-ordered UUID (RFC 9562 version 7)."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)


class Timestamped:
    created_at: Mapped[datetime] = mapped_column(default=utcnow, sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, sort_order=91)


class Versioned:
    """``row_version`` goes up with every UPDATE; a writer whose version moved gets StaleDataError."""

    row_version: Mapped[int] = mapped_column(default=1, sort_order=92)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.row_version}


def same_tenant(column: str, target: str) -> ForeignKeyConstraint:
    """A composite foreign key inside one tenant. It has no action: SQLite's SET NULL would null
    ``company_id`` too, and the application clears references itself."""
    return ForeignKeyConstraint(["company_id", column], [f"{target}.company_id", f"{target}.id"])


def listed_by(table: str, *columns: str) -> tuple[Index, ...]:
    """One index per order in which a list can be read, ties broken by id."""
    return tuple(Index(f"ix_{table}_company_id_{column}_id", "company_id", column, "id") for column in columns)


def folded(*names: str, **options: Any) -> MappedColumn[Any]:
    """A column kept equal to the folded text of others, newline-joined; filled in at flush.

    Row-level security lets no case-folding operator use an index, and two databases fold
    differently: hence a stored form.
    """
    return mapped_column(CodePointText, info={"folds": names}, **options)


def add_in_order(*groups: Iterable[object]) -> None:
    """Flush each group before the next: the ORM orders by relationships, and these models have none."""
    for group in groups:
        db.session.add_all(group)
        db.session.flush()


def is_modified(session: Session, row: object) -> bool:
    return session.is_modified(row, include_collections=False)


@event.listens_for(GuardedSession, "before_flush")
def _keep_derived(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    for row in session.new:
        _fold(row)
    for row in session.dirty:
        if is_modified(session, row):
            _fold(row)
            if isinstance(row, Timestamped):
                row.updated_at = utcnow()


def _fold(row: Any) -> None:
    for column in row.__table__.c:
        names = column.info.get("folds")
        if names:
            texts = [fold(text) for name in names if (text := getattr(row, name))]
            setattr(row, column.key, "\n".join(texts) if texts or len(names) > 1 else None)


_writing: ContextVar[bool] = ContextVar("db_writing", default=True)


@contextmanager
def unit_of_work(*, writes: bool = True) -> Iterator[Session]:
    """One transaction of the bound tenant: committed at the end if it ``writes``, else rolled back.

    Queued effects run after the commit; an exception rolls back and forgets them.
    """
    session = db.session()
    writing = _writing.set(writes)
    with in_transaction():
        try:
            yield session
            if writes:
                session.commit()
        except BaseException:
            forget_effects()
            raise
        finally:
            session.close()
            _writing.reset(writing)
    if writes:
        run_effects()


@contextmanager
def platform_session(*, writes: bool = False) -> Iterator[Session]:
    """A session of its own that sees every company and no other tenant table."""
    with platform_scope(), unit_of_work(writes=writes) as session:
        yield session


def configure(app: Flask, settings: Settings) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(settings)
    app.config["SQLALCHEMY_RECORD_QUERIES"] = False
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)


def _engine_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"pool_size": settings.database_pool_size, "max_overflow": 0, "pool_timeout": 2}
    if settings.is_postgresql:
        timeouts = (
            "-c statement_timeout=5000 -c lock_timeout=2000"
            " -c idle_in_transaction_session_timeout=10000 -c timezone=UTC"
        )
        options["connect_args"] = {"options": timeouts, "connect_timeout": 2, "autocommit": True}
    else:
        options["connect_args"] = {"timeout": 5, "check_same_thread": False}
    return options


def prepare_engine(engine: Engine) -> None:
    """Attach what every connection and transaction needs; separate so that migrations share it."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "begin", _begin_postgresql)
        event.listen(engine, "checkout", _ping_if_idle)
        event.listen(engine, "checkin", _note_idle)


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=5000", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that upgrades from reading to writing fails at once with SQLITE_BUSY.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing.get() else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """BEGIN and the tenant in one round trip (a simple query takes several statements).

    psycopg runs in autocommit mode, so that it sends no BEGIN of its own; ``set_config``'s
    third argument ends the setting with the transaction: a pooled connection carries nothing over.
    """
    scope = current_scope()
    begin = "BEGIN" if _writing.get() else "BEGIN READ ONLY"
    if scope.company_id is not None:
        begin += f"; SELECT set_config('app.company_id', '{UUID(int=scope.company_id.int)}', true)"
    elif scope.platform:
        begin += "; SELECT set_config('app.platform', 'on', true)"
    try:
        connection.connection.cursor().execute(begin, prepare=False)
    except psycopg.Error as error:
        connection.invalidate(error)
        raise exc.OperationalError("BEGIN", None, error) from error


IDLE_SECONDS = 1.0


def _note_idle(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["idle_since"] = time.monotonic()


def _ping_if_idle(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Instead of pool_pre_ping, whose round trip every request would pay twice."""
    idle_since = record.info.get("idle_since")
    if idle_since is None or time.monotonic() - idle_since < IDLE_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise exc.DisconnectionError() from error
