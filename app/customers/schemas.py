"""Customers on the wire."""

from app.core.schema import Email, Flag, OwnedSchema, of, read_only_id
from app.customers.models import Customer


class CustomerSchema(OwnedSchema):
    name = of(Customer.name, required=True)
    email = of(Customer.email, Email)
    contact_person = of(Customer.contact_person)
    phone_number = of(Customer.phone_number)
    address = of(Customer.address)
    logo_file_id = read_only_id(allow_none=True)
    has_logo = Flag(dump_only=True)
