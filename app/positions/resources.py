"""/positions, and the positions of one unit."""

from app.core.crud.crud import Crud
from app.core.crud.expand import Expansion
from app.core.db.lookup import Parent
from app.organization_units.models import OrganizationUnit
from app.organization_units.resources import SUMMARY
from app.positions.models import Position
from app.positions.schemas import PositionSchema


class Positions(Crud):
    """Positions of the company."""

    model, schema, path, permission = Position, PositionSchema, "/positions", "position"
    filters = ("title", "organization_unit_id", "level")
    sort = ("created_at", "updated_at", "title", "level")
    expand = {
        "organization_unit": Expansion(OrganizationUnit, SUMMARY, "organization_unit", by="organization_unit_id"),
        "users": Expansion(
            "User", ("id", "email", "first_name", "last_name", "is_active"), "user", foreign="position_id"
        ),
    }


class PositionsOfUnit(Crud):
    """Positions of one organization unit."""

    nouns = ("position of a unit", "positions of a unit")
    model, schema, path = Position, PositionSchema, "/organization_units/<organization_unit_id>/positions"
    permission, canonical_path = "position", Positions.path
    filters, sort, expand = ("title", "level"), Positions.sort, Positions.expand
    verbs = ("list", "create")
    parent = Parent(OrganizationUnit, "organization_unit_id")
