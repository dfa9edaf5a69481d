"""One-time links whose subject is a user: their purposes, their mails and their use."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.jobs import one_time_links
from app.core.jobs.mail import Mail, greeting, link
from app.core.jobs.one_time_links import InvalidLink, OneTimeLink
from app.core.jobs.outbox import Job
from app.users.models import User
from app.users.service import lock_user

VERIFY_EMAIL, INVITATION, CHANGE_EMAIL = "verify_email", "invitation", "change_email"


def link_mail(job: Job, path: str, **values: Any) -> Mail | None:
    """The mail with the link of the job, below ``path``; None if the link is of no use any more."""
    with company_transaction(job.company_id):
        rotated = one_time_links.rotate_token(UUID(job.payload["link_id"]), User)
    if rotated is None:
        return None
    one_time_link, token, user = rotated
    values |= {"greeting": greeting(user.first_name), "link": link(path, token)}
    return Mail(one_time_link.address, user.language, values)


def user_of(job: Job) -> User | None:
    """The user that the job names; None if it was deleted meanwhile."""
    with company_transaction(job.company_id, writes=False):
        return db.session.scalar(select(User).where(User.id == UUID(job.payload["user_id"])))


@contextmanager
def redeem(one_time_link: OneTimeLink) -> Iterator[User]:
    """A transaction with the link consumed and its user locked. Raises InvalidLink."""
    with company_transaction(one_time_link.company_id):
        user = lock_user(one_time_link.subject_id)
        one_time_links.consume(one_time_link.id)
        if user is None:
            raise InvalidLink()
        yield user
