"""Mails about passwords."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Select, select

from app.accounts.auth.service import NOBODY
from app.accounts.passwords.codes import lifetime, new_code, secret_of, store_code
from app.accounts.passwords.service import ADDRESS, find_recipient
from app.base.clock import utcnow
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.jobs.job import Job
from app.core.jobs.mail import Mail, greeting, moment
from app.core.security.encryption import unseal
from app.core.services import services
from app.users.models import User

log = structlog.get_logger(__name__)


class Recipient(NamedTuple):
    email: str
    first_name: str | None
    language: str
    is_active: bool
    last_password_change: datetime | None


def password_reset(job: Job) -> Mail | None:
    """Makes the code here, so that it is never stored in clear.

    The mail goes to the account's address, which may differ in case from the requested one.
    """
    if utcnow() - job.created_at > lifetime():
        return None
    account = find_recipient(unseal(ADDRESS, job.payload["address"]))
    if account is None:
        return None
    code = new_code()
    hashed = services().passwords.hash(secret_of(account.user_id, code))
    with company_transaction(account.company_id):
        recipient = _recipient(_select_user(account.user_id).with_for_update(key_share=True))
        if recipient is None or _is_overtaken(recipient, job) or not store_code(job, account.user_id, hashed):
            log.info("reset_not_mailed", job_id=job.id, user_id=account.user_id)
            return None
    return _mail(recipient, code=code, minutes=int(lifetime().total_seconds() // 60))


def _is_overtaken(recipient: Recipient, job: Job) -> bool:
    """True if the user was deactivated, or the password changed, after the request."""
    changed = recipient.last_password_change
    return not recipient.is_active or (changed is not None and changed >= job.created_at)


def password_changed(job: Job) -> Mail | None:
    return _notice(job)


def password_reset_by_admin(job: Job) -> Mail | None:
    return _notice(job)


def _notice(job: Job) -> Mail | None:
    """None for a deleted or inactive user."""
    with company_transaction(job.tenant_id or NOBODY, writes=False):
        recipient = _recipient(_select_user(UUID(job.payload["user_id"])))
    if recipient is None or not recipient.is_active:
        return None
    return _mail(recipient, **moment(job.created_at, recipient.language))


def _select_user(user_id: UUID) -> Select[*tuple[Any, ...]]:
    columns = (User.email, User.first_name, User.language, User.is_active, User.last_password_change)
    return select(*columns).where(User.id == user_id)


def _recipient(statement: Select[*tuple[Any, ...]]) -> Recipient | None:
    row = db.session.execute(statement).one_or_none()
    return None if row is None else Recipient(*row)


def _mail(recipient: Recipient, **values: Any) -> Mail:
    return Mail(recipient.email, recipient.language, {"greeting": greeting(recipient.first_name), **values})
