"""Positions on the wire."""

from app.core.wire.schema import OwnedSchema, Ref, integer, of
from app.organization_units.models import OrganizationUnit
from app.positions.models import Position


class PositionSchema(OwnedSchema):
    title = of(Position.title, required=True)
    description = of(Position.description)
    organization_unit_id = Ref(OrganizationUnit, required=True)
    level = integer(Position.level)
