"""Mails of sign-up and verification."""

from app.accounts.onboarding.pending import LIFETIME, rotate_token
from app.core.db.transaction import unit_of_work
from app.core.jobs.mail import Mail, greeting, hours, link
from app.core.jobs.outbox import Job
from app.users.links import link_mail, user_of

PATH = "/verify-email"


def verify_email(job: Job) -> Mail | None:
    """For a registration, or for a user who is not verified."""
    registration_id = job.payload.get("registration_id")
    if registration_id is None:
        return link_mail(job, PATH, hours=hours(LIFETIME))
    with unit_of_work():
        rotated = rotate_token(registration_id)
    if rotated is None:
        return None
    pending, token = rotated
    values = {"greeting": greeting(pending.user.get("first_name")), "hours": hours(LIFETIME), "link": link(PATH, token)}
    return Mail(pending.user["email"], pending.user.get("language", "en"), values)


def already_registered(job: Job) -> Mail | None:
    user = user_of(job)
    return None if user is None else Mail(user.email, user.language, {"greeting": greeting(user.first_name)})
