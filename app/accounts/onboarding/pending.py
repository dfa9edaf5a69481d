"""Registrations until their link is followed. One address may have several."""

import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Index, LargeBinary, Text, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.base.opaque_tokens import digest, new_token
from app.base.text import fold, normalize_email
from app.core.db.models import Identified, Model, db
from app.core.db.transaction import execute_and_count, unit_of_work
from app.core.jobs.mail import post
from app.core.jobs.one_time_links import InvalidLink
from app.core.jobs.outbox import Job, enqueue
from app.core.security.derived_keys import macs
from app.core.security.encryption import seal, unseal

LIFETIME = timedelta(hours=24)
"""The lifetime of a link, and of a registration after the request for its last link."""
DISCARD = "onboarding.discard"
PURPOSE = "registration"


class Registration(Identified, Model):
    """A row of no tenant, because its company may not exist yet. Personal values are encrypted, or keyed hashes.

    User and company are created only when the link is followed: no unverified registration blocks or reveals one.
    ``id`` is that of the requested job, so later registrations have greater ids.
    """

    __tablename__ = "registration"
    __table_args__ = (
        Index("ix_registration_address_hash_id", "address_hash", "id"),
        Index("uq_registration_token_hash", "token_hash", unique=True),
    )

    address_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    wish: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]


class PendingRegistration(NamedTuple):
    """``company_id`` is new with a ``company_name``, else of an existing company. ``user`` has columns of User."""

    company_id: UUID
    company_name: str | None
    user: dict[str, Any]
    ip: str | None


def seal_registration(pending: PendingRegistration) -> str:
    """Encrypt, for the outbox and the table."""
    return seal(PURPOSE, json.dumps(pending, default=str))


def unseal_registration(text: str) -> PendingRegistration:
    """Raises ValueError for a value of another key."""
    company_id, company_name, user, ip = json.loads(unseal(PURPOSE, text))
    # No migration can open what was sealed before addresses had A-labels.
    return PendingRegistration(UUID(company_id), company_name, user | {"email": normalize_email(user["email"])}, ip)


def store(registration_id: UUID, sealed: str, address: str) -> None:
    """``sealed`` is the encrypted registration. This and all functions below run inside a unit of work."""
    row = Registration(
        id=registration_id, wish=sealed, address_hash=_hashes(address)[0], expires_at=utcnow() + LIFETIME
    )
    db.session.add(row)
    db.session.flush()
    _mail(row)


def newest_registration(address: str) -> Registration | None:
    live = (Registration.address_hash.in_(_hashes(address)), Registration.expires_at > utcnow())
    return db.session.scalar(select(Registration).where(*live).order_by(Registration.id.desc()).limit(1))


def renew_and_mail(registration: Registration) -> None:
    """Extend the registration by the lifetime of its new link."""
    registration.expires_at = utcnow() + LIFETIME
    db.session.flush()
    _mail(registration)


def _mail(registration: Registration) -> None:
    enqueue(DISCARD, {"registration_id": str(registration.id)}, delay=LIFETIME)
    post("verify_email", {"registration_id": str(registration.id)})


def rotate_token(registration_id: str) -> tuple[PendingRegistration, str] | None:
    """The registration with a new token, which replaces that of an earlier mail; None if it has ended."""
    live = (Registration.id == UUID(registration_id), Registration.expires_at > utcnow())
    row = db.session.scalar(select(Registration).where(*live))
    if row is None:
        return None
    pending = unseal_registration(row.wish)
    token = new_token(pending.company_id)
    statement = update(Registration).where(*live).values(token_hash=digest(token))
    return (pending, token) if execute_and_count(statement) else None


def consume(token: str) -> PendingRegistration:
    """Remove and return the registration of a live token; of two requests at once one succeeds. Raises InvalidLink."""
    live = (Registration.token_hash == digest(token), Registration.expires_at > utcnow())
    statement = delete(Registration).where(*live).returning(Registration.wish)
    sealed = db.session.scalar(statement.execution_options(synchronize_session=False))
    if sealed is None:
        raise InvalidLink()
    try:
        return unseal_registration(sealed)
    except ValueError:
        raise InvalidLink() from None


def discard_expired(job: Job) -> None:
    """The handler of ``DISCARD``. An extended registration has a later job."""
    expired = (Registration.id == UUID(job.payload["registration_id"]), Registration.expires_at <= utcnow())
    with unit_of_work():
        execute_and_count(delete(Registration).where(*expired))


def _hashes(address: str) -> tuple[bytes, ...]:
    return macs("registration-address", fold(address).encode())
