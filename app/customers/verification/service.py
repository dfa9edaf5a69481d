"""Verification of a customer's e-mail address by a mailed link."""

import math
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.base.clock import utcnow
from app.base.errors import Conflict, TooManyRequests
from app.companies.models import Company
from app.core.db.lookup import lock_row, not_found
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.jobs import one_time_links
from app.core.jobs.mail import Mail, greeting, hours, plain_name, post, served_link
from app.core.jobs.one_time_links import InvalidLink, OneTimeLink
from app.core.jobs.outbox import Job
from app.core.web.principal import principal
from app.customers.models import Customer
from app.users.models import User

PURPOSE = "customer_email"
LIFETIME = timedelta(hours=24)
PAUSE = timedelta(minutes=1)
"""The least time between two links for one customer."""


class NoEmail(Conflict):
    code, message = "NO_EMAIL", "The customer has no e-mail address."


class AlreadyVerified(Conflict):
    code, message = "ALREADY_VERIFIED", "The e-mail address is verified already."


def send_link(customer_id: UUID) -> None:
    """Runs in the tenant's transaction. Raises CustomerNotFound, Conflict, TooManyRequests."""
    customer = lock_row(Customer, customer_id)
    if customer is None:
        raise not_found(Customer)
    user = user_of(customer)
    address = address_of(customer, user)
    if address is None:
        raise NoEmail()
    if customer.is_verified:
        raise AlreadyVerified()
    _check_pause(customer_id)
    link_id = one_time_links.issue(PURPOSE, customer_id, address, LIFETIME)
    language = user.language if user else _language_of_caller()
    post(PURPOSE, {"link_id": str(link_id), "language": language})


def _check_pause(customer_id: UUID) -> None:
    """Raises TooManyRequests."""
    links = (OneTimeLink.purpose == PURPOSE, OneTimeLink.subject_id == customer_id)
    last = db.session.scalar(select(OneTimeLink.created_at).where(*links))
    wait = PAUSE - (utcnow() - last) if last else timedelta()
    if wait > timedelta():
        raise TooManyRequests(math.ceil(wait.total_seconds()), limit=1)


def _language_of_caller() -> str:
    """Customers without a user get the caller's language: a company's staff and customers likely share one."""
    return db.session.scalars(select(User.language).where(User.id == principal().user_id)).one()


def customer_email(job: Job) -> Mail | None:
    """Compose the mail of a link."""
    with company_transaction(job.company_id):
        rotated = one_time_links.rotate_token(UUID(job.payload["link_id"]), Customer)
        if rotated is None:
            return None
        link, token, customer = rotated
        user = user_of(customer)
        company = db.session.scalars(select(Company.name).where(Company.id == link.company_id)).one()
    values = {
        "greeting": greeting(user.first_name if user else customer.name),
        "company": plain_name(company),
        "hours": hours(LIFETIME),
        "link": served_link("/customers/verify-email", token),
    }
    return Mail(link.address, job.payload["language"], values)


def verify(token: str) -> bool:
    """Verify the customer of a link. False if it was verified before. Raises InvalidLink."""
    company_id = one_time_links.tenant_of(token)
    with company_transaction(company_id, writes=False):
        subject_id = _find_link(token).subject_id
    with company_transaction(company_id):
        # Lock the customer first, as everything that issues or revokes a link does.
        customer = lock_row(Customer, subject_id)
        link = _find_link(token)
        if customer is None or link.address != address_of(customer, user_of(customer)):
            raise InvalidLink()
        if link.used_at is not None:
            return False
        one_time_links.consume(link.id)
        customer.is_verified, customer.email_verified_at = True, utcnow()
        db.session.flush()
    return True


def _find_link(token: str) -> OneTimeLink:
    """A link that has not expired, used or not. Raises InvalidLink."""
    link = one_time_links.find(token, PURPOSE)
    if link is None or link.expires_at <= utcnow():
        raise InvalidLink()
    return link


def user_of(customer: Customer) -> User | None:
    if customer.user_id is None:
        return None
    return db.session.scalar(select(User).where(User.id == customer.user_id))


def address_of(customer: Customer, user: User | None) -> str | None:
    """The address of the linked user, or else the customer's own."""
    return user.email if user else customer.email


def unverify(customer: Customer) -> None:
    """Reset the verification after a change of address or user. Flushes the row."""
    customer.is_verified, customer.email_verified_at = False, None
    db.session.flush()
    one_time_links.revoke(PURPOSE, customer.id)


def unverify_customer_of(user_id: UUID, _former: str = "") -> None:
    """A subscriber of ``on_user_deleting`` and ``on_email_changed``."""
    statement = select(Customer).where(Customer.user_id == user_id).with_for_update()
    customer = db.session.scalar(statement.execution_options(populate_existing=True))
    if customer is not None:
        unverify(customer)
