"""Roles with exactly the permissions that a test is about."""

from uuid import UUID

from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.core.db.models import add_in_order, db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.guardian.models import Policy, PolicyPermission, Role, RolePolicy, UserRole, permission_id
from tests.support.clients import ApiClient, Tenant, unique

CONTROL = "identity:user_account:UPDATE"
"""Control of the accounts of others, besides the permission of the endpoint."""


def role_with(company: Tenant, *permissions: str) -> str:
    """The id of a new role; a permission is written ``identity:user:READ``."""
    role, policy = Role(id=uuid7(), name=unique("role")), Policy(id=uuid7(), name=unique("policy"))
    held = [
        PolicyPermission(policy_id=policy.id, permission_id=permission_id(*permission.split(":")))
        for permission in permissions
    ]
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        add_in_order([role, policy], [RolePolicy(role_id=role.id, policy_id=policy.id), *held])
    return str(role.id)


def role_id(company: Tenant, code: str) -> str:
    """The id of a default role."""
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        return str(db.session.scalars(select(Role.id).where(Role.code == code)).one())


def give(company: Tenant, user: ApiClient, role: str) -> str:
    """Assign without asking anybody. Returns the assignment's id."""
    assignment = UserRole(id=uuid7(), user_id=UUID(user.user_id), role_id=UUID(role))
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        db.session.add(assignment)
    return str(assignment.id)


def user_with(company: Tenant, *permissions: str) -> ApiClient:
    """Somebody who may do this and nothing else."""
    user = company.user()
    give(company, user, role_with(company, *permissions))
    return user
