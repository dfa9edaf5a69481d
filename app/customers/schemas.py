"""Schemas of customers."""

from marshmallow import fields, validate

from app.core.wire.containers import Map
from app.core.wire.schema import CodeRef, Email, Flag, OwnedSchema, Ref, Text, Timestamp, column_field, read_only_id
from app.customers.countries import Country
from app.customers.models import CUSTOMER_KINDS, STATES, Customer
from app.document_types.models import DocumentType
from app.users.models import User

CONTACT_METHODS = ("email", "phone", "sms", "post")
MAX_NOTIFICATIONS, MAX_NOTIFICATION_NAME = 50, 100


class CustomerSchema(OwnedSchema):
    example = {"name": "Brightwater Bakery", "kind": "business", "city": "Brackwater", "country": "US"}
    name = column_field(Customer.name, required=True)
    email = column_field(Customer.email, Email)
    contact_person = column_field(Customer.contact_person)
    phone_number = column_field(Customer.phone_number)
    address = column_field(Customer.address)
    kind = column_field(Customer.kind, validate=[validate.OneOf(CUSTOMER_KINDS)])
    user_id = Ref(User, allow_none=True)
    street_address = column_field(Customer.street_address)
    city = column_field(Customer.city)
    state = column_field(Customer.state)
    postal_code = column_field(Customer.postal_code)
    country = Country(allow_none=True)
    company_name = column_field(Customer.company_name)
    business_type = column_field(Customer.business_type)
    tax_id = column_field(Customer.tax_id)
    document_type = CodeRef(DocumentType.code, allow_none=True)
    document_number = column_field(Customer.document_number)
    emergency_contact_name = column_field(Customer.emergency_contact_name)
    emergency_contact_phone = column_field(Customer.emergency_contact_phone)
    emergency_contact_relationship = column_field(Customer.emergency_contact_relationship)
    preferred_contact_method = column_field(
        Customer.preferred_contact_method, validate=[validate.OneOf(CONTACT_METHODS)]
    )
    notification_preferences = Map(
        keys=Text(required=True, validate=validate.Length(min=1, max=MAX_NOTIFICATION_NAME)),
        values=Flag(),
        validate=validate.Length(max=MAX_NOTIFICATIONS),
    )
    customer_since = fields.Date(allow_none=True)
    subscription_state = Text(dump_only=True, validate=validate.OneOf(STATES))
    is_verified = Flag(dump_only=True)
    email_verified_at = Timestamp(allow_none=True)
    total_services = fields.Integer(dump_only=True)
    last_service_date = fields.Date(dump_only=True, allow_none=True)
    logo_file_id = read_only_id(allow_none=True)
    has_logo = Flag(dump_only=True)
