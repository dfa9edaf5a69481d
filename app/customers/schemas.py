"""Customers on the wire."""

from marshmallow import fields, validate

from app.core.wire.schema import CodeRef, Email, Flag, Line, OwnedSchema, Ref, Timestamp, of, read_only_id
from app.customers.countries import Country
from app.customers.models import KINDS, Customer
from app.document_types.models import DocumentType
from app.users.models import User

CONTACT_METHODS = ("email", "phone", "sms", "post")
MAX_NOTIFICATIONS, MAX_NOTIFICATION_NAME = 50, 100


class NotificationPreferences(fields.Dict):
    """Names and whether they are wanted."""

    def __init__(self) -> None:
        names = Line(required=True, validate=validate.Length(min=1, max=MAX_NOTIFICATION_NAME))
        super().__init__(keys=names, values=Flag(), validate=validate.Length(max=MAX_NOTIFICATIONS))


class CustomerSchema(OwnedSchema):
    name = of(Customer.name, required=True)
    email = of(Customer.email, Email)
    contact_person = of(Customer.contact_person)
    phone_number = of(Customer.phone_number)
    address = of(Customer.address)
    kind = of(Customer.kind, validate=[validate.OneOf(KINDS)])
    user_id = Ref(User, allow_none=True)
    street_address = of(Customer.street_address)
    city = of(Customer.city)
    state = of(Customer.state)
    postal_code = of(Customer.postal_code)
    country = Country(allow_none=True)
    company_name = of(Customer.company_name)
    business_type = of(Customer.business_type)
    tax_id = of(Customer.tax_id)
    document_type = CodeRef(DocumentType.code, allow_none=True)
    document_number = of(Customer.document_number)
    emergency_contact_name = of(Customer.emergency_contact_name)
    emergency_contact_phone = of(Customer.emergency_contact_phone)
    emergency_contact_relationship = of(Customer.emergency_contact_relationship)
    preferred_contact_method = of(Customer.preferred_contact_method, validate=[validate.OneOf(CONTACT_METHODS)])
    notification_preferences = NotificationPreferences()
    customer_since = fields.Date(allow_none=True)
    subscription_state = Line(dump_only=True)
    is_verified = Flag(dump_only=True)
    email_verified_at = Timestamp(allow_none=True)
    total_services = fields.Integer(dump_only=True)
    last_service_date = fields.Date(dump_only=True, allow_none=True)
    logo_file_id = read_only_id(allow_none=True)
    has_logo = Flag(dump_only=True)
