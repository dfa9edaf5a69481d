"""/organization_units, and the views of the tree."""

from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import aliased

from app.core.crud.crud import Crud
from app.core.crud.expand import Expansion
from app.core.db.lookup import Parent, get_row
from app.core.db.models import db
from app.core.web.body import answer
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.wire.schema import QueryFlag
from app.organization_units.models import OrganizationUnit
from app.organization_units.schemas import AncestorsSchema, DeletedSubtreeSchema, OrganizationUnitSchema, TreeSchema
from app.organization_units.service import count_subtree, create_unit, delete_unit, move_unit

SUMMARY = ("id", "name", "description", "parent_id", "path", "level")
SUMMARY_OF_POSITION = ("id", "title", "description", "level")


class OrganizationUnits(Crud):
    """Units of the company's organization."""

    model, schema, path = OrganizationUnit, OrganizationUnitSchema, "/organization_units"
    permission = "organization_unit"
    filters = ("name", "parent_id", "level")
    sort = ("created_at", "updated_at", "name", "level")
    expand = {
        "parent": Expansion(OrganizationUnit, SUMMARY, "organization_unit", by="parent_id"),
        "children": Expansion(OrganizationUnit, SUMMARY, "organization_unit", foreign="parent_id"),
        "positions": Expansion("Position", SUMMARY_OF_POSITION, "position", foreign="organization_unit_id"),
    }
    parameters = {"DELETE": {"dry_run": QueryFlag()}}
    removal_preview = DeletedSubtreeSchema()

    def create(self, values: dict[str, Any]) -> OrganizationUnit:
        return create_unit(values)

    def change(self, row: OrganizationUnit, values: dict[str, Any]) -> None:
        parent_id = values.pop("parent_id", row.parent_id)
        if parent_id == row.parent_id:
            super().change(row, values)
        else:
            move_unit(row, parent_id, values)

    def remove(self, row: OrganizationUnit) -> Response | None:
        if self.params.get("dry_run"):
            return answer(count_subtree(row))
        delete_unit(row)
        return None


class Children(Crud):
    """Direct children of a unit."""

    nouns = ("child of a unit", "children of a unit")
    model, schema = OrganizationUnit, OrganizationUnitSchema
    path = "/organization_units/<organization_unit_id>/children"
    permission, canonical_path = "organization_unit", OrganizationUnits.path
    filters, sort, expand = ("name", "level"), OrganizationUnits.sort, OrganizationUnits.expand
    verbs = ("list",)
    parent = Parent(OrganizationUnit, "parent_id")


class Descendants(Crud):
    """The whole subtree of a unit, by path, without the unit itself."""

    nouns = ("descendant of a unit", "descendants of a unit")
    model, schema = OrganizationUnit, OrganizationUnitSchema
    path = "/organization_units/<organization_unit_id>/descendants"
    permission, canonical_path = "organization_unit", OrganizationUnits.path
    filters, expand = ("name", "level", "parent_id"), OrganizationUnits.expand
    sort = ("path", *OrganizationUnits.sort)
    verbs = ("list",)
    parent = Parent(OrganizationUnit, "parent_id")

    def base_filter(self, parent_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
        """A range on the path of the unit, which the same statement reads."""
        top = aliased(OrganizationUnit)
        path = select(top.path).where(top.id == parent_id).scalar_subquery()
        return (and_(OrganizationUnit.path > path + "/", OrganizationUnit.path < path + "0"),)


class Ancestors(Endpoint):
    """List the ancestors of a unit, from the root down."""

    permission, operations = "organization_unit", {"GET": "LIST"}
    path = "/organization_units/<organization_unit_id>/ancestors"

    @declare("listAncestorsOfUnit", answer=AncestorsSchema(), errors=(404,))
    def get(self, organization_unit_id: UUID) -> Response:
        ancestors = OrganizationUnit.id.in_(get_row(OrganizationUnit, organization_unit_id).ancestor_ids)
        columns = OrganizationUnits.columns.values()
        rows = db.session.execute(select(*columns).where(ancestors).order_by(OrganizationUnit.level))
        return answer({"data": [OrganizationUnits.reader.as_item(row) for row in rows]})


class Tree(Endpoint):
    """Get the whole tree of the company, nested. Siblings are in the order of their names."""

    permission, operations, path = "organization_unit", {"GET": "LIST"}, "/organization_units/tree"

    @declare("getUnitTree", answer=TreeSchema())
    def get(self) -> Response:
        statement = select(*OrganizationUnits.columns.values()).order_by(
            OrganizationUnit.level, OrganizationUnit.name_key, OrganizationUnit.id
        )
        roots: list[dict[str, Any]] = []
        nodes: dict[UUID, dict[str, Any]] = {}
        for row in db.session.execute(statement):
            node: dict[str, Any] = OrganizationUnits.reader.as_item(row) | {"children": []}
            nodes[node["id"]] = node
            (nodes[node["parent_id"]]["children"] if node["parent_id"] else roots).append(node)
        return answer({"data": roots})
