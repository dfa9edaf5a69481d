"""The embedded engine on the wire."""

from marshmallow import fields

from app.core.wire.schema import BaseSchema, Flag, Id, OwnedSchema, Ref, Text, Timestamp, column_field, read_only_id
from app.guardian.models import GuardianPermission, Policy, Role
from app.users.models import User


class RoleSchema(OwnedSchema):
    example = {"name": "Night shift", "description": "What the night shift may do."}
    name = column_field(Role.name, required=True)
    code = fields.String(dump_only=True, allow_none=True)
    description = column_field(Role.description)
    is_system = Flag(dump_only=True)


class PolicySchema(OwnedSchema):
    example = {"name": "Reads customers", "description": "Lists and reads customers."}
    name = column_field(Policy.name, required=True)
    description = column_field(Policy.description)


class PermissionSchema(BaseSchema):
    id = read_only_id()
    service = column_field(GuardianPermission.service)
    resource_name = column_field(GuardianPermission.resource_name)
    operation = column_field(GuardianPermission.operation)
    description = column_field(GuardianPermission.description)


class PolicyIdSchema(BaseSchema):
    policy_id = Ref(Policy, required=True)


class PermissionIdSchema(BaseSchema):
    permission_id = Ref(GuardianPermission, required=True)


class UserRoleSchema(BaseSchema):
    id = read_only_id()
    company_id = read_only_id()
    user_id = Ref(User, required=True)
    role_id = Ref(Role, required=True)
    created_at = Timestamp()
    role = fields.Nested(RoleSchema, dump_only=True)


class AccessRequestSchema(BaseSchema):
    user_id = Id(required=True)
    company_id = Id(required=True)
    service = Text(required=True)
    resource_name = Text(required=True)
    operation = Text(required=True)


class DecisionSchema(BaseSchema):
    access_granted = Flag(dump_only=True)
    reason = fields.String(dump_only=True, allow_none=True)
