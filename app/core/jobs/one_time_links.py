"""One-time links: a mailed token, stored as a hash, that works once for one purpose and one subject."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Index, LargeBinary, String, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.base.errors import BadRequest
from app.base.opaque_tokens import company_of, digest, new_token
from app.core.db.models import Identified, Model, db
from app.core.db.tenancy import TenantScoped, current_tenant
from app.core.db.transaction import company_transaction, execute_and_count
from app.core.jobs.outbox import Job, enqueue

EXPIRE = "links.expire"
"""The job that removes an expired link."""


class InvalidLink(BadRequest):
    code, message = "INVALID_LINK", "The link is not valid, was used, or has expired."


class OneTimeLink(TenantScoped, Identified, Model):
    """``subject_id`` is usually a user, ``address`` the mailbox. The token is made when the mail is sent, so
    that no plain token is ever stored."""

    __tablename__ = "one_time_link"
    __table_args__ = (
        Index("uq_one_time_link_company_id_token_hash", "company_id", "token_hash", unique=True),
        Index("uq_one_time_link_company_id_purpose_subject_id", "company_id", "purpose", "subject_id", unique=True),
    )

    purpose: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[UUID]
    address: Mapped[str] = mapped_column(String(254))
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def issue(purpose: str, subject_id: UUID, address: str, lifetime: timedelta) -> UUID:
    """Create a link in place of an earlier one of this purpose and subject, in a unit of work. Returns its id."""
    revoke(purpose, subject_id)
    link = OneTimeLink(purpose=purpose, subject_id=subject_id, address=address, expires_at=utcnow() + lifetime)
    db.session.add(link)
    db.session.flush()
    enqueue(EXPIRE, {"link_id": str(link.id)}, delay=lifetime)
    return link.id


def revoke(purpose: str, subject_id: UUID) -> None:
    _delete(OneTimeLink.purpose == purpose, OneTimeLink.subject_id == subject_id)


def revoke_all(subject_id: UUID) -> None:
    """Remove the subject's links of every purpose."""
    _delete(OneTimeLink.subject_id == subject_id)


def _delete(*where: ColumnElement[bool]) -> None:
    execute_and_count(delete(OneTimeLink).where(*where))


def rotate_token(link_id: UUID, model: type[Any]) -> tuple[OneTimeLink, str, Any] | None:
    """The link with a new token, and its subject. None if it is used, replaced, expired or without its subject."""
    token = new_token(current_tenant())
    statement = update(OneTimeLink).where(OneTimeLink.id == link_id, *_live()).values(token_hash=digest(token))
    if not execute_and_count(statement):
        return None
    link = db.session.scalars(select(OneTimeLink).where(OneTimeLink.id == link_id)).one()
    subject = db.session.scalar(select(model).where(model.id == link.subject_id))
    return None if subject is None else (link, token, subject)


def tenant_of(token: str) -> UUID:
    """Raises InvalidLink."""
    try:
        return company_of(token)
    except ValueError:
        raise InvalidLink() from None


def find(token: str, purpose: str) -> OneTimeLink | None:
    """The link, also if it was used or has expired. Inside the tenant's unit of work."""
    statement = select(OneTimeLink).where(OneTimeLink.token_hash == digest(token), OneTimeLink.purpose == purpose)
    return db.session.scalar(statement)


def check(token: str, purpose: str) -> OneTimeLink:
    """The live link, read in a transaction of its own. Raises InvalidLink."""
    with company_transaction(tenant_of(token), writes=False):
        link = find(token, purpose)
    if link is None or link.used_at is not None or link.expires_at <= utcnow():
        raise InvalidLink()
    return link


def consume(link_id: UUID) -> None:
    """Use the link up; of two requests at once one succeeds. Inside the tenant's unit of work. Raises InvalidLink."""
    statement = update(OneTimeLink).where(OneTimeLink.id == link_id, *_live()).values(used_at=utcnow())
    if not execute_and_count(statement):
        raise InvalidLink()


def _live() -> tuple[Any, ...]:
    return OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > utcnow()


def expire(job: Job) -> None:
    with company_transaction(job.company_id):
        _delete(OneTimeLink.id == UUID(job.payload["link_id"]))
