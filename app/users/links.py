"""The purposes of one-time links whose subject is a user."""

from uuid import UUID

from sqlalchemy import select

from app.core.db.models import db
from app.core.jobs import one_time_links
from app.core.jobs.one_time_links import OneTimeLink
from app.users.models import User

VERIFY_EMAIL, INVITATION, CHANGE_EMAIL = "verify_email", "invitation", "change_email"


def rotate_user_token(link_id: str) -> tuple[OneTimeLink, str, User] | None:
    """The link of a mail about to be sent, its token, and its user; None when it is of no use any more. Inside the
    tenant's unit of work."""
    rotated = one_time_links.rotate_token(UUID(link_id))
    if rotated is None:
        return None
    link, token = rotated
    user = db.session.scalar(select(User).where(User.id == link.subject_id))
    return None if user is None else (link, token, user)
