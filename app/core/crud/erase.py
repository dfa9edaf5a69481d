"""Deleting rows together with what depends on them, by the foreign keys. A concurrent insert leads to a 409."""

from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.base.clock import utcnow
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


def erase_tenant() -> None:
    """Delete every row of the bound tenant, the company itself last, and queue the removal of its files."""
    company_id = current_tenant()
    discard()
    for table in reversed(Model.metadata.sorted_tables):
        column = table.c.get("company_id")
        if column is None and table.name in PLATFORM_TABLES:
            column = table.c.id
        if column is not None:
            statement = delete(table).where(column == company_id)
            db.session.execute(statement.execution_options(unguarded="the whole of one tenant goes"))
