"""Reading one model's rows as plain tuples, with statements that are built and compiled once."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Row, Select, bindparam, func, select

from app.core.crud.filters import Listing
from app.core.crud.paging import ListQuery
from app.core.db import counts
from app.core.db.models import Counted, db
from app.core.db.tenancy import TenantQuery
from app.core.db.transaction import read

Json = dict[str, Any]


class Reader:
    """``columns`` maps names on the wire to columns; ``version`` is the row version or None; ``above`` names the
    column that refers to the parent of an item, or is empty."""

    def __init__(self, listing: Listing, columns: Mapping[str, Any], version: Any, above: str = "") -> None:
        self.listing = listing
        self.model = listing.model
        self.columns = columns
        self.names = tuple(columns)
        self._above = above
        self._version = () if version is None else (version,)
        self.counted = issubclass(self.model, Counted)
        self._pages: dict[tuple[str, bool], TenantQuery] = {}

    def as_item(self, row: Sequence[Any]) -> Json:
        """The row's columns come first, in the order of their names."""
        return dict(zip(self.names, row, strict=False))

    @cached_property
    def _item(self) -> TenantQuery:
        conditions = [self.model.id == bindparam("item_id")]
        if self._above:
            conditions.append(getattr(self.model, self._above) == bindparam("above_id"))
        return TenantQuery(
            select(*self.columns.values(), *self._version).where(*conditions).execution_options(single_statement=True)
        )

    def item(self, item_id: UUID, above_id: UUID | None = None) -> Row[Any] | None:
        rows = read(self._item, {"item_id": item_id, "above_id": above_id} if self._above else {"item_id": item_id})
        return rows[0] if rows else None

    def rows(self, query: ListQuery, where: Sequence[ColumnElement[bool]]) -> Sequence[Row[Any]]:
        """Up to one row more than the limit, each with its sort value as ``sort_``."""
        conditions = (*where, *query.after())
        page = TenantQuery(self._page(query).where(*conditions)) if conditions else self._unfiltered(query)
        return read(page, {"limit_": query.limit + 1, "offset_": query.offset})

    def _unfiltered(self, query: ListQuery) -> TenantQuery:
        """The unfiltered list, with the maintained count in ``total_``: one statement."""
        key = (query.sort, query.descending)
        if key not in self._pages:
            total = (counts.total_of(self.model).scalar_subquery().label("total_"),) if self.counted else ()
            page = self._page(query).add_columns(*total).execution_options(single_statement=True)
            self._pages[key] = TenantQuery(page)
        return self._pages[key]

    def _page(self, query: ListQuery) -> Select[Any]:
        sort_value = self.listing.sort_column(query.sort).label("sort_")
        statement = query.ordered(select(*self.columns.values(), sort_value))
        return statement.limit(bindparam("limit_", type_=BigInteger)).offset(bindparam("offset_", type_=BigInteger))

    def total(
        self, rows: Sequence[Row[Any]], where: Sequence[ColumnElement[bool]], members: Select[UUID] | None = None
    ) -> int:
        """The exact number of rows. ``rows`` are the page, which may carry it; ``members`` selects all ids."""
        if rows and hasattr(rows[0], "total_"):
            return int(rows[0].total_ or 0)
        if self.counted and not where:
            return int(db.session.scalar(counts.total_of(self.model)) or 0)
        if members is not None and len(where) == 1:
            return db.session.scalar(select(func.count()).select_from(members.subquery())) or 0
        return db.session.scalar(select(func.count()).select_from(self.model).where(*where)) or 0
