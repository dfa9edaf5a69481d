"""Exact row counts, at the same cost for any size: triggers (``migrations/ddl.py``) insert deltas, readers sum them."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, Integer, Select, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.db.models import Counted, Model
from app.core.db.tenancy import TenantScoped


def counted_tables() -> list[str]:
    models: Iterable[Any] = (mapper.class_ for mapper in Model.registry.mappers)
    return sorted(model.__tablename__ for model in models if issubclass(model, Counted))


class RowCount(TenantScoped, Model):
    """Sum ``delta`` per ``counted``: a table's name, ``user.active``, or ``<table>.size`` in bytes."""

    __tablename__ = "row_count"
    __table_args__ = (Index("ix_row_count_company_id_counted", "company_id", "counted"),)

    # No foreign key: deltas come from triggers on rows that have one.
    company_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), Identity(), primary_key=True)
    counted: Mapped[str] = mapped_column(String(40))
    delta: Mapped[int] = mapped_column(BigInteger)


def total_of(model: type[Any]) -> Select[int]:
    """The tenant's number of rows; null for none."""
    return select(func.sum(RowCount.delta)).where(RowCount.counted == model.__tablename__)


def totals_of(session: Session, counted: Sequence[str]) -> dict[str, int]:
    statement = (
        select(RowCount.counted, func.sum(RowCount.delta))
        .where(RowCount.counted.in_(counted))
        .group_by(RowCount.counted)
    )
    totals = {name: int(total) for name, total in session.execute(statement)}
    return {name: totals.get(name, 0) for name in counted}
