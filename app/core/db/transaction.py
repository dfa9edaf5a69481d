"""The one place that commits, effects of a commit, and prepared reads."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Delete, Insert, Row, Update, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.db.faults import is_lost
from app.core.db.mode import writes_now
from app.core.db.models import db
from app.core.db.tenancy import (
    GuardedSession,
    TenantQuery,
    current_scope,
    in_transaction,
    platform_scope,
    tenant,
)

log = structlog.get_logger(__name__)

Effect = Callable[[], None]
_effects: ContextVar[tuple[Effect, ...]] = ContextVar("effects", default=())


@contextmanager
def unit_of_work(*, writes: bool = True) -> Iterator[Session]:
    """One transaction of the bound tenant, committed if it ``writes``; queued effects run after the commit only."""
    session = db.session()
    writing = writes_now.set(writes)
    with in_transaction():
        try:
            yield session
            if writes:
                session.commit()
        except BaseException:
            _effects.set(())
            raise
        finally:
            _close(session)
            writes_now.reset(writing)
    effects = _effects.get()
    _effects.set(())
    if writes:
        _run(effects)


def _close(session: Session) -> None:
    """Roll back what is not committed. A lost connection has done so."""
    try:
        session.close()
    except exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise


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
    session: GuardedSession = db.session()  # type: ignore[assignment]
    return session.read(query.scoped, params)


def read_in_own_transaction(query: TenantQuery, params: dict[str, Any]) -> Sequence[Row[Any]]:
    """The rows of a prepared read, in a transaction of its own."""
    writing = writes_now.set(False)
    try:
        with in_transaction():
            return _read_alone(query, params)
    finally:
        writes_now.reset(writing)


def _read_alone(query: TenantQuery, params: dict[str, Any], *, is_repeated: bool = False) -> Sequence[Row[Any]]:
    try:
        with db.engine.connect() as connection:
            return connection.execute(query.single, params).all()
    except exc.DBAPIError as error:
        if is_repeated or not is_lost(error):
            raise
    return _read_alone(query, params, is_repeated=True)


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
