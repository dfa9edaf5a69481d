"""/users/{id}/roles, policies and permissions. No transaction is open while their keeper is asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, g, request
from sqlalchemy import bindparam, select

from app.access.schemas import (
    AssignableRolesSchema,
    AssignmentSchema,
    AssignmentsSchema,
    FormerlyWantedRoleSchema,
    PermissionsSchema,
    PoliciesSchema,
    WantedRoleSchema,
)
from app.base.permission import Permission
from app.base.roles import Asker
from app.core.db.lookup import not_found
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import read_in_own_transaction
from app.core.services import services
from app.core.web.body import answer, json_body, no_content
from app.core.web.declaration import CREATED, declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.users.models import User


class RolesOfUser(Endpoint):
    """List the roles of a user."""

    path, permission, own_transaction = "/users/<user_id>/roles", "user_role", True
    operations = {"GET": "LIST", "POST": "CREATE"}

    @declare("listRolesOfUser", answer=AssignmentsSchema())
    def get(self, user_id: UUID) -> Response:
        _check_user(user_id)
        return answer({"roles": services().role_directory.roles_of(user_id, asker())})

    @declare("assignRole", body=WantedRoleSchema(), answer=AssignmentSchema(), errors=(409,), **CREATED)
    def post(self, user_id: UUID) -> Response:
        """Assign a role to a user. role is an older name of role_id."""
        _check_user(user_id)
        made = services().role_directory.assign(user_id, _wanted(json_body()), asker())
        return answer(made, 201, {"Location": f"{request.script_root}/users/{user_id}/roles/{made['id']}"})


class RoleOfUser(Endpoint):
    """Get a role of a user."""

    path, permission, own_transaction = "/users/<user_id>/roles/<user_role_id>", "user_role", True
    item = "user_role_id"

    @declare("getRoleOfUser", answer=AssignmentSchema())
    def get(self, user_id: UUID, user_role_id: UUID) -> Response:
        _check_user(user_id)
        return answer(services().role_directory.assignment(user_id, user_role_id, asker()))

    @declare("unassignRole", status=204, errors=(409,))
    def delete(self, user_id: UUID, user_role_id: UUID) -> Response:
        """Remove a role from a user."""
        _check_user(user_id)
        services().role_directory.unassign(user_id, user_role_id, asker())
        return no_content()


class PoliciesOfUser(Endpoint):
    """List the policies of a user's roles, each once."""

    path, permission, own_transaction = "/users/<user_id>/policies", "user_policy", True
    operations = {"GET": "LIST"}

    @declare("listPoliciesOfUser", answer=PoliciesSchema())
    def get(self, user_id: UUID) -> Response:
        _check_user(user_id)
        return answer({"policies": services().role_directory.policies_of(user_id, asker())})


class PermissionsOfUser(Endpoint):
    """List the permissions of a user, each once."""

    path, permission, own_transaction = "/users/<user_id>/permissions", "user_permission", True
    operations = {"GET": "LIST"}

    @declare("listPermissionsOfUser", answer=PermissionsSchema())
    def get(self, user_id: UUID) -> Response:
        _check_user(user_id)
        return _permissions_of(user_id)


class OwnPermissions(Endpoint):
    """List the caller's permissions, each once."""

    access, path, own_transaction = "self", "/users/me/permissions", True

    @declare("listOwnPermissions", answer=PermissionsSchema(), errors=(502, 504))
    def get(self) -> Response:
        return _permissions_of(principal().user_id)


class AssignableRoles(Endpoint):
    """List the roles that can be assigned, with their permissions."""

    path, permission, own_transaction = "/users/roles", "user_role", True
    operations = {"GET": "LIST"}

    @declare("listAssignableRoles", answer=AssignableRolesSchema())
    def get(self) -> Response:
        return answer({"roles": services().role_directory.roles(asker())})


def _permissions_of(user_id: UUID) -> Response:
    """Without those that a role may hold, but only users of the platform can use."""
    held = services().role_directory.permissions_of(user_id, asker())
    beyond = set() if principal().is_platform else {_key(each) for each in services().catalogue if each.platform}
    return answer({"permissions": [each for each in held if tuple(map(each.get, KEY)) not in beyond]})


KEY = ("service", "resource_name", "operation")


def _key(permission: Permission) -> tuple[str, ...]:
    return permission.service, permission.resource_name, permission.operation


def asker() -> Asker:
    caller = principal()
    return Asker(caller.user_id, caller.company_id, caller.token, g.request_id)


def _wanted(given: dict[str, Any]) -> UUID:
    """Raises Invalid, naming the field as it was given."""
    is_older = "role" in given and "role_id" not in given
    values = (FormerlyWantedRoleSchema() if is_older else WantedRoleSchema()).checked(given)
    found: UUID = values["role" if is_older else "role_id"]
    return found


def _check_user(user_id: UUID) -> None:
    """Raises NotFound."""
    with tenant(principal().company_id):
        if not read_in_own_transaction(_USER, {"user_id": user_id}):
            raise not_found(User)


_USER = TenantQuery(select(User.id).where(User.id == bindparam("user_id")).execution_options(single_statement=True))
