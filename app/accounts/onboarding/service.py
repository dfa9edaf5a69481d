"""Creation of a company with its first unit, position and administrator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.base.roles import ADMINISTRATOR
from app.companies.events import on_company_created
from app.companies.models import Company
from app.core.db.models import db
from app.core.db.tenancy import current_tenant
from app.core.db.transaction import company_transaction
from app.core.services import services
from app.organization_units.models import OrganizationUnit
from app.organization_units.service import create_unit
from app.positions.models import Position
from app.users.models import User
from app.users.service import create_user

UNIT, POSITION = "default organization", "Administrator"

Values = Mapping[str, Any]


@dataclass(frozen=True)
class NewCompany:
    company: Company
    organization_unit: OrganizationUnit
    position: Position
    user: User


def create_company(company_id: UUID, company: Values, user: Values) -> NewCompany:
    """Create a company in a transaction of its own."""
    with company_transaction(company_id):
        return create_bound_company(company, {"is_verified": True, **user})


def create_bound_company(company: Values, user: Values) -> NewCompany:
    """Create the bound company, inside its unit of work. Raises IntegrityError (409) for a taken name."""
    row = Company(id=current_tenant(), **company)
    db.session.add(row)
    db.session.flush()
    on_company_created.emit(None)
    return NewCompany(row, *create_defaults(user))


def create_defaults(user: Values) -> tuple[OrganizationUnit, Position, User]:
    """Create the first unit, position and administrator of a new company."""
    unit = create_unit({"name": UNIT})
    position = Position(title=POSITION, organization_unit_id=unit.id)
    db.session.add(position)
    db.session.flush()
    administrator = create_user({**user, "position_id": position.id})
    services().tenant_roles.assign_default(administrator.id, ADMINISTRATOR)
    return unit, position, administrator
