"""The hourly sweep of what nobody needs any more: tokens of ended sessions, long unused sessions, old counters."""

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update

from app.accounts.auth import failures
from app.accounts.auth.models import AuthSession, RefreshToken
from app.accounts.auth.networks import KNOWN_FOR
from app.accounts.auth.sessions import mark_ended
from app.base.clock import utcnow
from app.companies.models import Company
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import execute_and_count, platform_session, unit_of_work
from app.core.jobs.outbox import Job, enqueue

SWEEP, REST = "auth.sweep", "auth.sweep_rest"
INTERVAL = timedelta(hours=1)
MAX_SECONDS = 5.0
"""Mails wait in the same queue."""
SESSIONS, ROWS = 100, 1000


def sweep(job: Job) -> None:
    """Sweep the companies after that of the payload. Out of time, another job continues where this one stopped."""
    give_up_at = time.monotonic() + MAX_SECONDS
    for place in _batches(job.payload.get("after", "")):
        if time.monotonic() >= give_up_at:
            with unit_of_work():
                enqueue(REST, {"after": place})
            return


def _batches(after: str) -> Iterator[str]:
    """Sweep a batch between any two values: the last company that is done."""
    for company_id in _companies(after):
        while _sweep_company(company_id):
            yield after
        after = str(company_id)
        yield after
    while _sweep_counters():
        yield after


def _companies(after: str) -> list[UUID]:
    ids = select(Company.id).order_by(Company.id)
    with platform_session() as session:
        return list(session.scalars(ids.where(Company.id > UUID(after)) if after else ids))


def _sweep_counters() -> bool:
    with unit_of_work():
        return failures.delete_old()


def _sweep_company(company_id: UUID) -> bool:
    """True if there may be more."""
    with tenant(company_id), unit_of_work():
        return any([_delete_tokens(), _delete_unused()])


def _delete_tokens() -> bool:
    """Detection of reuse ends with the session. The rows of other writers are left to the next sweep."""
    ended = (
        select(AuthSession.id)
        .where(AuthSession.has_tokens, AuthSession.expires_at <= utcnow())
        .order_by(AuthSession.expires_at)
        .limit(SESSIONS)
        .with_for_update(skip_locked=True)
    )
    ids = db.session.scalars(ended).all()
    mark_ended(AuthSession.id.in_(ids), "expired", revoked_at=AuthSession.expires_at)
    tokens = select(RefreshToken.id).where(RefreshToken.session_id.in_(ids))
    some = tokens.limit(ROWS).with_for_update(skip_locked=True)
    count = execute_and_count(delete(RefreshToken).where(RefreshToken.id.in_(some)))
    is_empty = ~select(RefreshToken.id).where(RefreshToken.session_id == AuthSession.id).exists()
    execute_and_count(update(AuthSession).where(AuthSession.id.in_(ids), is_empty).values(has_tokens=False))
    return count == ROWS or len(ids) == SESSIONS


def _delete_unused() -> bool:
    """A session is kept while its network is known by it."""
    unused = (
        select(AuthSession.id)
        .where(~AuthSession.has_tokens, AuthSession.last_used_at < utcnow() - KNOWN_FOR)
        .limit(ROWS)
        .with_for_update(skip_locked=True)
    )
    return execute_and_count(delete(AuthSession).where(AuthSession.id.in_(unused))) == ROWS
