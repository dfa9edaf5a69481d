"""Default roles, assignments without escalation, and the first and the last administrator."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, select
from uuid_utils.compat import uuid7

from app.base.errors import Conflict
from app.base.permission import Permission
from app.base.roles import ADMINISTRATOR, CUSTOMER, MANAGER, VIEWER
from app.companies.service import AlreadyInitialized, lock_company
from app.core.db.lookup import reload
from app.core.db.models import add_in_order, db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work, upsert
from app.core.services import services
from app.core.web.default_roles import is_held_by_default
from app.core.web.permission import is_granted
from app.guardian.escalation import administrators, check_not_above, check_users_not_above, is_administrator
from app.guardian.models import GuardianPermission, Policy, PolicyPermission, Role, RolePolicy, UserRole, permission_id
from app.users.control import CONTROL, check_control
from app.users.models import User

log = structlog.get_logger(__name__)

ROWS_PER_INSERT = 1000
"""SQLite allows 32,766 parameters in one statement."""
DESCRIPTIONS = {
    ADMINISTRATOR: "Everything.",
    MANAGER: "Reads everything; creates and updates people, customers and subcontractors.",
    VIEWER: "Reads everything.",
    CUSTOMER: "Their own profile.",
}


class LastAdministrator(Conflict):
    code, message = "LAST_ADMINISTRATOR", "The company would be left without an administrator."


class EmbeddedTenantRoles:
    """``TenantRoles`` on the tables of the embedded engine."""

    def create_defaults(self) -> None:
        load_catalogue(services().catalogue)
        roles = {
            code: Role(id=uuid7(), name=code.capitalize(), code=code, description=text, is_system=code == ADMINISTRATOR)
            for code, text in DESCRIPTIONS.items()
        }
        policies = {code: Policy(id=uuid7(), name=roles[code].name) for code in (MANAGER, VIEWER, CUSTOMER)}
        add_in_order(roles.values(), policies.values())
        add_in_order(
            [RolePolicy(role_id=roles[code].id, policy_id=policy.id) for code, policy in policies.items()],
            [
                PolicyPermission(policy_id=policy.id, permission_id=permission_id(**permission.names))
                for code, policy in policies.items()
                for permission in default_permissions(code)
            ],
        )

    def assign_default(self, user_id: UUID, code: str) -> None:
        role_id = db.session.scalar(select(Role.id).where(Role.code == code))
        if role_id is None:
            log.warning("role_not_given", reason="the company has no such role any more", code=code, user_id=user_id)
            return
        db.session.add(UserRole(user_id=user_id, role_id=role_id))
        db.session.flush()

    def check_not_last_administrator(self, user_id: UUID) -> None:
        lock_company()
        active = administrators().join(User, User.id == UserRole.user_id).where(User.is_active)
        if is_administrator(user_id) and db.session.scalar(active.where(User.id != user_id).limit(1)) is None:
            raise LastAdministrator()

    def check_not_above(self, user_id: UUID, by: UUID) -> None:
        check_users_not_above(UserRole.user_id == user_id, by)


class ExternalTenantRoles:
    """Operators of the service that keeps the roles do all of this there."""

    def create_defaults(self) -> None:
        log.info("default_roles_skipped", reason="the policy engine is remote")

    def assign_default(self, user_id: UUID, code: str) -> None:
        log.info("role_skipped", reason="the policy engine is remote", code=code, user_id=user_id)

    def check_not_last_administrator(self, user_id: UUID) -> None:
        log.info("last_administrator_not_checked", reason="the policy engine is remote", user_id=user_id)

    def check_not_above(self, user_id: UUID, by: UUID) -> None:
        log.debug("roles_not_compared", reason="the policy engine is remote", user_id=user_id)


def create_default_roles(_administrator: Mapping[str, Any] | None = None) -> None:
    """A subscriber of ``on_company_created``."""
    services().tenant_roles.create_defaults()


def default_permissions(code: str) -> list[Permission]:
    """The permissions of a default role, except the Administrator's."""
    return sorted(permission for permission in services().catalogue if is_held_by_default(permission, code))


def load_catalogue(catalogue: Iterable[Permission]) -> None:
    """Add missing permissions to the global table. Safe for several processes at once."""
    rows = [
        {"id": permission_id(**item.names), **item.names, "description": item.description or None}
        for item in sorted(catalogue)
    ]
    for first in range(0, len(rows), ROWS_PER_INSERT):
        statement = upsert(GuardianPermission).values(rows[first : first + ROWS_PER_INSERT]).on_conflict_do_nothing()
        db.session.execute(statement, execution_options={"unguarded": "the catalogue is global"})


def assign_role(user_id: UUID, role_id: UUID, *, by: UUID) -> UserRole:
    """Raises Forbidden for a role or a user with a permission that ``by`` lacks, and Conflict for a second one."""
    check_not_above(_get_role(role_id), by)
    check_control(user_id, by=by)
    assignment = UserRole(user_id=user_id, role_id=role_id)
    db.session.add(assignment)
    db.session.flush()
    return assignment


def change_assignment(assignment: UserRole, values: dict[str, Any], *, by: UUID) -> None:
    """Raises the errors of ``assign_role``, and Conflict for the assignment of the last administrator."""
    role = _lock_role_of(assignment)
    user_id, role_id = assignment.user_id, assignment.role_id
    after = values.get("user_id", user_id), values.get("role_id", role_id)
    if after == (user_id, role_id):
        return
    check_not_above(_get_role(after[1]), by)
    if role.is_system:
        services().tenant_roles.check_not_last_administrator(user_id)
    for controlled_id in {user_id, after[0]}:
        check_control(controlled_id, by=by)
    assignment.user_id, assignment.role_id = after
    db.session.flush()


def remove_assignment(assignment: UserRole, *, by: UUID) -> None:
    """Raises Forbidden for a user with more rights, and Conflict for the assignment of the last administrator."""
    if _lock_role_of(assignment).is_system:
        services().tenant_roles.check_not_last_administrator(assignment.user_id)
    check_control(assignment.user_id, by=by)
    db.session.delete(assignment)
    db.session.flush()


def has_other_holders(role_id: UUID, user_id: UUID) -> bool:
    return db.session.scalar(_other_holders(role_id, user_id).limit(1)) is not None


def check_holders(role: Role, *, by: UUID) -> None:
    """Before a role is deleted. Raises as ``check_control`` of each user who has it."""
    lock_company()
    if has_other_holders(role.id, by):
        if not is_granted(CONTROL):
            raise Conflict()
        check_users_not_above(UserRole.user_id.in_(_other_holders(role.id, by)), by)


def _other_holders(role_id: UUID, user_id: UUID) -> Select[UUID]:
    return select(UserRole.user_id).where(UserRole.role_id == role_id, UserRole.user_id != user_id)


def _lock_role_of(assignment: UserRole) -> Role:
    """The role of an assignment, under the company's lock: assignments have no version that reveals a change."""
    lock_company()
    if reload(UserRole, assignment.id) is None:
        raise Conflict()
    return _get_role(assignment.role_id)


def _get_role(role_id: UUID) -> Role:
    """Raises Conflict for a role that another transaction deleted."""
    role = db.session.scalar(select(Role).where(Role.id == role_id))
    if role is None:
        raise Conflict()
    return role


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
