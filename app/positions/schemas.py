"""Positions on the wire."""

from app.core.wire.schema import OwnedSchema, Ref, column_field, integer
from app.organization_units.models import OrganizationUnit
from app.positions.models import Position


class PositionSchema(OwnedSchema):
    example = {"title": "Night Dispatcher", "level": 2}
    title = column_field(Position.title, required=True)
    description = column_field(Position.description)
    organization_unit_id = Ref(OrganizationUnit, required=True)
    level = integer(Position.level)
