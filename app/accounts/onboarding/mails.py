"""Mails of sign-up and verification."""

from uuid import UUID

from sqlalchemy import select

from app.accounts.onboarding import waiting
from app.core.db.models import db
from app.core.db.transaction import company_transaction, unit_of_work
from app.core.jobs.job import Job
from app.core.jobs.mail import Mail, greeting, hours, link
from app.users import links as users
from app.users.models import User


def verify_email(job: Job) -> Mail | None:
    """For a registration, or for a user who is not verified."""
    registration_id = job.payload.get("registration_id")
    return _for_user(job) if registration_id is None else _for_registration(registration_id)


def _for_user(job: Job) -> Mail | None:
    with company_transaction(job.company_id):
        rotated = users.rotate_user_token(job.payload["link_id"])
    if rotated is None:
        return None
    one_time_link, token, user = rotated
    return _mail(one_time_link.address, user.language, user.first_name, token)


def _for_registration(registration_id: str) -> Mail | None:
    with unit_of_work():
        rotated = waiting.rotate_token(registration_id)
    if rotated is None:
        return None
    pending, token = rotated
    user = pending.user
    return _mail(user["email"], user.get("language", "en"), user.get("first_name"), token)


def _mail(to: str, language: str, first_name: str | None, token: str) -> Mail:
    values = {"greeting": greeting(first_name), "hours": hours(waiting.LIFETIME)}
    return Mail(to, language, values | {"link": link("/verify-email", token)})


def already_registered(job: Job) -> Mail | None:
    with company_transaction(job.company_id, writes=False):
        user = db.session.scalar(select(User).where(User.id == UUID(job.payload["user_id"])))
    return None if user is None else Mail(user.email, user.language, {"greeting": greeting(user.first_name)})
