"""Deleting rows together with what depends on them, by the foreign keys. A concurrent insert leads to a 409."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, exists, func, literal, select, tuple_, union_all, update
from sqlalchemy.orm import InstrumentedAttribute

from app.base.clock import utcnow
from app.core.db.counts import RowCount
from app.core.db.models import Model, Timestamped, Versioned, db, referrers
from app.core.db.tenancy import PLATFORM_TABLES, current_tenant
from app.core.files.stored_file import FileRecord, StoredFile, discard

Condition = ColumnElement[bool]


def erase(model: type[Any], condition: Condition) -> None:
    """Delete the tenant's rows of ``model`` that meet ``condition``, and their dependents."""
    release(model, condition)
    db.session.execute(delete(model).where(condition, _own(model)).execution_options(synchronize_session=False))


def release(model: type[Any], condition: Condition) -> None:
    """Clear or delete all references to those rows, and queue the removal of their files."""
    bucket = getattr(model, "bucket", None)
    if bucket is not None:
        discard(StoredFile.bucket_type == bucket, StoredFile.bucket_id.in_(select(model.id).where(condition)))
    if issubclass(model, FileRecord):
        discard(StoredFile.id.in_(select(model.file_id).where(condition)))
    for referrer, column in referrers(model):
        refers = column.in_(select(model.id).where(condition))
        if column.property.columns[0].nullable:
            _clear(referrer, column, refers)
        else:
            erase(referrer, refers)


def dependents(model: type[Any], condition: Condition) -> dict[str, int]:
    """The numbers of rows that ``release`` would delete, by table, and clear, by ``table.column``."""
    numbers: dict[str, int] = {}
    for referrer, column in referrers(model):
        refers = column.in_(select(model.id).where(condition))
        is_cleared = column.property.columns[0].nullable
        name = f"{referrer.__tablename__}.{column.key}" if is_cleared else referrer.__tablename__
        numbers[name] = db.session.scalar(select(func.count()).select_from(referrer).where(refers, _own(referrer))) or 0
        if not is_cleared:
            numbers.update(dependents(referrer, refers))
    return numbers


def _own(model: type[Any]) -> Condition:
    """The tenant's own rows, also of global tables with a company_id, which the session's guard does not narrow."""
    return model.company_id == current_tenant()  # type: ignore[no-any-return]


def _clear(referrer: type[Any], column: InstrumentedAttribute[Any], refers: Condition) -> None:
    values: dict[str, Any] = {column.key: None}
    if issubclass(referrer, Versioned):
        values["row_version"] = referrer.row_version + 1
    if issubclass(referrer, Timestamped):
        values["updated_at"] = utcnow()
    statement = update(referrer).where(refers, _own(referrer)).values(values)
    db.session.execute(statement.execution_options(synchronize_session=False))


def erase_tenant(token: str = "") -> None:
    """Delete every row of the bound tenant, the company itself last, and queue the removal of its files."""
    discard(token=token)
    for table, is_own in _tenant_tables():
        db.session.execute(delete(table).where(is_own).execution_options(**WHOLE))


def erase_rows(limit: int, token: str = "") -> int:
    """Delete up to ``limit`` rows of the bound tenant, dependents first, and queue the removal of their files.

    Returns their number. 0: only the company is left, or rows that refer to each other in a circle.
    """
    files = db.session.scalars(select(StoredFile.id).limit(limit)).all()
    if files:
        discard(StoredFile.id.in_(files), token=token)
        return len(files)
    for table, is_own in _tenant_tables():
        if table.name not in PLATFORM_TABLES:
            key = tuple_(*table.primary_key)
            leaves = select(*table.primary_key).where(is_own, *_is_leaf(table)).limit(limit)
            if rows := [tuple(row) for row in db.session.execute(leaves.execution_options(**WHOLE))]:
                db.session.execute(delete(table).where(is_own, key.in_(rows)).execution_options(**WHOLE))
                return len(rows)
    return 0


def holds_more_than(limit: int) -> bool:
    """Whether the bound tenant has more rows than that, the company and the counters aside."""
    rows = [
        select(literal(1)).where(is_own).select_from(table)
        for table, is_own in _tenant_tables()
        if table is not RowCount.__table__ and table.name not in PLATFORM_TABLES
    ]
    some = union_all(*rows).limit(limit + 1).subquery()
    return (db.session.scalar(select(func.count()).select_from(some), execution_options=WHOLE) or 0) > limit


WHOLE = {"unguarded": "the whole of one tenant, narrowed by itself"}


def _tenant_tables() -> Iterator[tuple[Table, Condition]]:
    """The tables with rows of tenants, dependents first, and the condition of the bound tenant's rows."""
    company_id = current_tenant()
    for table in reversed(Model.metadata.sorted_tables):
        column = table.c.id if table.name in PLATFORM_TABLES else table.c.get("company_id")
        if column is not None:
            yield table, column == company_id


def _is_leaf(table: Table) -> Iterator[Condition]:
    """Conditions of the rows that no other row of their own table refers to."""
    for constraint in table.foreign_key_constraints:
        if constraint.referred_table is table:
            child = table.alias()
            refers = [child.c[key.parent.name] == key.column for key in constraint.elements]
            yield ~exists().where(*refers)
