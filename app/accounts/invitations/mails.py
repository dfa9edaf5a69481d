"""The mail of an invitation."""

from uuid import UUID

from sqlalchemy import select

from app.accounts.invitations.service import LIFETIME
from app.companies.models import Company
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.jobs.job import Job
from app.core.jobs.mail import Mail, plain_name
from app.users.links import link_mail
from app.users.models import User


def invitation(job: Job) -> Mail | None:
    with company_transaction(job.company_id, writes=False):
        company = plain_name(db.session.scalar(select(Company.name)))
        inviter = plain_name(_name_of(job.payload["invited_by"]))
    return link_mail(job, "/accept-invitation", company=company, inviter=inviter, days=LIFETIME.days)


def _name_of(user_id: str | None) -> str:
    """Empty for a deleted user, or one of another company."""
    if user_id is None:
        return ""
    row = db.session.execute(select(User.first_name, User.last_name).where(User.id == UUID(user_id))).one_or_none()
    return " ".join(filter(None, row or ()))
