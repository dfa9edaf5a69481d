"""The first administrator of a company that exists already without roles."""

from uuid import UUID

from sqlalchemy import select

from app.base.roles import ADMINISTRATOR
from app.companies.service import AlreadyInitialized, lock_company
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.services import services
from app.guardian.escalation import administrators, is_administrator
from app.guardian.models import Role
from app.users.models import User


def initialize_engine(company_id: UUID, user_id: UUID) -> bool:
    """Make the only user of a company its administrator; False for the administrator. Raises Forbidden otherwise."""
    with tenant(company_id):
        with unit_of_work(writes=False):
            if is_administrator(user_id):
                return False
            _check_vacant(user_id)
        with unit_of_work():
            lock_company()
            _check_vacant(user_id)
            if db.session.scalar(select(Role.id).where(Role.is_system)) is None:
                services().tenant_roles.create_defaults()
            services().tenant_roles.assign_default(user_id, ADMINISTRATOR)
    return True


def has_administrator() -> bool:
    """Whether the bound company has one."""
    return db.session.scalar(administrators().limit(1)) is not None


def _check_vacant(user_id: UUID) -> None:
    """Only an administrator can create a second user. Raises Forbidden unless the user is alone without one."""
    users = db.session.scalars(select(User.id).limit(2)).all()
    if list(users) != [user_id] or has_administrator():
        raise AlreadyInitialized("The company is already initialized.")
