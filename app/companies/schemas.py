"""Companies on the wire."""

from marshmallow import fields, validate

from app.companies.models import REGISTRATIONS, STATUSES, Company
from app.core.jobs.mail import BUTTON
from app.core.wire.schema import BaseSchema, CodeRef, Email, Flag, Line, Timestamp, Url, integer, of, read_only_id
from app.document_types.models import DocumentType


class CompanyChangeSchema(BaseSchema):
    id = read_only_id()
    name = of(Company.name, required=True)
    business_name = of(Company.business_name)
    description = of(Company.description)
    website = of(Company.website, Url)
    phone_number = of(Company.phone_number)
    email = of(Company.email, Email)
    address = of(Company.address)
    postal_code = of(Company.postal_code)
    city = of(Company.city)
    country = of(Company.country)
    document_type = CodeRef(DocumentType.code, allow_none=True)
    document_number = of(Company.document_number, validate=[validate.Length(min=1)])
    company_key = of(Company.company_key, validate=[validate.Length(min=1)])
    status = of(Company.status, validate=[validate.OneOf(STATUSES)])
    customer_registration = of(Company.customer_registration, validate=[validate.OneOf(REGISTRATIONS)])
    days_credit = integer(Company.days_credit, validate.Range(min=0))
    logo_file_id = read_only_id(allow_none=True)
    has_logo = Flag(dump_only=True)
    is_platform = Flag(dump_only=True)
    total_users = fields.Integer(dump_only=True)
    total_active_users = fields.Integer(dump_only=True)
    created_at = Timestamp()
    updated_at = Timestamp()


class FirstAdministratorSchema(BaseSchema):
    """Who is invited to administer a new company. The limits are those of a user, which is a later slice."""

    email = Email(required=True, validate=validate.Length(max=254))
    first_name = Line(allow_none=True, validate=validate.Length(max=50))
    last_name = Line(allow_none=True, validate=validate.Length(max=50))
    language = Line(validate=validate.OneOf(tuple(BUTTON)))


class CompanySchema(CompanyChangeSchema):
    admin = fields.Nested(FirstAdministratorSchema, load_only=True)


class HoldingsSchema(BaseSchema):
    """What a company holds, by kind."""

    user = fields.Integer(dump_only=True)
    organization_unit = fields.Integer(dump_only=True)
    position = fields.Integer(dump_only=True)
    customer = fields.Integer(dump_only=True)
    subcontractor = fields.Integer(dump_only=True)
