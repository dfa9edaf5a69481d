"""Mails to customers."""

from uuid import UUID

from sqlalchemy import select

from app.companies.models import Company
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.jobs import one_time_links
from app.core.jobs.job import Job
from app.core.jobs.mail import Mail, greeting, hours, plain_name, served_link
from app.customers.models import Customer
from app.customers.verification.service import LIFETIME, user_of


def customer_email(job: Job) -> Mail | None:
    with company_transaction(job.company_id):
        rotated = one_time_links.rotate_token(UUID(job.payload["link_id"]))
        customer = rotated and db.session.scalar(select(Customer).where(Customer.id == rotated[0].subject_id))
        if rotated is None or customer is None:
            return None
        link, token = rotated
        user = user_of(customer)
        company = db.session.scalars(select(Company.name).where(Company.id == link.company_id)).one()
    values = {
        "greeting": greeting(user.first_name if user else customer.name),
        "company": plain_name(company),
        "hours": hours(LIFETIME),
        "link": served_link("/customers/verify-email", token),
    }
    return Mail(link.address, job.payload["language"], values)
