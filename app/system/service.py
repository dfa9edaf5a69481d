"""The first initialization: the platform company and its administrator, in one transaction."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.accounts.onboarding.service import NewCompany, create_company
from app.companies.models import Company
from app.companies.service import AlreadyInitialized
from app.core.db.transaction import platform_session
from app.core.web.problems import violation_of


def is_initialized() -> bool:
    with platform_session() as session:
        return session.execute(select(Company.id).limit(1)).first() is not None


def platform_company() -> UUID | None:
    with platform_session() as session:
        return session.scalar(select(Company.id).where(Company.is_platform))


def initialize(company: dict[str, Any], user: dict[str, Any]) -> NewCompany:
    """``user`` has a ``password_hash``. Raises AlreadyInitialized if a company exists."""
    if is_initialized():
        raise AlreadyInitialized()
    try:
        return create_company(uuid7(), company | {"is_platform": True}, user)
    except IntegrityError as error:
        if "is_platform" in violation_of(error)[1] or is_initialized():
            raise AlreadyInitialized() from None
        raise
