"""/guardian/… Lists are bare arrays, as Guardian's clients expect."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from flask import Response, request
from sqlalchemy import ColumnElement

from app.base.errors import Forbidden
from app.base.text import pascal
from app.core.crud.crud import Crud
from app.core.crud.expand import Expansion, embed
from app.core.db.lookup import Parent, get_row
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.web.body import answer, json_body, no_content
from app.core.web.declaration import CREATED, Declaration, declare
from app.core.web.endpoint import Endpoint
from app.core.web.permission import require
from app.core.web.principal import principal
from app.guardian import schemas
from app.guardian.composition import PERMISSIONS_OF_POLICY, POLICIES_OF_ROLE, Composition
from app.guardian.decision import decide
from app.guardian.models import GuardianPermission, Policy, Role, UserRole
from app.guardian.service import assign_role, change_assignment, check_holders, has_other_holders, remove_assignment
from app.users.control import CONTROL, require_control, user_of

Paths = list[tuple[str, list[str]]]


class ComposedCrud(Crud, abstract=True):
    """Rows with elements. Changing and removing them requires the permissions of the elements."""

    composition: ClassVar[Composition]
    service, unpaginated = "guardian", True

    def change(self, row: Any, values: dict[str, Any]) -> None:
        self.composition.check_owner(row, principal().user_id)
        super().change(row, values)

    def remove(self, row: Any) -> None:
        self.composition.check_owner(row, principal().user_id)
        super().remove(row)


class Roles(ComposedCrud):
    """Roles of the company.

    The Administrator's role (``is_system``) can be assigned and not edited. It holds every permission of the
    catalogue, imported ones too, and therefore lists none. Deleting another role deletes its assignments.
    """

    model, schema, path = Role, schemas.RoleSchema, "/guardian/roles"
    permission, composition = "role", POLICIES_OF_ROLE
    filters = ("name", "code")
    sort = ("created_at", "name")
    also_required = (CONTROL,)

    def before(self, **ids: UUID) -> None:
        super().before(**ids)
        if request.method == "DELETE":
            with company_transaction(principal().company_id, writes=False):
                is_held = has_other_holders(ids["id"], principal().user_id)
            if is_held:
                require(CONTROL.resource_name, CONTROL.operation)

    def remove(self, row: Role) -> None:
        check_holders(row, by=principal().user_id)
        super().remove(row)


class Policies(ComposedCrud):
    """Policies of the company: named sets of permissions."""

    model, schema, path = Policy, schemas.PolicySchema, "/guardian/policies"
    permission, composition = "policy", PERMISSIONS_OF_POLICY
    filters = ("name",)
    sort = ("created_at", "name")


class Permissions(Crud):
    """The catalogue of permissions."""

    model, schema, path = GuardianPermission, schemas.PermissionSchema, "/guardian/permissions"
    service, permission, unpaginated = "guardian", "permission", True
    filters = ("service", "resource_name", "operation")
    sort = ("resource_name", "service", "operation")
    verbs = ("list", "retrieve")


class Elements(Crud, abstract=True):
    """The list of the elements of one role or policy."""

    composition: ClassVar[Composition]
    service, unpaginated, verbs = "guardian", True, ("list",)

    def base_filter(self, parent_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
        return (self.composition.is_element_of(parent_id),)


class PoliciesOfRole(Elements):
    """Policies of one role."""

    nouns = ("policy of a role", "policies of a role")
    model, schema, path = Policy, schemas.PolicySchema, "/guardian/roles/<role_id>/policies"
    permission, composition, parent = "policy", POLICIES_OF_ROLE, Parent(Role, "role_id")
    filters, sort = Policies.filters, Policies.sort


class PermissionsOfPolicy(Elements):
    """Permissions of one policy."""

    nouns = ("permission of a policy", "permissions of a policy")
    model, schema, path = GuardianPermission, schemas.PermissionSchema, "/guardian/policies/<policy_id>/permissions"
    permission, composition, parent = "permission", PERMISSIONS_OF_POLICY, Parent(Policy, "policy_id")
    filters, sort = Permissions.filters, Permissions.sort


class CompositionEndpoint(Endpoint, abstract=True):
    """Changes the elements of the owner in the path."""

    composition: ClassVar[Composition]
    elements: ClassVar[type[Crud]]
    summaries: ClassVar[Mapping[str, str]]
    service, operations = "guardian", {"POST": "UPDATE", "DELETE": "UPDATE"}

    @classmethod
    def declaration_of(cls, method: str, *, collection: bool) -> Declaration:
        summary = cls.summaries[method]
        operation = Declaration(summary[0].lower() + pascal(summary)[1:], summary, errors=(409,))
        if method == "POST":
            return replace(operation, body=cls.bodies.get(method), answer=cls.elements.schema(), **CREATED)
        return replace(operation, status=204)

    def add(self, ids: Mapping[str, UUID], element_id: UUID) -> Response:
        element = self.composition.add(self.owner(ids), element_id, by=principal().user_id)
        element_values = {name: getattr(element, name) for name in self.elements.columns}
        return answer(element_values, 201, {"Location": f"{request.script_root}{self.elements.path}/{element.id}"})

    def owner(self, ids: Mapping[str, UUID]) -> Any:
        """Raises NotFound."""
        return get_row(self.composition.owner, ids[self.composition.owner_id])


class AddByBody(CompositionEndpoint, abstract=True):
    """POST adds the element that the body names."""

    def post(self, **ids: UUID) -> Response:
        self.owner(ids)
        values = self.body()
        self.bodies["POST"].check_refs(db.session(), values)
        return self.add(ids, values[self.composition.element_id])


class ElementInPath(CompositionEndpoint, abstract=True):
    """POST adds the element in the path, and DELETE removes it."""

    def post(self, **ids: UUID) -> Response:
        return self.add(ids, ids[self.composition.element_id])

    def delete(self, **ids: UUID) -> Response:
        self.composition.remove(self.owner(ids), ids[self.composition.element_id], by=principal().user_id)
        return no_content()


class RoleComposition(AddByBody):
    """The policies of a role."""

    composition, elements, bodies = POLICIES_OF_ROLE, Policies, {"POST": schemas.PolicyIdSchema()}
    permission, path, item = "role", PoliciesOfRole.path, "role_id"
    summaries = {"POST": "Add a policy to a role"}


class PolicyOfRole(ElementInPath):
    """One policy of a role."""

    composition, elements = POLICIES_OF_ROLE, Policies
    permission, path, item = "role", f"{PoliciesOfRole.path}/<policy_id>", "role_id"
    summaries = {"POST": "Assign a policy to a role", "DELETE": "Remove a policy from a role"}


class PolicyComposition(AddByBody):
    """The permissions of a policy."""

    composition, elements, bodies = PERMISSIONS_OF_POLICY, Permissions, {"POST": schemas.PermissionIdSchema()}
    permission, path, item = "policy", PermissionsOfPolicy.path, "policy_id"
    summaries = {"POST": "Add a permission to a policy"}


class PermissionOfPolicy(ElementInPath):
    """One permission of a policy."""

    composition, elements = PERMISSIONS_OF_POLICY, Permissions
    permission, path, item = "policy", f"{PermissionsOfPolicy.path}/<permission_id>", "policy_id"
    summaries = {"POST": "Assign a permission to a policy", "DELETE": "Remove a permission from a policy"}


class UserRoles(Crud):
    """Assignments of roles to users. Changing those of another user also needs user_account UPDATE."""

    model, schema, path = UserRole, schemas.UserRoleSchema, "/guardian/user-roles"
    service, permission, unpaginated = "guardian", "user_role", True
    filters = ("user_id", "role_id")
    sort = ("created_at",)
    also_required = (CONTROL,)

    def before(self, **ids: UUID) -> None:
        super().before(**ids)
        if request.method in ("PUT", "PATCH", "DELETE"):
            require_control(user_of(UserRole, ids["id"]))
        if request.method in ("PUT", "PATCH") and "user_id" in (values := self.body()):
            require_control(values["user_id"])

    def before_create(self, values: dict[str, Any]) -> None:
        require_control(values["user_id"])

    def add_computed(self, items: list[dict[str, Any]]) -> None:
        embed(items, {"role": Expansion(Role, tuple(Roles.columns), Roles.permission, by="role_id")})

    def create(self, values: dict[str, Any]) -> UserRole:
        return assign_role(values["user_id"], values["role_id"], by=principal().user_id)

    def change(self, row: UserRole, values: dict[str, Any]) -> None:
        change_assignment(row, values, by=principal().user_id)

    def remove(self, row: UserRole) -> None:
        remove_assignment(row, by=principal().user_id)


class CheckAccess(Endpoint):
    """Decide one question about the token's own subject."""

    access, path, own_transaction = "self", "/guardian/check-access", True

    @declare("checkAccess", body=schemas.AccessRequestSchema(), answer=schemas.DecisionSchema(), errors=(403,))
    def post(self) -> Response:
        values = schemas.AccessRequestSchema().checked(json_body())
        caller = principal()
        if (values["user_id"], values["company_id"]) != (caller.user_id, caller.company_id):
            error = Forbidden("user_id and company_id must be the token's.")
            error.members["access_granted"] = False
            raise error
        return answer(decide({name: str(value) for name, value in values.items()}))
