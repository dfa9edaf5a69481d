"""Subcontractors on the wire."""

from app.core.wire.schema import Email, Flag, OwnedSchema, of, read_only_id
from app.subcontractors.models import Subcontractor


class SubcontractorSchema(OwnedSchema):
    name = of(Subcontractor.name, required=True)
    description = of(Subcontractor.description)
    email = of(Subcontractor.email, Email)
    contact_person = of(Subcontractor.contact_person)
    phone_number = of(Subcontractor.phone_number)
    address = of(Subcontractor.address)
    logo_file_id = read_only_id(allow_none=True)
    has_logo = Flag(dump_only=True)
