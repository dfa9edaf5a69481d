"""Companies on the wire."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates

from app.companies.models import DELETING, REGISTRATIONS, STATUSES, Company
from app.core.db.counts import counted_tables
from app.core.jobs.mail import BUTTON
from app.core.wire.schema import (
    BaseSchema,
    CodeRef,
    Email,
    Flag,
    Text,
    Timestamp,
    Url,
    column_field,
    integer,
    read_only_id,
)
from app.document_types.models import DocumentType


class CompanySchema(BaseSchema):
    example = {"name": "Harbor Foods", "city": "Brackwater", "website": "https://harbor.example"}
    id = read_only_id()
    name = column_field(Company.name, required=True)
    business_name = column_field(Company.business_name)
    description = column_field(Company.description)
    website = column_field(Company.website, Url)
    phone_number = column_field(Company.phone_number)
    email = column_field(Company.email, Email)
    address = column_field(Company.address)
    postal_code = column_field(Company.postal_code)
    city = column_field(Company.city)
    country = column_field(Company.country)
    document_type = CodeRef(DocumentType.code, allow_none=True)
    document_number = column_field(Company.document_number, validate=[validate.Length(min=1)])
    company_key = column_field(Company.company_key, validate=[validate.Length(min=1)])
    status = column_field(Company.status, validate=[validate.OneOf(STATUSES)])
    customer_registration = column_field(Company.customer_registration, validate=[validate.OneOf(REGISTRATIONS)])
    days_credit = integer(Company.days_credit, validate.Range(min=0))
    logo_file_id = read_only_id(allow_none=True)
    has_logo = Flag(dump_only=True)
    is_platform = Flag(dump_only=True)
    total_users = fields.Integer(dump_only=True)
    total_active_users = fields.Integer(dump_only=True)
    created_at = Timestamp()
    updated_at = Timestamp()

    @validates("status")
    def check_status(self, value: str, **_options: Any) -> None:
        if value == DELETING:
            raise ValidationError("Only a deletion sets it.")


class FirstAdministratorSchema(BaseSchema):
    """The administrator to invite to a new company. The limits repeat those of users, a later slice."""

    email = Email(required=True, validate=validate.Length(max=254))
    first_name = Text(allow_none=True, validate=validate.Length(max=50))
    last_name = Text(allow_none=True, validate=validate.Length(max=50))
    language = Text(validate=validate.OneOf(tuple(BUTTON)))


class CompanyCreationSchema(CompanySchema):
    admin = fields.Nested(FirstAdministratorSchema, load_only=True)


def holdings_schema() -> BaseSchema:
    """The numbers of rows of a company: one field for each counted table of the imported slices."""
    counts: dict[str, fields.Field[Any]] = {name: fields.Integer(dump_only=True) for name in counted_tables()}
    schema: BaseSchema = type("HoldingsSchema", (BaseSchema,), {"__module__": __name__, **counts})()
    return schema
