"""/guardian/… Lists are bare arrays, as Guardian's clients expect."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.core.auth import principal
from app.core.crud import Crud
from app.core.errors import Forbidden
from app.core.http import Endpoint, answer, body, declare
from app.guardian.decision import answer_to
from app.guardian.models import GuardianPermission, Role, UserRole
from app.guardian.schemas import DecisionSchema, PermissionSchema, QuestionSchema, RoleSchema, UserRoleSchema
from app.guardian.service import assign_role, remove_assignment


class Roles(Crud):
    """Roles of the company."""

    model, schema, path = Role, RoleSchema, "/guardian/roles"
    service, permission, bare = "guardian", "role", True
    filters = ("name", "code")
    sort = ("created_at", "name")
    verbs = ("list", "retrieve")


class Permissions(Crud):
    """The catalogue of permissions."""

    model, schema, path = GuardianPermission, PermissionSchema, "/guardian/permissions"
    service, permission, bare = "guardian", "permission", True
    filters = ("service", "resource_name", "operation")
    sort = ("resource_name", "service", "operation")
    verbs = ("list",)


class UserRoles(Crud):
    """Which user has which role."""

    model, schema, path = UserRole, UserRoleSchema, "/guardian/user-roles"
    service, permission, bare = "guardian", "user_role", True
    filters = ("user_id", "role_id")
    sort = ("created_at",)
    verbs = ("list", "create", "retrieve", "remove")
    versioned = False

    def new(self, values: dict[str, Any]) -> UserRole:
        return assign_role(values["user_id"], values["role_id"], by=principal().user_id)

    def remove(self, row: UserRole) -> None:
        remove_assignment(row)


class CheckAccess(Endpoint):
    """Decide one question about the token's own subject."""

    access, path, own_transaction = "self", "/guardian/check-access", True

    @declare(body=QuestionSchema(), answer=DecisionSchema(), errors=(403,))
    def post(self) -> Response:
        question = QuestionSchema().checked(body())
        me = principal()
        if (question["user_id"], question["company_id"]) != (me.user_id, me.company_id):
            raise Forbidden("user_id and company_id must be the token's.")
        return answer(answer_to({name: str(value) for name, value in question.items()}))
