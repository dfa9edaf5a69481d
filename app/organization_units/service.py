"""Keeping the paths right, whatever happens at the same time.

Moves and deletions lock the company's row, creations share it: creations do not wait for one
another, and no path is read that a move is about to change.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import case, func, literal, select, update
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.base.errors import Conflict, Invalid
from app.companies.service import lock_company, lock_company_shared
from app.core.crud.erase import dependents, erase
from app.core.db.models import db, fold_columns, folded_names
from app.organization_units.models import MAX_LEVEL, OrganizationUnit


def create_unit(values: dict[str, Any]) -> OrganizationUnit:
    """Raises Invalid for an unknown parent or too deep a level."""
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
    """Hang the unit and its subtree below another parent: one UPDATE whatever its size.

    ``values`` are the unit's other changes. They go into that UPDATE, because a new name must be
    free where the unit arrives and nowhere else.
    Raises Invalid for its own descendant, Conflict when a concurrent move got there first.
    """
    parent = find_parent(parent_id)
    _check_not_within(unit, parent)
    seen = _standing(unit, parent)
    _lock_tree(unit)
    parent = find_parent(parent_id)
    if _standing(unit, parent) != seen:
        raise Conflict()
    _rewrite_paths(unit, parent, values)
    db.session.refresh(unit)


def delete_unit(unit: OrganizationUnit) -> None:
    """The unit, its descendants and their positions; the holders of these stay, without position."""
    seen = _standing(unit, None)
    _lock_tree(unit)
    if _standing(unit, None) != seen:
        raise Conflict()
    erase(OrganizationUnit, OrganizationUnit.within(unit.path))
    db.session.expunge(unit)


def count_subtree(unit: OrganizationUnit) -> dict[str, int]:
    """What deleting the unit would remove or change."""
    within = OrganizationUnit.within(unit.path)
    units = db.session.scalar(select(func.count()).select_from(OrganizationUnit).where(within))
    found = dependents(OrganizationUnit, within)
    return {
        "organization_units": units or 0,
        "positions": found["position"],
        "users_without_position": found["user.position_id"],
    }


def find_parent(parent_id: UUID | None) -> OrganizationUnit | None:
    """Raises Invalid for an id that the tenant does not have."""
    if parent_id is None:
        return None
    statement = select(OrganizationUnit).where(OrganizationUnit.id == parent_id)
    parent = db.session.scalar(statement.execution_options(populate_existing=True))
    if parent is None:
        raise Invalid.field("parent_id", "Not found.")
    return parent


def _lock_tree(unit: OrganizationUnit) -> None:
    """Keep other moves and deletions out, and read the unit again. Raises Conflict if it has gone."""
    lock_company()
    statement = select(OrganizationUnit).where(OrganizationUnit.id == unit.id)
    if db.session.scalar(statement.execution_options(populate_existing=True)) is None:
        raise Conflict()


def _check_level(level: int) -> None:
    if level > MAX_LEVEL:
        raise Invalid.field("parent_id", f"The tree may be at most {MAX_LEVEL} levels deep.")


def _check_not_within(unit: OrganizationUnit, parent: OrganizationUnit | None) -> None:
    if parent is not None and f"{parent.path}/".startswith(f"{unit.path}/"):
        raise Invalid.field("parent_id", "A unit cannot be moved below itself.")


def _standing(unit: OrganizationUnit, parent: OrganizationUnit | None) -> tuple[int, str, str]:
    return unit.row_version, unit.path, parent.path if parent else ""


def _rewrite_paths(unit: OrganizationUnit, parent: OrganizationUnit | None, own: dict[str, Any]) -> None:
    within = OrganizationUnit.within(unit.path)
    lowered = (parent.level + 1 if parent else 0) - unit.level
    deepest = db.session.scalar(select(func.max(OrganizationUnit.level)).where(within)) or 0
    _check_level(deepest + lowered)
    kept = func.substr(OrganizationUnit.path, len(unit.path.rpartition("/")[0]) + 1)
    values = {
        "path": literal(parent.path if parent else "") + kept,
        "level": OrganizationUnit.level + lowered,
        **_only_for(unit, own | {"parent_id": parent.id if parent else None}),
        "row_version": OrganizationUnit.row_version + 1,
        "updated_at": utcnow(),
    }
    statement = update(OrganizationUnit).where(within).values(values)
    db.session.execute(statement.execution_options(synchronize_session=False))


def _only_for(unit: OrganizationUnit, values: dict[str, Any]) -> dict[str, Any]:
    """New values of one row in an UPDATE of many."""
    for name, value in values.items():
        setattr(unit, name, value)
    fold_columns(unit)
    changed = (*values, *folded_names(OrganizationUnit))
    is_it = OrganizationUnit.id == unit.id
    return {name: case((is_it, getattr(unit, name)), else_=getattr(OrganizationUnit, name)) for name in changed}
