"""/users/{id}/roles, policies and permissions, from the tables of this service or from a remote Guardian."""

from typing import Any
from uuid import UUID

from flask import Response, g, request
from sqlalchemy import bindparam, select

from app.access import schemas
from app.base.permission import KEY
from app.base.roles import Actor
from app.core.db.lookup import not_found
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import read_in_own_transaction
from app.core.services import services
from app.core.web.body import answer, json_body, no_content
from app.core.web.declaration import CREATED, declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.users.control import require_control
from app.users.models import User


class RoleListing(Endpoint, abstract=True):
    """Roles, or what follows from them. No transaction is open during the questions to their directory."""

    own_transaction, operations = True, {"GET": "LIST", "POST": "CREATE"}


class RolesOfUser(RoleListing):
    """List the roles of a user."""

    path, permission = "/users/<user_id>/roles", "user_role"

    @declare("listRolesOfUser", answer=schemas.AssignmentsSchema())
    def get(self, user_id: UUID) -> Response:
        return answer({"roles": services().role_directory.roles_of(_existing(user_id), actor())})

    @declare(
        "assignRole", body=schemas.NewAssignmentSchema(), answer=schemas.AssignmentSchema(), errors=(409,), **CREATED
    )
    def post(self, user_id: UUID) -> Response:
        """Assign a role to a user. role is an older name of role_id.

        For another user this also needs user_account UPDATE.
        """
        require_control(_existing(user_id))
        assignment = services().role_directory.assign(user_id, _role_id_in(json_body()), actor())
        return answer(assignment, 201, {"Location": f"{request.script_root}/users/{user_id}/roles/{assignment['id']}"})


class RoleOfUser(Endpoint):
    """Get a role of a user."""

    path, permission, own_transaction = "/users/<user_id>/roles/<user_role_id>", "user_role", True
    item = "user_role_id"

    @declare("getRoleOfUser", answer=schemas.AssignmentSchema())
    def get(self, user_id: UUID, user_role_id: UUID) -> Response:
        return answer(services().role_directory.assignment(_existing(user_id), user_role_id, actor()))

    @declare("unassignRole", status=204, errors=(409,))
    def delete(self, user_id: UUID, user_role_id: UUID) -> Response:
        """Remove a role from a user. For another user this also needs user_account UPDATE."""
        require_control(_existing(user_id))
        services().role_directory.unassign(user_id, user_role_id, actor())
        return no_content()


class PoliciesOfUser(RoleListing):
    """List the policies of a user's roles, each once."""

    path, permission = "/users/<user_id>/policies", "user_policy"

    @declare("listPoliciesOfUser", answer=schemas.PoliciesSchema())
    def get(self, user_id: UUID) -> Response:
        return answer({"policies": services().role_directory.policies_of(_existing(user_id), actor())})


class PermissionsOfUser(RoleListing):
    """List the permissions of a user, each once."""

    path, permission = "/users/<user_id>/permissions", "user_permission"

    @declare("listPermissionsOfUser", answer=schemas.PermissionsSchema())
    def get(self, user_id: UUID) -> Response:
        return _permissions_of(_existing(user_id))


class OwnPermissions(Endpoint):
    """List the caller's permissions, each once."""

    access, path, own_transaction = "self", "/users/me/permissions", True

    @declare("listOwnPermissions", answer=schemas.PermissionsSchema(), errors=(502, 504))
    def get(self) -> Response:
        return _permissions_of(principal().user_id)


class AssignableRoles(RoleListing):
    """List the roles that can be assigned, with their permissions."""

    path, permission = "/users/roles", "user_role"

    @declare("listAssignableRoles", answer=schemas.AssignableRolesSchema())
    def get(self) -> Response:
        return answer({"roles": services().role_directory.roles(actor())})


def _permissions_of(user_id: UUID) -> Response:
    """The permissions that the caller's company can use: a role may hold more, which only the platform can use."""
    rows = services().role_directory.permissions_of(user_id, actor())
    if not principal().is_platform:
        unusable = [permission.names for permission in services().catalogue if permission.platform]
        rows = [row for row in rows if {name: row.get(name) for name in KEY} not in unusable]
    return answer({"permissions": rows})


def actor() -> Actor:
    caller = principal()
    return Actor(caller.user_id, caller.company_id, caller.token, g.request_id)


def _role_id_in(values: dict[str, Any]) -> UUID:
    """Raises Invalid with the name of the field in the body."""
    is_legacy = "role" in values and "role_id" not in values
    schema = schemas.LegacyAssignmentSchema() if is_legacy else schemas.NewAssignmentSchema()
    role_id: UUID = schema.checked(values)["role" if is_legacy else "role_id"]
    return role_id


def _existing(user_id: UUID) -> UUID:
    """The id of a user of the caller's company. Raises NotFound."""
    with tenant(principal().company_id):
        if not read_in_own_transaction(_USER, {"user_id": user_id}):
            raise not_found(User)
    return user_id


_USER = TenantQuery(select(User.id).where(User.id == bindparam("user_id")))
