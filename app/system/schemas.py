"""Schemas of the system endpoints."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from marshmallow import INCLUDE, ValidationError, fields, post_load, validate
from sqlalchemy.orm import Session

from app.base.errors import Invalid
from app.companies.models import ACTIVE, Company
from app.companies.schemas import CompanySchema
from app.core.wire.schema import BaseSchema, Flag, Id, Timestamp, column_field
from app.organization_units.schemas import OrganizationUnitSchema
from app.positions.schemas import PositionSchema
from app.users.models import User
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


class IndexSchema(BaseSchema):
    service = fields.String()
    version = fields.String()
    docs = fields.String()
    openapi = fields.String()
    health = fields.String()
    config = fields.String()


class InitializedSchema(BaseSchema):
    initialized = Flag()


class FirstCompanySchema(CompanySchema):
    """The platform company is always active."""

    status = column_field(Company.status, validate=[validate.Equal(ACTIVE)])


class FirstUserSchema(UserSchema):
    """The first administrator is active. No position exists yet."""

    is_active = column_field(User.is_active, Flag, validate=[validate.Equal(True)])

    class Meta(UserSchema.Meta):
        exclude = ("position_id",)


class InitSchema(BaseSchema):
    company = fields.Nested(FirstCompanySchema, required=True)
    user = fields.Nested(FirstUserSchema, required=True)

    def check_refs(self, session: Session, values: Mapping[str, Any]) -> None:
        for name, field in self.fields.items():
            try:
                cast(BaseSchema, cast(fields.Nested, field).schema).check_refs(session, values[name])
            except Invalid as error:
                raise Invalid(errors={name: error.errors}) from None


class FoundedSchema(BaseSchema):
    company = fields.Nested(CompanySchema)
    organization_unit = fields.Nested(OrganizationUnitSchema)
    position = fields.Nested(PositionSchema)
    user = fields.Nested(UserSchema)


class EngineConfigSchema(BaseSchema):
    env = fields.String()
    debug = Flag()
    version = fields.String()
    services = fields.List(fields.String())


class EngineCompanySchema(BaseSchema):
    """Clients send the whole company, which the directory has already."""

    class Meta:
        unknown = INCLUDE

    id = Id()
    company_id = Id()


class EngineUserSchema(BaseSchema):
    """Clients send the whole user, or e-mail address and password, which the service ignores."""

    class Meta:
        unknown = INCLUDE

    id = Id()
    user_id = Id()


class EngineInitSchema(BaseSchema):
    """The ids stand in one place each, or in none: then they are those of the platform company's only user."""

    company_id = Id()
    user_id = Id()
    company = fields.Nested(EngineCompanySchema)
    user = fields.Nested(EngineUserSchema)

    @post_load
    def gather(self, values: dict[str, Any], **_kwargs: Any) -> dict[str, UUID]:
        """Both ids, or neither. Raises ValidationError."""
        if not values:
            return {}
        ids = {name: _ids_in(values, name) for name in ("company_id", "user_id")}
        faults = {name: ["Exactly one value is needed."] for name, found in ids.items() if len(found) != 1}
        if faults:
            raise ValidationError(faults)
        return {name: found.pop() for name, found in ids.items()}


def _ids_in(values: dict[str, Any], name: str) -> set[UUID]:
    nested = values.get(name.removesuffix("_id"), {})
    return {found[key] for found, key in ((values, name), (nested, name), (nested, "id")) if key in found}


class EngineInitializedSchema(BaseSchema):
    initialized = Flag()
    company_id = Id()
    user_id = Id()
