"""Gadgets on the wire."""

from app.core.wire.schema import OwnedSchema, Ref, column_field
from app.subcontractors.models import Subcontractor
from tests.support.gadgets.models import Gadget


class GadgetSchema(OwnedSchema):
    name = column_field(Gadget.name, required=True)
    subcontractor_id = Ref(Subcontractor, allow_none=True)
