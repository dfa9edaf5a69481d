"""Work that must not be lost: rows of the transaction that asks for it, worked off later, outside of any.

The queue is no tenant's. It holds kinds and ids, and what else it needs sealed (``core/sealed.py``), and
outlives the company whose files it removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, String, Update, delete, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.core.db.effects import after_commit
from app.core.db.models import Identified, Model, db
from app.core.db.tenancy import current_scope
from app.core.db.transaction import execute_and_count, unit_of_work
from app.core.jobs.job import Job
from app.core.services import services

RETRIES = tuple(timedelta(seconds=each) for each in (1, 10, 60, 600, 3600))
"""How long after each failure the next attempt comes; after the last, none does."""
LEASE = timedelta(seconds=90)
"""Longer than anything that a job waits for."""


class OutboxEntry(Identified, Model):
    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_due_at",
            "due_at",
            "id",
            postgresql_where=text("failed_at IS NULL"),
            sqlite_where=text("failed_at IS NULL"),
        ),
    )

    kind: Mapped[str] = mapped_column(String(60))
    tenant_id: Mapped[UUID | None]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(200))


def enqueue(kind: str, payload: Mapping[str, Any], *, delay: timedelta = timedelta()) -> UUID:
    """Ask for a job of a kind that ``services().jobs`` knows, in the current transaction."""
    entry = OutboxEntry(
        id=uuid7(),
        kind=kind,
        tenant_id=current_scope().company_id,
        payload=dict(payload),
        due_at=utcnow() + delay,
    )
    db.session.add(entry)
    db.session.flush()
    after_commit(services().wake.set)
    return entry.id


def claim(lease: timedelta = LEASE) -> Job | None:
    """The next job that is due, leased in a committed transaction: whoever dies with it loses only time."""
    now = utcnow()
    if not _is_any_due(now):
        return None
    with unit_of_work():
        row = db.session.execute(_claiming(now, now + lease)).one_or_none()
    return None if row is None else Job(*row)


def _due(now: datetime) -> tuple[Any, ...]:
    free = or_(OutboxEntry.leased_until.is_(None), OutboxEntry.leased_until <= now)
    return OutboxEntry.failed_at.is_(None), OutboxEntry.due_at <= now, free


def _is_any_due(now: datetime) -> bool:
    """Asked without writing: on SQLite an idle worker must not take the one writer's place every second."""
    with unit_of_work(writes=False):
        return db.session.execute(select(OutboxEntry.id).where(*_due(now)).limit(1)).first() is not None


def _claiming(now: datetime, until: datetime) -> Any:
    first = select(OutboxEntry.id).where(*_due(now)).order_by(OutboxEntry.due_at, OutboxEntry.id).limit(1)
    # SQLite has one writer and ignores this. Not IN: PostgreSQL may run such a subquery once per row of the table, and
    # every run finds another one that is free.
    one = first.with_for_update(skip_locked=True).scalar_subquery()
    statement = update(OutboxEntry).where(OutboxEntry.id == one)
    return (
        statement.values(leased_until=until)
        .returning(
            OutboxEntry.id,
            OutboxEntry.kind,
            OutboxEntry.tenant_id,
            OutboxEntry.payload,
            OutboxEntry.created_at,
            OutboxEntry.attempts,
            OutboxEntry.leased_until,
        )
        .execution_options(synchronize_session=False)
    )


class LeaseLost(RuntimeError):
    """The job was finished, or is being worked off, by somebody else."""


def complete_in_transaction(job: Job) -> None:
    """It is done, unless ``complete`` has said so already."""
    with unit_of_work():
        _remove(job)


def complete(job: Job) -> None:
    """It is done if the current transaction commits: what is written here is written once, whoever dies when.

    Raises LeaseLost.
    """
    if not _remove(job):
        raise LeaseLost(job.kind)


def _remove(job: Job) -> bool:
    mine = (OutboxEntry.id == job.id, OutboxEntry.leased_until == job.leased_until)
    statement = delete(OutboxEntry).where(*mine)
    return bool(execute_and_count(statement))


def retry_or_fail(job: Job, error: str, retries: tuple[timedelta, ...] = RETRIES) -> bool:
    """It failed: try again later, or keep it as failed. Whether another attempt follows."""
    now, is_last = utcnow(), job.attempts >= len(retries)
    values: dict[str, Any] = {"attempts": job.attempts + 1, "leased_until": None, "error": error[:200]}
    values |= {"failed_at": now} if is_last else {"due_at": now + retries[job.attempts]}
    with unit_of_work():
        db.session.execute(_of(job).values(values))
    return not is_last


def _of(job: Job) -> Update:
    """Whoever's lease ran out no longer has a say."""
    mine = (OutboxEntry.id == job.id, OutboxEntry.leased_until == job.leased_until)
    return update(OutboxEntry).where(*mine).execution_options(synchronize_session=False)


def list_failed(prefix: str = "") -> list[OutboxEntry]:
    """Those given up, of the kinds that begin so, oldest first."""
    with unit_of_work(writes=False):
        given_up = select(OutboxEntry).where(OutboxEntry.failed_at.is_not(None), OutboxEntry.kind.startswith(prefix))
        return list(db.session.scalars(given_up.order_by(OutboxEntry.created_at, OutboxEntry.id)).all())


def retry(ids: list[UUID]) -> int:
    """Let those that were given up begin anew. Returns how many."""
    values = {"failed_at": None, "attempts": 0, "due_at": utcnow(), "error": None}
    which = (OutboxEntry.id.in_(ids), OutboxEntry.failed_at.is_not(None))
    with unit_of_work():
        statement = update(OutboxEntry).where(*which).values(values)
        found = execute_and_count(statement)
        after_commit(services().wake.set)
    return found
