"""Proof that somebody reads the mail of an address: it completes a registration, and marks a user as verified."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, select

from app.auth.throttle import reserve_daily
from app.core import links
from app.core.db import db, unit_of_work, utcnow
from app.core.erase import erase_tenant
from app.core.links import InvalidLink
from app.core.mail import post
from app.core.outbox import Job, enqueue, finish
from app.core.sealed import seal, unseal
from app.core.tenancy import tenant
from app.onboarding.models import Registration
from app.users.links import VERIFY_EMAIL
from app.users.models import User
from app.users.service import erase_user, lock_user, login_of

log = structlog.get_logger(__name__)

LIFETIME = timedelta(hours=24)
"""Of a link, and of a registration since its last link."""
RESEND, DISCARD = "onboarding.verify", "onboarding.discard"


def send_verification(user: User) -> None:
    """A link that takes the place of earlier ones. Inside the tenant's unit of work."""
    link_id = links.issue(VERIFY_EMAIL, user.id, user.email, LIFETIME)
    post("verify_email", {"link_id": str(link_id)})


def await_verification(registration: Registration, user: User) -> None:
    """From now on the registration has the life of a new link, and then it goes."""
    registration.expires_at = utcnow() + LIFETIME
    db.session.add(registration)
    db.session.flush()
    enqueue(DISCARD, {"registration_id": str(registration.id)}, delay=LIFETIME)
    send_verification(user)


def verify_email(token: str) -> None:
    """Raises InvalidLink."""
    link = links.check(token, VERIFY_EMAIL)
    with tenant(link.company_id), unit_of_work():
        user = lock_user(link.subject_id)
        links.use_up(link.id)
        if user is None or user.email != link.address:
            raise InvalidLink()
        user.is_verified = True
        registration = pending(Registration.user_id == user.id)
        if registration is not None and complete_registration(user.id):
            user.is_active = True
            # One that an administrator gave meanwhile stays.
            user.password_hash = user.password_hash or registration.password_hash
        db.session.flush()


def complete_registration(user_id: UUID) -> bool:
    """Whether there was one that waited for it."""
    return _take(Registration.user_id == user_id)


def ask_for_link(address: str) -> None:
    """Whether there is such an account is the worker's to find out: known and unknown take the same time."""
    with unit_of_work():
        enqueue(RESEND, {"address": seal(RESEND, address)})


def resend(job: Job) -> None:
    """The handler of ``RESEND``: at most five links a day for one account."""
    with unit_of_work(writes=False):
        found = login_of(unseal(RESEND, job.payload["address"]))
    if found is None:
        return
    company_id, user_id = found
    if not job.attempts and not reserve_daily(f"verify {user_id}"):
        log.info("verification_ignored", reason="too many for this account", user_id=user_id)
        return
    with tenant(company_id), unit_of_work():
        finish(job)
        user = lock_user(user_id)
        if user is not None and not user.is_verified:
            _send_again(user)


def _send_again(user: User) -> None:
    """Who was invited or deactivated has nothing to verify."""
    registration = pending(Registration.user_id == user.id)
    if registration is not None:
        await_verification(registration, user)
    elif user.is_active:
        send_verification(user)


def pending(*which: Any) -> Registration | None:
    return db.session.scalar(select(Registration).where(*which))


def discard_expired(job: Job) -> None:
    """The handler of ``DISCARD``."""
    with tenant(job.company_id), unit_of_work():
        discard(Registration.id == UUID(job.payload["registration_id"]), Registration.expires_at <= utcnow())


def discard(*which: Any) -> None:
    """Undo a registration, if it is still one: its user goes, and the company that was founded with it, unless an
    operator has brought somebody else in meanwhile."""
    found = pending(*which)
    if found is None:
        return
    user_id, founded_company = found.user_id, found.founded_company
    lock_user(user_id)
    if not _take(*which):
        return
    if founded_company and db.session.scalar(select(User.id).where(User.id != user_id).limit(1)) is None:
        erase_tenant()
    else:
        erase_user(user_id)


def _take(*which: Any) -> bool:
    """Of verification and removal one gets the row."""
    statement = delete(Registration).where(*which).execution_options(synchronize_session=False)
    return bool(db.session.execute(statement).rowcount)  # type: ignore[attr-defined]
