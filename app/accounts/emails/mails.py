"""Mails about changes of an address."""

from uuid import UUID

from app.accounts.emails.service import ADDRESS, LIFETIME
from app.core.db.transaction import company_transaction, unit_of_work
from app.core.jobs.mail import Mail, greeting, hours, moment, post
from app.core.jobs.outbox import Job, complete
from app.core.security.encryption import unseal
from app.users.links import link_mail, user_of
from app.users.service import login_of


def confirm_email(job: Job) -> Mail | None:
    """To the new address; a notice goes to its owner instead if it has one."""
    mail = link_mail(job, "/confirm-email", hours=hours(LIFETIME))
    if mail is None:
        return None
    with unit_of_work(writes=False):
        owner = login_of(mail.to)
    if owner is None:
        return mail
    _notify_owner(*owner, job)
    return None


def _notify_owner(company_id: UUID, user_id: UUID, job: Job) -> None:
    with company_transaction(company_id):
        complete(job)
        post("address_requested", {"user_id": str(user_id)})


def to_owner(job: Job) -> Mail | None:
    user = user_of(job)
    return None if user is None else Mail(user.email, user.language, {"greeting": greeting(user.first_name)})


def to_former_address(job: Job) -> Mail | None:
    user = user_of(job)
    if user is None:
        return None
    values = {"greeting": greeting(user.first_name), **moment(job.created_at, user.language)}
    return Mail(unseal(ADDRESS, job.payload["address"]), user.language, values)
