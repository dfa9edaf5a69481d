"""The system endpoints on the wire."""

from __future__ import annotations

from marshmallow import fields

from app.companies.schemas import CompanySchema
from app.core.schema import BaseSchema, Flag, Timestamp
from app.organization_units.schemas import OrganizationUnitSchema
from app.positions.schemas import PositionSchema
from app.users.schemas import UserSchema


class CheckSchema(BaseSchema):
    healthy = Flag()
    message = fields.String()
    response_time_ms = fields.Float()


class HealthSchema(BaseSchema):
    status = fields.String()
    service = fields.String()
    version = fields.String()
    environment = fields.String()
    timestamp = Timestamp()
    checks = fields.Dict(keys=fields.String(), values=fields.Nested(CheckSchema))


class StatusSchema(BaseSchema):
    status = fields.String()


class VersionSchema(BaseSchema):
    version = fields.String()


class ConfigSchema(BaseSchema):
    env = fields.String()
    debug = Flag()
    version = fields.String()
    features = fields.Dict(keys=fields.String(), values=Flag())
    password_policy = fields.Dict(keys=fields.String(), values=fields.Raw())
    max_avatar_size_mb = fields.Integer()
    languages = fields.List(fields.String())
    settings = fields.Dict(keys=fields.String(), values=fields.Raw(), metadata={"optional": True})


class InitializedSchema(BaseSchema):
    initialized = Flag()


class FirstUserSchema(UserSchema):
    """The first administrator has no position to choose from yet."""

    class Meta(UserSchema.Meta):
        exclude = ("position_id",)


class InitSchema(BaseSchema):
    company = fields.Nested(CompanySchema, required=True)
    user = fields.Nested(FirstUserSchema, required=True)


class FoundedSchema(BaseSchema):
    company = fields.Nested(CompanySchema)
    organization_unit = fields.Nested(OrganizationUnitSchema)
    position = fields.Nested(PositionSchema)
    user = fields.Nested(UserSchema)
