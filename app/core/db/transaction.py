"""The one place that commits, effects of a commit, and prepared reads."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Delete, Insert, Row, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.db.models import db
from app.core.db.tenancy import TenantQuery, current_scope, in_transaction, platform_scope, tenant

log = structlog.get_logger(__name__)

Effect = Callable[[], None]
_effects: ContextVar[tuple[Effect, ...]] = ContextVar("effects", default=())
_writing: ContextVar[bool] = ContextVar("db_writing", default=True)


def is_writing() -> bool:
    """Whether the transaction that begins now, or is open, may write."""
    return _writing.get()


@contextmanager
def unit_of_work(*, writes: bool = True) -> Iterator[Session]:
    """One transaction of the bound tenant, committed if it ``writes``; queued effects run after the commit only."""
    session = db.session()
    writing = _writing.set(writes)
    with in_transaction():
        try:
            yield session
            if writes:
                session.commit()
        except BaseException:
            _effects.set(())
            raise
        finally:
            session.close()
            _writing.reset(writing)
    effects = _effects.get()
    _effects.set(())
    if writes:
        _run(effects)


def after_commit(effect: Effect) -> None:
    """Run ``effect`` after a commit of the unit of work. It may be lost; a job in the outbox is not."""
    _effects.set((*_effects.get(), effect))


def _run(effects: Sequence[Effect]) -> None:
    for effect in effects:
        try:
            effect()
        except Exception:
            log.exception("effect_failed", effect=getattr(effect, "__qualname__", repr(effect)))


def upsert(model: type[Any]) -> postgresql.Insert | sqlite.Insert:
    """INSERT … ON CONFLICT of the database in use, to which the caller adds ``on_conflict_do_…``."""
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    insert: postgresql.Insert | sqlite.Insert = dialect.insert(model)
    return insert


def execute_and_count(statement: Insert | Update | Delete) -> int:
    """The number of changed rows. A condition in WHERE lets one of several concurrent writers succeed."""
    result: Any = db.session.execute(statement.execution_options(synchronize_session=False))
    return int(result.rowcount)


def read(query: TenantQuery, params: dict[str, Any]) -> Sequence[Row[Any]]:
    """The rows of a prepared read, inside the unit of work.

    With a tenant bound it avoids the ORM's session, whose bookkeeping costs more than the query. The statement
    itself has the criterion that the session's guard would add.
    """
    if current_scope().company_id is None:
        return db.session.execute(query.unscoped, params).all()
    return db.session.connection().execute(query.scoped, params).all()


def read_in_own_transaction(query: TenantQuery, params: dict[str, Any]) -> Sequence[Row[Any]]:
    """The rows of a prepared read, in a transaction of its own."""
    writing = _writing.set(False)
    try:
        with in_transaction(), db.engine.connect() as connection:
            return connection.execute(query.single, params).all()
    finally:
        _writing.reset(writing)


@contextmanager
def company_transaction(company_id: UUID, *, writes: bool = True) -> Iterator[Session]:
    """A transaction with the company bound as its tenant."""
    with tenant(company_id), unit_of_work(writes=writes) as session:
        yield session


@contextmanager
def platform_session(*, writes: bool = False) -> Iterator[Session]:
    """A transaction that sees every company, and no other tenant table."""
    with platform_scope(), unit_of_work(writes=writes) as session:
        yield session
