"""Deleting a company with all that it holds, at once or by a job."""

import time
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.base.errors import Conflict
from app.companies.models import DELETING, INACTIVE, Company
from app.companies.service import count_holdings, lock_company
from app.core.crud.erase import erase_rows, erase_tenant, holds_more_than
from app.core.db.mode import statement_timeout
from app.core.db.models import db
from app.core.db.tenancy import current_tenant
from app.core.db.transaction import company_transaction
from app.core.files.stored_file import REMOVE, seal_caller
from app.core.jobs.outbox import Job, complete, enqueue

DELETE = "company.delete"
AT_ONCE = 1_000
"""Rows that a request deletes by itself, and a transaction of the job."""
TURN_SECONDS = 5.0
"""Afterwards another job goes on: mails must not wait, and no lease may end."""
BATCH_SECONDS = 30.0
"""For each statement of the job, whose rows may have many references to look for."""
WAIT = timedelta(seconds=5)
"""Until a job looks again whether the files are gone."""


class PlatformCompany(Conflict):
    code, message = "PLATFORM_COMPANY", "The platform company cannot be deleted."


class CompanyNotInactive(Conflict):
    code, message = "COMPANY_NOT_INACTIVE", "Only an inactive company can be deleted with all that it holds."


class CompanyNotEmpty(Conflict):
    code, message = "COMPANY_NOT_EMPTY", "The company still holds something."


class CompanyIsDeleting(Conflict):
    code, message = "COMPANY_DELETING", "The company is being deleted."


def ensure_not_deleting(id: UUID) -> None:
    """Raises CompanyIsDeleting."""
    with company_transaction(id, writes=False):
        if db.session.scalar(select(Company.status)) == DELETING:
            raise CompanyIsDeleting()


def delete_company(company: Company, *, cascade: bool) -> bool:
    """Delete the bound tenant. False if a job does it; until then the status is ``deleting``. Raises Conflict."""
    lock_company()
    db.session.refresh(company)
    if company.status != DELETING:
        _check_removable(company, cascade=cascade)
        if not holds_more_than(AT_ONCE):
            erase_tenant()
            db.session.expunge(company)
            return True
        company.status = DELETING
    if not _has_job(DELETE):
        enqueue(DELETE, {"token": seal_caller()})
    return False


def continue_deletion(job: Job) -> None:
    """The job of DELETE. Each transaction deletes a batch, so a crash loses none of the work."""
    until = time.monotonic() + TURN_SECONDS
    while time.monotonic() < until:
        started = time.monotonic()
        with statement_timeout(BATCH_SECONDS), company_transaction(job.company_id):
            if not erase_rows(AT_ONCE, job.payload["token"]):
                return _finish(job)
        # SQLite has one writer: others get as much time as this job.
        time.sleep(time.monotonic() - started)
    with company_transaction(job.company_id):
        enqueue(DELETE, job.payload)
        complete(job)


def _finish(job: Job) -> None:
    """Delete the company once its files are gone."""
    complete(job)
    if _has_job(REMOVE):
        enqueue(DELETE, job.payload, delay=WAIT)
        return
    lock_company()
    erase_tenant(job.payload["token"])


def _has_job(kind: str) -> bool:
    """Whether the bound tenant has such a job that has not failed for good."""
    own = (Job.kind == kind, Job.tenant_id == current_tenant(), Job.failed_at.is_(None))
    return db.session.scalar(select(Job.id).where(*own).limit(1)) is not None


def _check_removable(company: Company, *, cascade: bool) -> None:
    if company.is_platform:
        raise PlatformCompany()
    if cascade and company.status != INACTIVE:
        raise CompanyNotInactive()
    counts = {} if cascade else count_holdings()
    if any(counts.values()):
        contents = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        raise CompanyNotEmpty(f"The company still holds: {contents}.")
