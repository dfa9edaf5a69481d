"""Mails about a change of address: a link to the new address, a notice to the former one."""

from app.accounts.emails.service import FORMER, LIFETIME
from app.core.jobs.job import Job
from app.core.jobs.mail import Mail, greeting, hours, moment
from app.core.security.encryption import unseal
from app.users.links import link_mail, user_of


def confirm_email(job: Job) -> Mail | None:
    return link_mail(job, "/confirm-email", hours=hours(LIFETIME))


def email_changed(job: Job) -> Mail | None:
    user = user_of(job)
    if user is None:
        return None
    values = {"greeting": greeting(user.first_name), **moment(job.created_at, user.language)}
    return Mail(unseal(FORMER, job.payload["address"]), user.language, values)
