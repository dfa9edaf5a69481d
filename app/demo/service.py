"""Creates the example companies by the services and schemas of the API."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice, repeat
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.accounts.onboarding.service import create_company
from app.base.text import fold
from app.companies.models import Company
from app.companies.resources import Companies
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import company_transaction, unit_of_work
from app.core.services import services
from app.customers.resources import Customers
from app.demo.companies import EXAMPLES, Example
from app.demo.dossiers import fill_dossier, make, make_tags
from app.demo.names import address, people, phone_number, shuffled_pairs, slug
from app.guardian.models import Role, UserRole
from app.organization_units.models import OrganizationUnit
from app.organization_units.resources import OrganizationUnits
from app.positions.models import Position
from app.positions.resources import Positions
from app.subcontractors.models import Subcontractor
from app.subcontractors.resources import Subcontractors
from app.system.service import is_initialized
from app.users.models import LoginKey, User
from app.users.schemas import UserChangeSchema
from app.users.service import create_user

# For development only, and printed by the command; it protects nothing.
PASSWORD = "tulip-anchor-violin-42"
USERS, CUSTOMERS, SUBCONTRACTORS = 300, 120, 30
WITHOUT_POSITION = 6
CUSTOMERS_PER_DOSSIER = 4


class DemoUser(NamedTuple):
    """Somebody who has a password. ``role`` is the code of a default role."""

    name: str
    role: str | None
    may: str


ADMIN = DemoUser("admin", "administrator", "everything within the company")
# By the number of the user in the list; other users have no password.
ACCOUNTS = {
    0: DemoUser("manager", "manager", "read everything; create and change people, customers, subcontractors"),
    1: DemoUser("viewer", "viewer", "read everything"),
    40: DemoUser("colleague", None, "see their own profile"),
}
MANAGERS, VIEWERS = range(0, 36, 6), range(1, 120, 12)


@dataclass(frozen=True)
class DemoCompany:
    """``is_new`` is False for a company that existed before."""

    example: Example
    is_new: bool
    is_platform: bool


def fill_companies() -> list[DemoCompany]:
    """Raises IntegrityError if another company has one of the names or addresses."""
    return [_fill_company(example, start * USERS) for start, example in enumerate(EXAMPLES)]


def _fill_company(example: Example, start: int) -> DemoCompany:
    company_id = _find(example) or _create(example)
    with tenant(company_id):
        with unit_of_work(writes=False) as session:
            is_platform = session.scalars(select(Company.is_platform)).one()
            is_new = session.scalar(select(Subcontractor.id).limit(1)) is None
        if is_new:
            _make_contents(example, start)
    return DemoCompany(example, is_new, is_platform)


def _make_contents(example: Example, start: int) -> None:
    """Create everything in one transaction, so that the next run repeats an interrupted one."""
    hashes = {number: services().passwords.hash(PASSWORD) for number in ACCOUNTS}
    with unit_of_work():
        seats = _seats(_make_positions(example), USERS - 1)
        # The administrator is the only user until then.
        _make_customers(start)
        _make_users(example, start, seats, hashes)
        _make_subcontractors(start)


def _find(example: Example) -> UUID | None:
    """The company with both the administrator's address and the name; another company may have either."""
    key = fold(f"{ADMIN.name}@{example.domain}")
    with unit_of_work(writes=False) as session:
        company_id = session.scalar(select(LoginKey.company_id).where(LoginKey.email_key == key))
    if company_id is None:
        return None
    with company_transaction(company_id, writes=False) as session:
        return session.scalar(select(Company.id).where(Company.name == example.name))


def _create(example: Example) -> UUID:
    """Create the company, as the platform company if the database has none."""
    user = {"email": f"{ADMIN.name}@{example.domain}", "first_name": "Ada", "last_name": "Holm"}
    values = Companies.wire.checked(example.company) | {"is_platform": not is_initialized()}
    password_hash = services().passwords.hash(PASSWORD)
    return create_company(uuid7(), values, user | {"password_hash": password_hash}).company.id


def _make_positions(example: Example) -> list[tuple[Position, bool]]:
    """Create the tree below the root, and its positions. True marks the leading one of a unit."""
    root = db.session.scalars(select(OrganizationUnit).where(OrganizationUnit.parent_id.is_(None))).one()
    OrganizationUnits().change(root, {name: example.company[name] for name in ("name", "description")})
    above, positions = {0: root}, []
    for level, name, titles in _lines(example.outline):
        unit = make(OrganizationUnits, {"name": name, "parent_id": str(above[level - 1].id)})
        above[level] = unit
        for title in titles:
            values = {"title": title, "organization_unit_id": str(unit.id), "level": level}
            positions.append((make(Positions, values), title == titles[0]))
    return positions


def _lines(outline: str) -> Iterator[tuple[int, str, list[str]]]:
    """Level (1 below the root), name and titles of each unit."""
    for line in outline.splitlines():
        name, _, titles = line.partition(": ")
        yield (len(name) - len(name.lstrip())) // 2 + 1, name.strip(), titles.split("; ")


def _seats(positions: list[tuple[Position, bool]], number: int) -> Iterator[Position | None]:
    """The leading positions once, then the others in turn, and no position for the last few users."""
    leading = [position for position, is_leading in positions if is_leading]
    subordinate = [position for position, is_leading in positions if not is_leading]
    seats = islice(chain(leading, cycle(subordinate)), number - WITHOUT_POSITION)
    return chain(seats, repeat(None, WITHOUT_POSITION))


def _make_users(example: Example, start: int, seats: Iterable[Position | None], hashes: dict[int, str]) -> None:
    """Create the users besides the administrator."""
    roles = {row.code: row.id for row in db.session.execute(select(Role.code, Role.id))}
    for number, (name, position) in enumerate(zip(people(start), seats, strict=False)):
        values = _person(example, number, *name) | {"position_id": str(position.id) if position else None}
        user = create_user(UserChangeSchema().checked(values) | {"password_hash": hashes.get(number)})
        # With a remote policy engine there are no roles here.
        if role_id := roles.get(_role_of(number)):
            db.session.add(UserRole(user_id=user.id, role_id=role_id))


def _person(example: Example, number: int, first: str, last: str) -> dict[str, Any]:
    local = ACCOUNTS[number].name if number in ACCOUNTS else slug(first, last)
    return {
        "email": f"{local}@{example.domain}",
        "username": slug(first, last) if number % 3 == 0 else None,
        "first_name": first,
        "last_name": last,
        "language": "fr" if number % 5 == 4 else "en",
        "phone_number": phone_number(number),
        "is_active": number % 20 != 19,
        "is_verified": number % 7 != 6,
    }


def _role_of(number: int) -> str | None:
    if number in MANAGERS:
        return "manager"
    return "viewer" if number in VIEWERS else None


def _make_customers(start: int) -> None:
    pairs = zip(shuffled_pairs("places", "businesses", start), people(start + 1000), strict=False)
    tags, administrator = make_tags(), db.session.scalars(select(User.id)).one()
    for number, ((place, business), contact) in enumerate(islice(pairs, CUSTOMERS)):
        values = {
            "kind": "business",
            "city": place,
            "country": "GB",
            "name": f"{place} {business}",
            "email": f"orders@{slug(place, business)}.example",
            "contact_person": " ".join(contact),
            "phone_number": phone_number(number + 300),
            "address": address(number, place),
        }
        customer = make(Customers, values)
        if number % CUSTOMERS_PER_DOSSIER == 0:
            fill_dossier(customer, number // CUSTOMERS_PER_DOSSIER, place, contact, tags, administrator)


def _make_subcontractors(start: int) -> None:
    pairs = zip(shuffled_pairs("places", "trades", start), people(start + 1500), strict=False)
    for number, ((place, trade), contact) in enumerate(islice(pairs, SUBCONTRACTORS)):
        values = {
            "name": f"{place} {trade}",
            "description": f"{trade} in and around {place}.",
            "email": f"office@{slug(place, trade)}.example",
            "contact_person": " ".join(contact),
            "phone_number": phone_number(number + 600),
            "address": address(number, place),
        }
        make(Subcontractors, values)
