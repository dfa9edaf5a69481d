"""Jobs that recur: one row of the outbox for each kind, due again an interval after its execution."""

from datetime import timedelta
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import update

from app.base.clock import utcnow
from app.core.db.models import db
from app.core.db.transaction import execute_and_count, unit_of_work, upsert
from app.core.jobs.outbox import Job, leased
from app.core.services import services


def schedule() -> None:
    """Insert the recurring jobs that are missing, due at once, and restart those that an older process gave up."""
    now = utcnow()
    restart = {"due_at": now, "failed_at": None, "attempts": 0}
    with unit_of_work():
        for kind in services().recurring:
            row = {"id": uuid5(NAMESPACE_OID, kind), "kind": kind, "payload": {}, "created_at": now, "due_at": now}
            statement = upsert(Job).values(**row, attempts=0)
            index, failed = [Job.id], Job.failed_at.is_not(None)
            db.session.execute(statement.on_conflict_do_update(index_elements=index, set_=restart, where=failed))


def postpone(job: Job, interval: timedelta, error: str | None = None) -> None:
    """The next execution, also after a failure: a recurring job is never given up."""
    values = {"due_at": utcnow() + interval, "leased_until": None, "attempts": 0, "error": error and error[:200]}
    with unit_of_work():
        execute_and_count(update(Job).where(*leased(job)).values(values))
