"""``RoleDirectory`` on the tables of the embedded engine, and the roles that an external engine decides by."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, or_, select

from app.base.roles import ALL, Actor, Json, permission_name
from app.clients.policy.request import AccessRequest
from app.core.db.lookup import get_row, not_found
from app.core.db.models import db
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import company_transaction, read, read_in_own_transaction
from app.guardian.escalation import administrators
from app.guardian.models import GuardianPermission, Policy, PolicyPermission, Role, RolePolicy, UserRole
from app.guardian.resources import Permissions, Policies, Roles
from app.guardian.service import assign_role, remove_assignment

ASSIGNMENT = ("id", "user_id", "role_id", "created_at")


class EmbeddedRoleDirectory:
    def roles_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        with tenant(actor.company_id):
            rows = read_in_own_transaction(_ASSIGNMENTS, {"user_id": user_id})
        return [_assignment(row) for row in rows]

    def assign(self, user_id: UUID, role_id: UUID, actor: Actor) -> Json:
        with company_transaction(actor.company_id):
            role = get_row(Role, role_id)
            assignment = assign_role(user_id, role_id, by=actor.user_id)
            return {**_values_of(assignment, ASSIGNMENT), "role": _values_of(role, Roles.columns)}

    def assignment(self, user_id: UUID, assignment_id: UUID, actor: Actor) -> Json:
        with tenant(actor.company_id):
            rows = read_in_own_transaction(_ASSIGNMENT, {"user_id": user_id, "assignment_id": assignment_id})
        if not rows:
            raise not_found(UserRole)
        return _assignment(rows[0])

    def unassign(self, user_id: UUID, assignment_id: UUID, actor: Actor) -> None:
        with company_transaction(actor.company_id):
            statement = select(UserRole).where(UserRole.id == assignment_id, UserRole.user_id == user_id)
            assignment = db.session.scalar(statement)
            if assignment is None:
                raise not_found(UserRole)
            remove_assignment(assignment, by=actor.user_id)

    def policies_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        with tenant(actor.company_id):
            rows = read_in_own_transaction(_POLICIES, {"user_id": user_id})
        return [Policies.reader.as_item(row) for row in rows]

    def permissions_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        with tenant(actor.company_id):
            rows = read_in_own_transaction(_PERMISSIONS, {"user_id": user_id})
        return [Permissions.reader.as_item(row) for row in rows]

    def roles(self, actor: Actor) -> list[Json]:
        with company_transaction(actor.company_id, writes=False):
            roles, names = read(_ROLES, {}), _names_by_role(read(_HELD_BY_ROLES, {}))
        return [
            {
                "id": role.id,
                "name": role.name,
                "code": role.code,
                "description": role.description,
                "permissions": list(ALL) if role.is_system else names[role.id],
            }
            for role in roles
        ]


def _through_roles(column: Any) -> Select[Any]:
    """A column of the policies of the user's roles."""
    return (
        select(column)
        .select_from(RolePolicy)
        .join(UserRole, UserRole.role_id == RolePolicy.role_id)
        .where(UserRole.user_id == bindparam("user_id"))
    )


_ASSIGNMENTS_OF_USER = (
    select(*(getattr(UserRole, name) for name in ASSIGNMENT), *Roles.columns.values())
    .join(Role, Role.id == UserRole.role_id)
    .where(UserRole.user_id == bindparam("user_id"))
    .order_by(UserRole.created_at, UserRole.id)
)
_ASSIGNMENTS = TenantQuery(_ASSIGNMENTS_OF_USER)
_ASSIGNMENT = TenantQuery(_ASSIGNMENTS_OF_USER.where(UserRole.id == bindparam("assignment_id")))
_POLICIES = TenantQuery(
    select(*Policies.columns.values())
    .where(Policy.id.in_(_through_roles(RolePolicy.policy_id)))
    .order_by(Policy.created_at, Policy.id)
)
_HELD = GuardianPermission.id.in_(
    _through_roles(PolicyPermission.permission_id).join(
        PolicyPermission, PolicyPermission.policy_id == RolePolicy.policy_id
    )
)
_ADMINISTERS = administrators().where(UserRole.user_id == bindparam("user_id")).exists()
_BY_NAME = (GuardianPermission.service, GuardianPermission.resource_name, GuardianPermission.operation)
_PERMISSIONS = TenantQuery(select(*Permissions.columns.values()).where(or_(_ADMINISTERS, _HELD)).order_by(*_BY_NAME))
_ROLES = TenantQuery(
    select(Role.id, Role.name, Role.code, Role.description, Role.is_system).order_by(Role.created_at, Role.id)
)
_HELD_BY_ROLES = TenantQuery(
    select(RolePolicy.role_id, *_BY_NAME)
    .distinct()
    .join(PolicyPermission, PolicyPermission.policy_id == RolePolicy.policy_id)
    .join(GuardianPermission, GuardianPermission.id == PolicyPermission.permission_id)
    .order_by(*_BY_NAME)
)


def _assignment(row: Row[Any]) -> Json:
    """Both parts have ``id`` and ``created_at``; their places tell them apart."""
    values = tuple(row)
    return {**dict(zip(ASSIGNMENT, values, strict=False)), "role": Roles.reader.as_item(values[len(ASSIGNMENT) :])}


def _values_of(row: Any, names: Iterable[str]) -> Json:
    return {name: getattr(row, name) for name in names}


def _names_by_role(rows: Iterable[Row[Any]]) -> dict[UUID, list[str]]:
    names: dict[UUID, list[str]] = defaultdict(list)
    for row in rows:
        names[row.role_id].append(permission_name(row.service, row.resource_name, row.operation))
    return names


def roles_of_subject(access_request: AccessRequest) -> list[str]:
    """Codes of default roles, and ids of others, whose names mean something else in each company."""
    with tenant(access_request.company_id):
        rows = read_in_own_transaction(_ROLES_OF_SUBJECT, {"user_id": access_request.user_id})
    return sorted(row.code or str(row.id) for row in rows)


_ROLES_OF_SUBJECT = TenantQuery(
    select(Role.id, Role.code)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == bindparam("user_id"))
)
