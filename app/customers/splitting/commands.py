"""flask customers: an operator's commands for the customers of every company."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from uuid import UUID

import click
from flask.cli import AppGroup
from sqlalchemy import select

from app.companies.models import Company
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import is_writing, platform_session, unit_of_work
from app.customers.models import Customer
from app.customers.splitting.address_text import StructuredAddress, split_address

BATCH = 500

customers = AppGroup("customers", help="Customers of every company.")


@customers.command("split-addresses")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
def split_addresses(dry_run: bool) -> None:
    """Fill the structured address of customers from their free-text one, which stays as it is.

    Customers with a structured address are skipped; an address that cannot be split is listed.
    """
    totals: Counter[str] = Counter()
    with platform_session() as session:
        companies = session.scalars(select(Company.id).order_by(Company.id)).all()
    for company_id in companies:
        with tenant(company_id):
            _split_company(company_id, dry_run, totals)
    verb = "would be mapped" if dry_run else "mapped"
    click.echo(f"{totals['mapped']} addresses {verb}, {totals['unmapped']} not.")


def _split_company(company_id: UUID, dry_run: bool, totals: Counter[str]) -> None:
    last = UUID(int=0)
    while True:
        with unit_of_work(writes=not dry_run):
            rows = _next_batch(last)
            unmapped = [row.id for row in rows if not _split_row(row)]
        for customer_id in unmapped:
            click.echo(f"not mapped: company {company_id}, customer {customer_id}")
        totals.update(mapped=len(rows) - len(unmapped), unmapped=len(unmapped))
        if len(rows) < BATCH:
            return
        last = rows[-1].id


def _next_batch(last: UUID) -> Sequence[Customer]:
    """Customers without a structured address after ``last``, locked against concurrent changes."""
    unstructured = [getattr(Customer, field.name).is_(None) for field in fields(StructuredAddress)]
    statement = select(Customer).where(Customer.id > last, Customer.address.is_not(None), *unstructured)
    page = statement.order_by(Customer.id).limit(BATCH)
    return db.session.scalars(page.with_for_update() if is_writing() else page).all()


def _split_row(row: Customer) -> bool:
    address = split_address(row.address or "")
    if address is None:
        return False
    for name, value in asdict(address).items():
        setattr(row, name, value)
    return True
