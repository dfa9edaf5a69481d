"""Mails about passwords."""

from typing import Any

import structlog
from sqlalchemy import select

from app.accounts.passwords.codes import budget_of, lifetime, new_code, secrets_of, store_code
from app.accounts.passwords.service import ADDRESS, find_recipient
from app.base.clock import utcnow
from app.base.network import network_of
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.jobs.mail import Mail, greeting, moment
from app.core.jobs.outbox import Job
from app.core.security.encryption import unseal
from app.core.services import services
from app.users.links import user_of
from app.users.models import User

log = structlog.get_logger(__name__)


def password_reset(job: Job) -> Mail | None:
    """Makes the code here, so that it is never stored in clear. The mail goes to the account's own address."""
    if utcnow() - job.created_at > lifetime():
        return None
    # Without an IP address if a former release sealed it.
    address, _, ip = unseal(ADDRESS, job.payload["address"]).partition("\n")
    account = find_recipient(address)
    if account is None:
        return None
    code = new_code()
    code_hash = services().passwords.hash(secrets_of(account.user_id, code)[0])
    with company_transaction(account.company_id):
        user = db.session.scalar(select(User).where(User.id == account.user_id).with_for_update(key_share=True))
        if user is None or _is_outdated(job, user) or not store_code(job, user.id, budget_of(user.id, ip), code_hash):
            log.info("reset_not_mailed", job_id=job.id, user_id=account.user_id)
            return None
    values = {"code": code, "minutes": int(lifetime().total_seconds() // 60), "network": network_of(ip, 16, 32)}
    return _mail(user, **values, **moment(job.created_at, user.language))


def _is_outdated(job: Job, user: User) -> bool:
    """True if the user was deactivated, or the password changed, after the request."""
    changed = user.last_password_change
    return not user.is_active or (changed is not None and changed >= job.created_at)


def notice(job: Job, **values: Any) -> Mail | None:
    """None for a deleted or inactive user."""
    user = user_of(job)
    if user is None or not user.is_active:
        return None
    return _mail(user, **moment(job.created_at, user.language), **values)


def notice_of_temporary_password(job: Job) -> Mail | None:
    return notice(job, hours=services().settings.temporary_password_ttl_hours)


def _mail(user: User, **values: Any) -> Mail:
    return Mail(user.email, user.language, {"greeting": greeting(user.first_name), **values})
