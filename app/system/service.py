"""The first initialisation: the platform company and its administrator, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.companies.models import Company
from app.core.db import db, platform_session, unit_of_work
from app.core.errors import Forbidden, violated
from app.core.kernel import kernel
from app.core.tenancy import tenant
from app.organization_units.models import OrganizationUnit
from app.organization_units.service import create_unit
from app.positions.models import Position
from app.users.models import User
from app.users.service import create_user

UNIT, POSITION = "default organization", "Administrator"


@dataclass(frozen=True)
class Founded:
    company: Company
    organization_unit: OrganizationUnit
    position: Position
    user: User


def is_initialized() -> bool:
    with platform_session() as session:
        return session.execute(select(Company.id).limit(1)).first() is not None


def platform_company() -> UUID | None:
    with platform_session() as session:
        return session.scalar(select(Company.id).where(Company.is_platform))


def initialize(company: dict[str, Any], user: dict[str, Any]) -> Founded:
    """``user`` carries ``password_hash``. Raises Forbidden once there is a company."""
    if is_initialized():
        raise already()
    try:
        return found_company(uuid7(), company | {"is_platform": True}, user)
    except IntegrityError as error:
        if "is_platform" in violated(error)[1] or is_initialized():
            raise already() from None
        raise


def already() -> Forbidden:
    return Forbidden("The database is already initialized.", code="ALREADY_INITIALIZED")


def found_company(company_id: UUID, company: dict[str, Any], user: dict[str, Any]) -> Founded:
    """A company with its first unit, position and administrator, in a transaction of its tenant."""
    with tenant(company_id), unit_of_work():
        row = Company(id=company_id, **company)
        db.session.add(row)
        db.session.flush()
        kernel().roles.company_made()
        unit = create_unit({"name": UNIT})
        position = Position(title=POSITION, organization_unit_id=unit.id)
        db.session.add(position)
        db.session.flush()
        administrator = create_user({"is_verified": True, **user, "position_id": position.id})
        kernel().roles.make_administrator(administrator.id)
        return Founded(row, unit, position, administrator)
