"""Roles of users on the wire. Fields that another engine may not know can be null."""

from marshmallow import fields

from app.core.wire.schema import BaseSchema, Ref, Timestamp, read_only_id
from app.guardian.models import Role
from app.guardian.schemas import PermissionSchema, PolicySchema, RoleSchema


class RoleOfUserSchema(RoleSchema):
    company_id = read_only_id(allow_none=True)
    created_at = Timestamp(allow_none=True)
    updated_at = Timestamp(allow_none=True)


class PolicyOfUserSchema(PolicySchema):
    company_id = read_only_id(allow_none=True)
    created_at = Timestamp(allow_none=True)
    updated_at = Timestamp(allow_none=True)


class PermissionOfUserSchema(PermissionSchema):
    service = fields.String(dump_only=True, allow_none=True)


class AssignmentSchema(BaseSchema):
    id = read_only_id()
    user_id = read_only_id()
    role_id = read_only_id()
    created_at = Timestamp(allow_none=True)
    role = fields.Nested(RoleOfUserSchema)


class AssignmentsSchema(BaseSchema):
    roles = fields.List(fields.Nested(AssignmentSchema))


class PoliciesSchema(BaseSchema):
    policies = fields.List(fields.Nested(PolicyOfUserSchema))


class PermissionsSchema(BaseSchema):
    permissions = fields.List(fields.Nested(PermissionOfUserSchema))


class AssignableRoleSchema(BaseSchema):
    id = read_only_id()
    name = fields.String()
    code = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    permissions = fields.List(fields.String())


class AssignableRolesSchema(BaseSchema):
    roles = fields.List(fields.Nested(AssignableRoleSchema))


class NewAssignmentSchema(BaseSchema):
    role_id = Ref(Role, required=True)


class LegacyAssignmentSchema(BaseSchema):
    """The body of older clients."""

    role = Ref(Role, required=True)
