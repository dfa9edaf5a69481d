"""Subcontractors on the wire."""

from app.core.wire.schema import Email, Flag, OwnedSchema, column_field, read_only_id
from app.subcontractors.models import Subcontractor


class SubcontractorSchema(OwnedSchema):
    example = {"name": "Northern Cranes", "email": "office@cranes.example"}
    name = column_field(Subcontractor.name, required=True)
    description = column_field(Subcontractor.description)
    email = column_field(Subcontractor.email, Email)
    contact_person = column_field(Subcontractor.contact_person)
    phone_number = column_field(Subcontractor.phone_number)
    address = column_field(Subcontractor.address)
    logo_file_id = read_only_id(allow_none=True)
    has_logo = Flag(dump_only=True)
