"""Rules against escalation: a caller changes only roles and policies whose permissions the caller has."""

from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select

from app.base.errors import Conflict, Forbidden
from app.core.db.models import db
from app.guardian.models import GuardianPermission, Policy, PolicyPermission, Role, RolePolicy, UserRole


class SystemRole(Conflict):
    code, message = "SYSTEM_ROLE", "The role of the administrators means everything and stays as it is."


class PrivilegeEscalation(Forbidden):
    code = "ROLE_ABOVE_OWN"


def administrators() -> Select[UUID]:
    """The ids of the users with the Administrator's role."""
    return select(UserRole.user_id).join(Role, Role.id == UserRole.role_id).where(Role.is_system)


def is_administrator(user_id: UUID) -> bool:
    return db.session.scalar(administrators().where(UserRole.user_id == user_id)) is not None


def check_editable(role: Role, by: UUID) -> None:
    """Raises Conflict for the Administrator's role, and Forbidden."""
    if role.is_system:
        raise SystemRole()
    check_not_above(role, by)


def check_not_above(role: Role, user_id: UUID) -> None:
    """Raises Forbidden for a role with a permission that the user lacks."""
    if _are_above(select(Role.id).where(Role.id == role.id), user_id):
        raise PrivilegeEscalation("The role holds a permission that you do not have yourself.")


def check_users_not_above(of_users: ColumnElement[bool], user_id: UUID) -> None:
    """Raises Forbidden if one of the assignments' users has a permission that the user lacks."""
    if _are_above(select(UserRole.role_id).where(of_users), user_id):
        raise PrivilegeEscalation("The user has a permission that you do not have yourself.")


def _are_above(role_ids: Select[UUID], user_id: UUID) -> bool:
    """Whether one of the roles holds a permission that the user lacks."""
    if is_administrator(user_id):
        return False
    of_roles = RolePolicy.policy_id == PolicyPermission.policy_id, RolePolicy.role_id.in_(role_ids)
    permission_ids = select(PolicyPermission.permission_id).join(RolePolicy, and_(*of_roles))
    system = select(Role.id).where(Role.is_system, Role.id.in_(role_ids))
    return db.session.scalar(system) is not None or _lacks(user_id, permission_ids)


def check_policy_not_above(policy: Policy, user_id: UUID) -> None:
    """Raises Forbidden for a policy with a permission that the user lacks."""
    permission_ids = select(PolicyPermission.permission_id).where(PolicyPermission.policy_id == policy.id)
    if not is_administrator(user_id) and _lacks(user_id, permission_ids):
        raise PrivilegeEscalation("The policy holds a permission that you do not have yourself.")


def check_held(permission: GuardianPermission, user_id: UUID) -> None:
    """Raises Forbidden for a permission that the user lacks."""
    permission_ids = select(GuardianPermission.id).where(GuardianPermission.id == permission.id)
    if not is_administrator(user_id) and _lacks(user_id, permission_ids):
        raise PrivilegeEscalation("You do not have this permission yourself.")


def _lacks(user_id: UUID, permission_ids: Select[UUID]) -> bool:
    """Whether no role of the user holds one of the permissions."""
    held_ids = (
        select(PolicyPermission.permission_id)
        .join(RolePolicy, RolePolicy.policy_id == PolicyPermission.policy_id)
        .join(UserRole, UserRole.role_id == RolePolicy.role_id)
        .where(UserRole.user_id == user_id)
    )
    [permission_id] = permission_ids.selected_columns
    return db.session.scalar(permission_ids.where(permission_id.not_in(held_ids)).limit(1)) is not None
