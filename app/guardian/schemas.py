"""The embedded engine on the wire."""

from __future__ import annotations

from marshmallow import fields

from app.core.wire.schema import BaseSchema, Flag, Id, Line, OwnedSchema, Ref, Timestamp, of, read_only_id
from app.guardian.models import GuardianPermission, Policy, Role
from app.users.models import User


class RoleSchema(OwnedSchema):
    name = of(Role.name, required=True)
    code = fields.String(dump_only=True, allow_none=True)
    description = of(Role.description)
    is_system = Flag(dump_only=True)


class PolicySchema(OwnedSchema):
    name = of(Policy.name, required=True)
    description = of(Policy.description)


class PermissionSchema(BaseSchema):
    id = read_only_id()
    service = of(GuardianPermission.service)
    resource_name = of(GuardianPermission.resource_name)
    operation = of(GuardianPermission.operation)
    description = of(GuardianPermission.description)


class HeldPolicySchema(BaseSchema):
    policy_id = Ref(Policy, required=True)


class HeldPermissionSchema(BaseSchema):
    permission_id = Ref(GuardianPermission, required=True)


class UserRoleSchema(BaseSchema):
    id = read_only_id()
    company_id = read_only_id()
    user_id = Ref(User, required=True)
    role_id = Ref(Role, required=True)
    created_at = Timestamp()


class QuestionSchema(BaseSchema):
    user_id = Id(required=True)
    company_id = Id(required=True)
    service = Line(required=True)
    resource_name = Line(required=True)
    operation = Line(required=True)


class DecisionSchema(BaseSchema):
    access_granted = Flag(dump_only=True)
    reason = fields.String(dump_only=True, allow_none=True)
