"""Rules against escalation: a caller changes only roles and policies whose permissions the caller has."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from app.base.errors import Conflict, Forbidden
from app.core.db.models import db
from app.guardian.models import GuardianPermission, Policy, PolicyPermission, Role, RolePolicy, UserRole


class SystemRole(Conflict):
    code, message = "SYSTEM_ROLE", "The role of the administrators means everything and stays as it is."


class PrivilegeEscalation(Forbidden):
    code = "ROLE_ABOVE_OWN"


def is_administrator(user_id: UUID) -> bool:
    statement = (
        select(UserRole.id).join(Role, Role.id == UserRole.role_id).where(UserRole.user_id == user_id, Role.is_system)
    )
    return db.session.execute(statement).first() is not None


def check_editable(role: Role, by: UUID) -> None:
    """Raises Conflict for the Administrator's role, and Forbidden."""
    if role.is_system:
        raise SystemRole()
    check_not_above(role, by)


def check_not_above(role: Role, user_id: UUID) -> None:
    """Raises Forbidden for a role with a permission that the user lacks."""
    permission_ids = (
        select(PolicyPermission.permission_id)
        .join(RolePolicy, RolePolicy.policy_id == PolicyPermission.policy_id)
        .where(RolePolicy.role_id == role.id)
    )
    if not is_administrator(user_id) and (
        role.is_system or _lacks(user_id, permission_ids, PolicyPermission.permission_id)
    ):
        raise PrivilegeEscalation("The role holds a permission that you do not have yourself.")


def check_policy_not_above(policy: Policy, user_id: UUID) -> None:
    """Raises Forbidden for a policy with a permission that the user lacks."""
    permission_ids = select(PolicyPermission.permission_id).where(PolicyPermission.policy_id == policy.id)
    if not is_administrator(user_id) and _lacks(user_id, permission_ids, PolicyPermission.permission_id):
        raise PrivilegeEscalation("The policy holds a permission that you do not have yourself.")


def check_held(permission: GuardianPermission, user_id: UUID) -> None:
    """Raises Forbidden for a permission that the user lacks."""
    permission_ids = select(GuardianPermission.id).where(GuardianPermission.id == permission.id)
    if not is_administrator(user_id) and _lacks(user_id, permission_ids, GuardianPermission.id):
        raise PrivilegeEscalation("You do not have this permission yourself.")


def _lacks(user_id: UUID, permission_ids: Select[Any], column: Any) -> bool:
    """Whether no role of the user holds one of the permissions. ``column`` is their id in the statement."""
    held = (
        select(PolicyPermission.permission_id)
        .join(RolePolicy, RolePolicy.policy_id == PolicyPermission.policy_id)
        .join(UserRole, UserRole.role_id == RolePolicy.role_id)
        .where(UserRole.user_id == user_id)
    )
    return db.session.execute(permission_ids.where(column.not_in(held)).limit(1)).first() is not None
