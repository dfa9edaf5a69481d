"""Jobs that must not be lost: rows of the requesting transaction. Values beyond kinds and ids are encrypted."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ColumnElement, Index, String, delete, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.db.models import Identified, Model, db
from app.core.db.tenancy import TenantNotSet, current_scope
from app.core.db.transaction import after_commit, execute_and_count, unit_of_work
from app.core.services import services

RETRIES = tuple(timedelta(seconds=seconds) for seconds in (1, 10, 60, 600, 3600))
"""The delay of the next attempt after each failure. After the last one there is no further attempt."""
LEASE = timedelta(seconds=90)
"""Longer than every timeout within a job."""


class Job(Identified, Model):
    """``attempts`` counts the claims: an attempt that kills its process counts as well."""

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

    @property
    def company_id(self) -> UUID:
        """The tenant of the job. Raises TenantNotSet for a job of no tenant."""
        if self.tenant_id is None:
            raise TenantNotSet(f"{self.kind} belongs to no tenant.")
        return self.tenant_id


def enqueue(kind: str, payload: Mapping[str, Any], *, delay: timedelta = timedelta()) -> UUID:
    """Request a job of a kind in ``services().jobs``, in the current transaction."""
    job = Job(kind=kind, tenant_id=current_scope().company_id, payload=dict(payload), due_at=utcnow() + delay)
    db.session.add(job)
    db.session.flush()
    after_commit(services().wake.set)
    return job.id


def claim(lease: timedelta = LEASE) -> Job | None:
    """The next due job, leased in a committed transaction: a crash of the worker only delays it."""
    now = utcnow()
    # A separate read: on SQLite an idle worker must not block the other writers every second.
    with unit_of_work(writes=False) as session:
        if session.scalar(select(Job.id).where(*_due(now)).limit(1)) is None:
            return None
    with unit_of_work() as session:
        job: Job | None = session.scalars(_claim_statement(now, now + lease)).one_or_none()
    return job


def _due(now: datetime) -> tuple[Any, ...]:
    free = or_(Job.leased_until.is_(None), Job.leased_until <= now)
    return Job.failed_at.is_(None), Job.due_at <= now, free


def _claim_statement(now: datetime, until: datetime) -> Any:
    first = select(Job.id).where(*_due(now)).order_by(Job.due_at, Job.id).limit(1)
    # Not IN: PostgreSQL may run such a subquery once per row of the table, each time with another free row.
    id = first.with_for_update(skip_locked=True).scalar_subquery()
    return (
        update(Job)
        .where(Job.id == id)
        .values(leased_until=until, attempts=Job.attempts + 1)
        .returning(Job)
        .execution_options(synchronize_session=False)
    )


class LeaseLost(RuntimeError):
    """Another worker has completed the job, or is executing it."""


def complete_in_transaction(job: Job) -> None:
    """Remove an executed job, unless its handler has called ``complete``."""
    with unit_of_work():
        _remove(job)


def complete(job: Job) -> None:
    """Remove the job in the current transaction, whose writes therefore happen exactly once. Raises LeaseLost."""
    if not _remove(job):
        raise LeaseLost(job.kind)


def _remove(job: Job) -> bool:
    return bool(execute_and_count(delete(Job).where(*leased(job))))


def leased(job: Job) -> tuple[ColumnElement[bool], ...]:
    """The entry, unless the lease has ended and another worker holds it."""
    return Job.id == job.id, Job.leased_until == job.leased_until


def retry_or_fail(job: Job, error: str, retries: tuple[timedelta, ...] = RETRIES) -> bool:
    """Record a failure. True if another attempt follows; otherwise the entry stays as failed."""
    now, is_last = utcnow(), job.attempts > len(retries)
    values: dict[str, Any] = {"leased_until": None, "error": error[:200]}
    values |= {"failed_at": now} if is_last else {"due_at": now + retries[job.attempts - 1]}
    with unit_of_work():
        execute_and_count(update(Job).where(*leased(job)).values(values))
    return not is_last


def list_failed(prefix: str = "") -> list[Job]:
    """Failed jobs of the kinds with this prefix, oldest first."""
    with unit_of_work(writes=False):
        failed = select(Job).where(Job.failed_at.is_not(None), Job.kind.startswith(prefix))
        return list(db.session.scalars(failed.order_by(Job.created_at, Job.id)).all())


def retry(ids: list[UUID]) -> int:
    """Restart failed jobs. Returns their number."""
    values = {"failed_at": None, "attempts": 0, "due_at": utcnow(), "error": None}
    failed = (Job.id.in_(ids), Job.failed_at.is_not(None))
    with unit_of_work():
        count = execute_and_count(update(Job).where(*failed).values(values))
        after_commit(services().wake.set)
    return count
