"""Filter, search, sort, page and cursor over a select."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Select, and_, not_, or_, tuple_

from app.base.errors import Invalid
from app.core.crud.filters import MAX_NUMBER, Listing, is_nullable, parse_integer
from app.core.wire.query import Args, parse_boolean, parse_choice, parse_parameters

MAX_LIMIT = 1000


@dataclass(frozen=True)
class CursorPosition:
    """The last row of the previous page: its sort value, its id, and whether it is pinned."""

    value: Any
    row_id: UUID
    is_pinned: bool


@dataclass(frozen=True)
class ListQuery:
    """The validated parameters of one request."""

    listing: Listing
    limit: int
    offset: int
    sort: str
    descending: bool
    conditions: tuple[ColumnElement[bool], ...]
    by_cursor: bool = False
    position: CursorPosition | None = None
    counted: bool = True
    members: Select[UUID] | None = None
    fingerprint: bytes = field(default=b"", repr=False)

    def ordered(self, statement: Select[Any]) -> Select[Any]:
        column, row_id = self.listing.sort_column(self.sort), self.listing.model.id
        first = column.desc() if self.descending else column.asc()
        if is_nullable(column):
            first = first.nulls_last()
        pinned_first = (self._pinned_column.desc(),) if self.listing.model.pinned_first else ()
        return statement.order_by(*pinned_first, first, row_id.desc() if self.descending else row_id.asc())

    @property
    def _pinned_column(self) -> Any:
        return getattr(self.listing.model, self.listing.model.pinned_first)

    def after(self) -> tuple[ColumnElement[bool], ...]:
        """The keyset condition of the cursor."""
        if self.position is None:
            return ()
        beyond = self._beyond(self.position.value, self.position.row_id)
        if not self.listing.model.pinned_first:
            return (beyond,)
        if self.position.is_pinned:
            return (or_(and_(self._pinned_column, beyond), not_(self._pinned_column)),)
        return (not_(self._pinned_column), beyond)

    def _beyond(self, value: Any, last_id: UUID) -> ColumnElement[bool]:
        column, row_id = self.listing.sort_column(self.sort), self.listing.model.id
        if value is None:
            beyond_id = row_id < last_id if self.descending else row_id > last_id
            return and_(column.is_(None), beyond_id)
        keys, last = tuple_(column, row_id), tuple_(value, last_id)
        beyond = keys < last if self.descending else keys > last
        return or_(beyond, column.is_(None)) if is_nullable(column) else beyond

    def total_from(self, rows: Sequence[Any]) -> int | None:
        """The total, where the page alone shows it; ``rows`` may hold one more than the limit."""
        if self.by_cursor or len(rows) > self.limit or (self.offset and not rows):
            return None
        return self.offset + len(rows)

    def pagination(self, rows: Sequence[Any], total: int | None, key: bytes) -> dict[str, Any]:
        has_next = len(rows) > self.limit
        last = rows[self.limit - 1] if has_next else None
        return {
            "page": None if self.by_cursor else self.offset // self.limit + 1,
            "limit": self.limit,
            "total": total,
            "pages": None if self.by_cursor or total is None else -(-total // self.limit),
            "has_next": has_next,
            "has_prev": None if self.by_cursor else self.offset > 0,
            "next_cursor": self._cursor(key, last) if last else None,
        }

    def _cursor(self, key: bytes, last: Any) -> str:
        is_pinned = bool(self.listing.model.pinned_first) and getattr(last, self.listing.model.pinned_first)
        payload = orjson.dumps([last.sort_, last.id, is_pinned])
        return base64.urlsafe_b64encode(_seal(key, self.fingerprint, payload) + payload).rstrip(b"=").decode()


def parse(listing: Listing, args: Args, keys: Sequence[bytes], bound_to: str) -> ListQuery:
    """``args`` maps parameters to values; ``bound_to`` ties cursors to tenant and path. Raises Invalid."""
    values_by_name = parse_parameters(args, listing.parameters, listing.repeated)
    values = {name: texts[0] for name, texts in values_by_name.items()}
    modes = [name for name in ("page", "offset", "cursor") if name in values]
    if len(modes) > 1:
        raise Invalid.field(modes[1], f"Cannot be combined with {modes[0]}.")
    limit = min(_number(values, "limit", listing.limit, 1), MAX_LIMIT)
    offset = _number(values, "offset", 0, 0) if "offset" in values else (_number(values, "page", 1, 1) - 1) * limit
    sort = parse_choice("sort", values.get("sort", listing.sort[0]), listing.sort)
    order = parse_choice("order", values.get("order", "asc"), ("asc", "desc"))
    fingerprint = _fingerprint(values_by_name, sort, order, bound_to)
    by_cursor = "cursor" in values
    counting = values.get("count", "false" if by_cursor else "true")
    return ListQuery(
        listing=listing,
        limit=limit,
        offset=offset,
        sort=sort,
        descending=order == "desc",
        conditions=listing.conditions(values_by_name),
        by_cursor=by_cursor,
        position=_position(listing, sort, values["cursor"], keys, fingerprint) if values.get("cursor") else None,
        counted=parse_boolean("count", counting),
        members=listing.sole_members(values_by_name),
        fingerprint=fingerprint,
    )


def _number(values: Mapping[str, str], name: str, default: int, least: int) -> int:
    refusal = f"Must be a whole number from {least} to {MAX_NUMBER}."
    return parse_integer(name, values.get(name, str(default)), least, refusal)


def parse_choices(name: str, text: str, allowed: Sequence[str]) -> list[str]:
    """The parts of a comma-separated parameter, each once. Raises Invalid."""
    parts = dict.fromkeys(part.strip() for part in text.split(",") if part.strip())
    return [parse_choice(name, part, allowed) for part in parts]


def _fingerprint(values_by_name: Args, sort: str, order: str, bound_to: str) -> bytes:
    free = ("page", "offset", "cursor", "limit", "count", "expand", "sort", "order")
    bound = sorted((name, *texts) for name, texts in values_by_name.items() if name not in free)
    return hashlib.sha256(orjson.dumps([bound_to, sort, order, bound])).digest()


def _seal(key: bytes, fingerprint: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, fingerprint + payload, "sha256")[:16]


def _position(listing: Listing, sort: str, cursor: str, keys: Sequence[bytes], fingerprint: bytes) -> CursorPosition:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    seal, payload = raw[:16], raw[16:]
    if not any(hmac.compare_digest(seal, _seal(key, fingerprint, payload)) for key in keys):
        raise Invalid.field("cursor", "Not a cursor of this list with these filters and this order.")
    # A cursor of an earlier release lacks the flag: no row was pinned then.
    value, row_id, *pinned = orjson.loads(payload)
    kind = listing.sort_column(sort).type.python_type
    is_time = value is not None and kind in (date, datetime)
    return CursorPosition(kind.fromisoformat(value) if is_time else value, UUID(row_id), any(pinned))
