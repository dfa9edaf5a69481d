"""A company at another process, and what it keeps."""

from flask import Flask
from sqlalchemy import func, select

from app.core.db import counts
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.customers.documents.files import SIZES
from app.customers.documents.resources import CustomerDocument
from tests.support.clients import ApiClient, Tenant


def elsewhere(app: Flask, company: Tenant) -> Tenant:
    """The same company at another process of the service."""
    mine = company.admin
    return Tenant(app, company.company_id, ApiClient(app, mine.token, mine.user_id, mine.company_id, mine.email))


def totals(company: Tenant) -> tuple[int, int]:
    """As it is kept, and as it is."""
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False) as session:
        kept = counts.totals_of(session, (SIZES,))[SIZES]
        return kept, session.scalar(select(func.sum(CustomerDocument.size))) or 0
