"""What roles and policies are made of. Every change of one is a change by somebody, within their own permissions."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from app.core.db.lookup import existing, not_found
from app.core.db.models import db
from app.guardian.models import GuardianPermission, Policy, PolicyPermission, Role, RolePolicy
from app.guardian.rules import check_editable, check_held, check_policy_not_above


def attach_policy(role: Role, policy_id: UUID, *, by: UUID) -> Policy:
    """Raises Conflict and Forbidden. A policy that the role has is a conflict."""
    policy: Policy = existing(Policy, policy_id)
    check_editable(role, by)
    check_policy_not_above(policy, by)
    db.session.add(RolePolicy(role_id=role.id, policy_id=policy.id))
    db.session.flush()
    return policy


def detach_policy(role: Role, policy_id: UUID, *, by: UUID) -> None:
    """Raises NotFound, Conflict and Forbidden."""
    wanted = select(RolePolicy).where(RolePolicy.role_id == role.id, RolePolicy.policy_id == policy_id)
    held = db.session.scalar(wanted)
    if held is None:
        raise not_found(Policy)
    check_editable(role, by)
    db.session.delete(held)
    db.session.flush()


def add_permission(policy: Policy, permission_id: UUID, *, by: UUID) -> GuardianPermission:
    """Raises Forbidden. A permission that the policy has is a conflict."""
    permission: GuardianPermission = existing(GuardianPermission, permission_id)
    check_policy_not_above(policy, by)
    check_held(permission.id, by)
    db.session.add(PolicyPermission(policy_id=policy.id, permission_id=permission.id))
    db.session.flush()
    return permission


def remove_permission(policy: Policy, permission_id: UUID, *, by: UUID) -> None:
    """Raises NotFound and Forbidden."""
    wanted = select(PolicyPermission).where(
        PolicyPermission.policy_id == policy.id, PolicyPermission.permission_id == permission_id
    )
    held = db.session.scalar(wanted)
    if held is None:
        raise not_found(GuardianPermission)
    check_policy_not_above(policy, by)
    db.session.delete(held)
    db.session.flush()
