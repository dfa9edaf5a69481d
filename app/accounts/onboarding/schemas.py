"""Sign-up on the wire."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.companies.models import Company
from app.core.wire.schema import BaseSchema, Email, Id, column_field
from app.users.models import LANGUAGES, User
from app.users.schemas import Password


class NewCompanySchema(BaseSchema):
    name = column_field(Company.name, required=True)


class RegisterSchema(BaseSchema):
    """Either a new company or the id of one that takes customers."""

    example = {
        "email": "founder@harbor.example",
        "password1": "lantern-otter-42",
        "password2": "lantern-otter-42",
        "company": {"name": "Harbor Foods"},
    }
    email = column_field(User.email, Email, required=True)
    first_name = column_field(User.first_name)
    last_name = column_field(User.last_name)
    phone_number = column_field(User.phone_number)
    language = column_field(User.language, validate=[validate.OneOf(LANGUAGES)])
    password1 = Password(required=True)
    password2 = Password(required=True)
    company = fields.Nested(NewCompanySchema, load_only=True)
    company_id = Id(load_only=True)

    @validates_schema
    def _one_company(self, values: dict[str, Any], **_kwargs: Any) -> None:
        if ("company" in values) == ("company_id" in values):
            raise ValidationError({"company": ["Give either company or company_id."]})
