"""What sign-up and verification say by mail."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from app.core.db import db, unit_of_work
from app.core.mail import Mail, greeting, hours, link
from app.core.outbox import Job
from app.core.sealed import unseal
from app.core.tenancy import tenant
from app.onboarding.verification import LIFETIME
from app.users.links import armed
from app.users.models import User


def verify_email(job: Job) -> Mail | None:
    with tenant(job.company_id), unit_of_work():
        found = armed(job.payload["link_id"])
    if found is None:
        return None
    to, token, user = found
    values = {"greeting": greeting(user.first_name), "hours": hours(LIFETIME), "link": link("/verify-email", token)}
    return Mail(to.address, user.language, values)


def already_registered(job: Job) -> Mail | None:
    with tenant(job.company_id), unit_of_work(writes=False):
        user = db.session.scalar(select(User).where(User.id == UUID(job.payload["user_id"])))
    return None if user is None else Mail(user.email, user.language, {"greeting": greeting(user.first_name)})


def registration_failed(job: Job) -> Mail:
    address = unseal("registration_failed", job.payload["address"])
    return Mail(address, job.payload["language"], {"reason": job.payload["reason"]})
