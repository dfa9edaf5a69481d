"""Mails about a change of address: a link to the new address, a notice to the former one."""

from uuid import UUID

from sqlalchemy import select

from app.accounts.emails.service import FORMER, LIFETIME
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.jobs.job import Job
from app.core.jobs.mail import Mail, greeting, hours, link, moment
from app.core.security.encryption import unseal
from app.users.links import rotate_user_token
from app.users.models import User


def confirm_email(job: Job) -> Mail | None:
    with company_transaction(job.company_id):
        rotated = rotate_user_token(job.payload["link_id"])
    if rotated is None:
        return None
    one_time_link, token, user = rotated
    values = {"greeting": greeting(user.first_name), "hours": hours(LIFETIME), "link": link("/confirm-email", token)}
    return Mail(one_time_link.address, user.language, values)


def email_changed(job: Job) -> Mail | None:
    with company_transaction(job.company_id, writes=False):
        user = db.session.scalar(select(User).where(User.id == UUID(job.payload["user_id"])))
    if user is None:
        return None
    values = {"greeting": greeting(user.first_name), **moment(job.created_at, user.language)}
    return Mail(unseal(FORMER, job.payload["address"]), user.language, values)
