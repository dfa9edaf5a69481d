"""Verification of an address by a mailed link: it completes a registration, or marks a user as verified."""

from uuid import UUID

import structlog

from app.accounts.auth.throttle import reserve_daily
from app.accounts.onboarding.pending import LIFETIME, newest_registration, renew_and_mail
from app.accounts.onboarding.registration import complete_registration
from app.base.text import fold
from app.core.db.models import db
from app.core.db.transaction import company_transaction, unit_of_work
from app.core.jobs import one_time_links
from app.core.jobs.mail import post
from app.core.jobs.one_time_links import InvalidLink
from app.core.jobs.outbox import Job, complete, enqueue
from app.core.security.encryption import seal, unseal
from app.users.links import VERIFY_EMAIL, redeem
from app.users.models import User
from app.users.service import lock_user, login_of

log = structlog.get_logger(__name__)

RESEND = "onboarding.verify"


def send_verification(user: User) -> None:
    """Mail a link that replaces earlier ones. Inside the tenant's unit of work."""
    link_id = one_time_links.issue(VERIFY_EMAIL, user.id, user.email, LIFETIME)
    post("verify_email", {"link_id": str(link_id)})


def verify_email(token: str) -> None:
    """Raises InvalidLink, and for a registration what ``complete_registration`` raises."""
    try:
        link = one_time_links.check(token, VERIFY_EMAIL)
    except InvalidLink:
        complete_registration(token)
        return
    with redeem(link) as user:
        if user.email != link.address:
            raise InvalidLink()
        user.is_verified = True
        db.session.flush()


def request_link(address: str) -> None:
    """The worker looks for the account: a known and an unknown address take the same time here."""
    with unit_of_work():
        enqueue(RESEND, {"address": seal(RESEND, address)})


def resend(job: Job) -> None:
    """The handler of ``RESEND``: at most five links a day for an account, or for an address without account."""
    address = unseal(RESEND, job.payload["address"])
    with unit_of_work(writes=False):
        owner = login_of(address)
        is_pending = owner is None and newest_registration(address) is not None
    if owner is None and not is_pending:
        return
    if job.attempts == 1 and not reserve_daily(f"verify {owner[1] if owner else fold(address)}"):
        log.info("verification_ignored", reason="too many for this address", job_id=job.id)
    elif owner is None:
        _mail_registration(address, job)
    else:
        _mail_user(*owner, job)


def _mail_registration(address: str, job: Job) -> None:
    with unit_of_work():
        complete(job)
        registration = newest_registration(address)
        if registration is not None:
            renew_and_mail(registration)


def _mail_user(company_id: UUID, user_id: UUID, job: Job) -> None:
    """Invited, deactivated and verified users get no mail."""
    with company_transaction(company_id):
        complete(job)
        user = lock_user(user_id)
        if user is not None and user.is_active and not user.is_verified:
            send_verification(user)
