"""flask customers: split the free-text addresses of every company's customers into fields, without guessing."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from uuid import UUID

import click
from flask.cli import AppGroup
from sqlalchemy import select

from app.companies.models import Company
from app.core.db.mode import is_writing
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import platform_session, unit_of_work
from app.customers.countries import country_code
from app.customers.models import Customer

BATCH = 500
STATE_AND_CODE = re.compile(r"(?P<state>[^\d,]{2,50}?)\.? (?P<code>\d[\d-]{3,9})")
CODE = re.compile(r"(?=.*\d)[A-Z0-9][A-Z0-9 -]{2,9}", re.IGNORECASE)
CODE_AND_CITY = re.compile(r"(?P<code>(?:[A-Z]{1,2}-)?\d{4,6}) (?P<city>[^\d,]{3,100})")
STATE_CODE = re.compile(r"[A-Z]{2}")

customers = AppGroup("customers", help="Customers of every company.")


@customers.command("split-addresses")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
def split_addresses(dry_run: bool) -> None:
    """Fill structured addresses where there are none; list those that cannot be split. Free text stays as it is."""
    totals: Counter[str] = Counter()
    with platform_session() as session:
        companies = session.scalars(select(Company.id).order_by(Company.id)).all()
    for company_id in companies:
        with tenant(company_id):
            _split_company(company_id, dry_run, totals)
    title = "Addresses to be mapped" if dry_run else "Addresses mapped"
    click.echo(f"{title}: {totals['mapped']}; not mappable: {totals['unmapped']}.")


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


@dataclass
class StructuredAddress:
    street_address: str = ""
    city: str = ""
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None

    @property
    def is_plausible(self) -> bool:
        """Whether street and town have letters, the town no digits, and all fields fit their columns."""
        has_words = any(map(str.isalpha, self.street_address)) and any(map(str.isalpha, self.city))
        no_number = not any(map(str.isdigit, self.city))
        sizes = ((len(text or ""), getattr(Customer, name).type.length) for name, text in asdict(self).items())
        return has_words and no_number and all(length <= most for length, most in sizes)


def split_address(text: str) -> StructuredAddress | None:
    """The fields of ``123 Main St, Portland, OR, 97201``; None for a text without street and town."""
    pieces = [piece.strip() for piece in re.split(r"[,;\n]", text) if piece.strip()]
    address = StructuredAddress(country=_pop_country(pieces))
    _pop_postal_code(pieces, address)
    names_state = bool(address.postal_code) or bool(pieces and STATE_CODE.fullmatch(pieces[-1]))
    if names_state and len(pieces) > 2 and not address.state and not address.city:
        address.state = pieces.pop()
    if not address.city and len(pieces) > 1:
        address.city = pieces.pop()
    address.street_address = ", ".join(pieces)
    return address if address.is_plausible else None


def _pop_country(pieces: list[str]) -> str | None:
    """Two letters do not name a country, because CA is Canada and California."""
    last = pieces[-1] if len(pieces) > 1 else ""
    code = country_code(last) if len(last) > 2 or last in ("US", "UK") else None
    if code:
        pieces.pop()
    return code


def _pop_postal_code(pieces: list[str], address: StructuredAddress) -> None:
    """Take the postal code from the last piece, with a state or town beside it."""
    if len(pieces) < 2:
        return
    last = pieces.pop()
    if match := STATE_AND_CODE.fullmatch(last):
        address.postal_code = match["code"]
        # ``Springfield 62701`` names the town before its code, ``Springfield, IL 62701`` the state.
        if len(pieces) > 1 or STATE_CODE.fullmatch(match["state"]):
            address.state = match["state"]
        else:
            address.city = match["state"]
    elif match := CODE_AND_CITY.fullmatch(last):
        address.postal_code, address.city = match["code"], match["city"]
    elif CODE.fullmatch(last):
        address.postal_code = last
    else:
        pieces.append(last)
