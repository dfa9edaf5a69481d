"""Changes of the tree that keep paths right: moves and deletions lock the company's row, creations share it."""

from typing import Any
from uuid import UUID

from sqlalchemy import case, func, literal, select, update
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.base.errors import Conflict, Invalid
from app.companies.service import lock_company, lock_company_shared
from app.core.crud.erase import dependents, erase
from app.core.db.lookup import reload
from app.core.db.models import db, fold_columns, folded_names
from app.core.db.transaction import execute_and_count
from app.organization_units.models import MAX_LEVEL, OrganizationUnit


def create_unit(values: dict[str, Any]) -> OrganizationUnit:
    """Raises Invalid for an unknown parent, or a level that is too deep."""
    lock_company_shared()
    parent = find_parent(values.get("parent_id"))
    unit_id = uuid7()
    level = parent.level + 1 if parent else 0
    _check_level(level)
    unit = OrganizationUnit(**values, id=unit_id, path=f"{parent.path if parent else ''}/{unit_id}", level=level)
    db.session.add(unit)
    db.session.flush()
    return unit


def move_unit(unit: OrganizationUnit, parent_id: UUID | None, values: dict[str, Any]) -> None:
    """Move the unit with its subtree below another parent, in one UPDATE.

    ``values`` are other changes of the unit, in the same UPDATE: a new name need only be free below the new parent.
    Raises Invalid for its own descendant, Conflict after a concurrent move.
    """
    parent = find_parent(parent_id)
    if parent is not None and f"{parent.path}/".startswith(f"{unit.path}/"):
        raise Invalid.field("parent_id", "A unit cannot be moved below itself.")
    snapshot = _snapshot(unit, parent)
    _lock_tree(unit)
    parent = find_parent(parent_id)
    if _snapshot(unit, parent) != snapshot:
        raise Conflict()
    _rewrite_paths(unit, parent, values)
    db.session.refresh(unit)


def delete_unit(unit: OrganizationUnit) -> None:
    """Delete the unit, its descendants and their positions. Users who hold one of these stay, without position."""
    snapshot = _snapshot(unit, None)
    _lock_tree(unit)
    if _snapshot(unit, None) != snapshot:
        raise Conflict()
    erase(OrganizationUnit, OrganizationUnit.within(unit.path))
    db.session.expunge(unit)


def count_subtree(unit: OrganizationUnit) -> dict[str, int]:
    """The numbers of rows that a deletion of the unit would remove or change."""
    within = OrganizationUnit.within(unit.path)
    units = db.session.scalar(select(func.count()).select_from(OrganizationUnit).where(within))
    rows = dependents(OrganizationUnit, within)
    return {
        "organization_units": units or 0,
        "positions": rows["position"],
        "users_without_position": rows["user.position_id"],
    }


def find_parent(parent_id: UUID | None) -> OrganizationUnit | None:
    """Raises Invalid for an unknown id."""
    if parent_id is None:
        return None
    parent: OrganizationUnit | None = reload(OrganizationUnit, parent_id)
    if parent is None:
        raise Invalid.field("parent_id", "Not found.")
    return parent


def _lock_tree(unit: OrganizationUnit) -> None:
    """Exclude other moves and deletions, and read the unit again. Raises Conflict if it was deleted."""
    lock_company()
    if reload(OrganizationUnit, unit.id) is None:
        raise Conflict()


def _check_level(level: int) -> None:
    if level > MAX_LEVEL:
        raise Invalid.field("parent_id", f"The tree may be at most {MAX_LEVEL} levels deep.")


def _snapshot(unit: OrganizationUnit, parent: OrganizationUnit | None) -> tuple[int, str, str]:
    return unit.row_version, unit.path, parent.path if parent else ""


def _rewrite_paths(unit: OrganizationUnit, parent: OrganizationUnit | None, changes: dict[str, Any]) -> None:
    within = OrganizationUnit.within(unit.path)
    level_change = (parent.level + 1 if parent else 0) - unit.level
    deepest = db.session.scalar(select(func.max(OrganizationUnit.level)).where(within)) or 0
    _check_level(deepest + level_change)
    subpath = func.substr(OrganizationUnit.path, len(unit.path.rpartition("/")[0]) + 1)
    values = {
        "path": literal(parent.path if parent else "") + subpath,
        "level": OrganizationUnit.level + level_change,
        **_only_for(unit, changes | {"parent_id": parent.id if parent else None}),
        "row_version": OrganizationUnit.row_version + 1,
        "updated_at": utcnow(),
    }
    execute_and_count(update(OrganizationUnit).where(within).values(values))


def _only_for(unit: OrganizationUnit, values: dict[str, Any]) -> dict[str, Any]:
    """New values for one row in an UPDATE of several rows."""
    for name, value in values.items():
        setattr(unit, name, value)
    fold_columns(unit)
    changed = (*values, *folded_names(OrganizationUnit))
    is_unit = OrganizationUnit.id == unit.id
    return {name: case((is_unit, getattr(unit, name)), else_=getattr(OrganizationUnit, name)) for name in changed}
