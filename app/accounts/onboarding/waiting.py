"""Registrations that wait for their link to be followed; several of one address stand side by side."""

from __future__ import annotations

import hmac
import json
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, select, update

from app.accounts.onboarding.models import Registration
from app.base.clock import utcnow
from app.base.keys import derive_key
from app.base.opaque_tokens import digest, new_token
from app.base.text import fold
from app.core.db.models import db
from app.core.db.transaction import execute_and_count, unit_of_work
from app.core.jobs.job import Job
from app.core.jobs.mail import post
from app.core.jobs.outbox import enqueue
from app.core.security.encryption import seal, unseal
from app.core.services import services

LIFETIME = timedelta(hours=24)
"""Of a link, and of a registration since its last link was asked for."""
DISCARD = "onboarding.discard"
PURPOSE = "registration"


class PendingRegistration(NamedTuple):
    """``founds`` is the name of a new company, or None for a customer of one that there is; ``company_id`` is that
    of either. ``user`` are columns of User."""

    company_id: UUID
    founds: str | None
    user: dict[str, Any]
    ip: str | None


def seal_registration(pending: PendingRegistration) -> str:
    """Encrypted, for the outbox and the table."""
    return seal(PURPOSE, json.dumps(pending, default=str))


def unseal_registration(text: str) -> PendingRegistration:
    """Raises ValueError for what was sealed with another key."""
    company_id, *rest = json.loads(unseal(PURPOSE, text))
    return PendingRegistration(UUID(company_id), *rest)


def store(registration_id: UUID, text: str, address: str) -> None:
    """``text`` is the sealed registration. Inside a unit of work, as are all below."""
    row = Registration(id=registration_id, wish=text, address_hash=_hash(address), expires_at=utcnow() + LIFETIME)
    db.session.add(row)
    db.session.flush()
    _mail(row)


def newest_registration(address: str) -> Registration | None:
    mine = (Registration.address_hash == _hash(address), Registration.expires_at > utcnow())
    return db.session.scalar(select(Registration).where(*mine).order_by(Registration.id.desc()).limit(1))


def renew_and_mail(registration: Registration) -> None:
    """It has the life of the new link from now on."""
    registration.expires_at = utcnow() + LIFETIME
    db.session.flush()
    _mail(registration)


def _mail(registration: Registration) -> None:
    enqueue(DISCARD, {"registration_id": str(registration.id)}, delay=LIFETIME)
    post("verify_email", {"registration_id": str(registration.id)})


def rotate_token(registration_id: str) -> tuple[PendingRegistration, str] | None:
    """With a fresh token, which kills the one of an earlier mail; None when it is of no use any more."""
    live = (Registration.id == UUID(registration_id), Registration.expires_at > utcnow())
    row = db.session.scalar(select(Registration).where(*live))
    if row is None:
        return None
    pending = unseal_registration(row.wish)
    token = new_token(pending.company_id)
    statement = update(Registration).where(*live).values(token_hash=digest(token))
    return (pending, token) if execute_and_count(statement) else None


def consume(token: str) -> str | None:
    """The sealed registration behind a live token. Of two requests at once, one gets it."""
    live = (Registration.token_hash == digest(token), Registration.expires_at > utcnow())
    statement = delete(Registration).where(*live).returning(Registration.wish)
    return db.session.execute(statement.execution_options(synchronize_session=False)).scalar()


def discard_expired(job: Job) -> None:
    """The handler of ``DISCARD``. One that was prolonged has another."""
    over = (Registration.id == UUID(job.payload["registration_id"]), Registration.expires_at <= utcnow())
    with unit_of_work():
        db.session.execute(delete(Registration).where(*over).execution_options(synchronize_session=False))


def _hash(address: str) -> bytes:
    key = derive_key(services().settings.secret_key, "registration-address")
    return hmac.digest(key, fold(address).encode(), "sha256")
