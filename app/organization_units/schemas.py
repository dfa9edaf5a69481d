"""Organization units on the wire."""

from marshmallow import fields

from app.core.wire.schema import BaseSchema, Id, OwnedSchema, column_field
from app.organization_units.models import OrganizationUnit


class OrganizationUnitSchema(OwnedSchema):
    example = {"name": "Cold Storage", "description": "Goods below 5 °C."}
    name = column_field(OrganizationUnit.name, required=True)
    description = column_field(OrganizationUnit.description)
    # Not a Ref: the service reads the parent under the tree's lock.
    parent_id = Id(allow_none=True)
    path = fields.String(dump_only=True)
    level = fields.Integer(dump_only=True)


class DeletedSubtreeSchema(BaseSchema):
    """The effects of a DELETE."""

    organization_units = fields.Integer(dump_only=True)
    positions = fields.Integer(dump_only=True)
    users_without_position = fields.Integer(dump_only=True)


class AncestorsSchema(BaseSchema):
    data = fields.List(fields.Nested(OrganizationUnitSchema))


class UnitNodeSchema(OrganizationUnitSchema):
    children = fields.List(fields.Nested(lambda: UnitNodeSchema()))


class TreeSchema(BaseSchema):
    data = fields.List(fields.Nested(UnitNodeSchema))
