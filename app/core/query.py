"""Filter, search, sort, page and cursor over a select."""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Boolean, ColumnElement, DateTime, Integer, Select, String, Uuid, and_, false, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import fold
from app.core.errors import Invalid
from app.core.schema import CANONICAL_UUID, CONTROL, normalized_email

DEFAULT_LIMIT, MAX_LIMIT = 50, 1000
MAX_NUMBER = 2**31 - 1
MAX_IDS = 200
MAX_SEARCH = 1000
CACHE_BUSTERS = frozenset({"t", "_"})
PAGING = ("page", "limit", "offset", "cursor", "count", "sort", "order")


@dataclass(frozen=True)
class Listing:
    """What a list endpoint declares; the parameters it accepts follow from it."""

    model: type[Any]
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ("created_at",)
    expand: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT

    @property
    def searches(self) -> bool:
        return hasattr(self.model, "search_text")

    @property
    def parameters(self) -> tuple[str, ...]:
        search = ("search",) if self.searches else ()
        expand = ("expand",) if self.expand else ()
        return (*PAGING, *search, "id__in", *self.filters, *expand)

    def sort_column(self, name: str) -> InstrumentedAttribute[Any]:
        """Text is sorted by its stored folded form."""
        folded = getattr(self.model, f"{name}_key", None)
        found: InstrumentedAttribute[Any] = folded if folded is not None else getattr(self.model, name)
        return found


@dataclass(frozen=True)
class ListQuery:
    """One request's wishes, validated."""

    listing: Listing
    limit: int
    offset: int
    sort: str
    descending: bool
    conditions: tuple[ColumnElement[bool], ...]
    by_cursor: bool = False
    position: tuple[Any, UUID] | None = None
    counted: bool = True
    fingerprint: bytes = field(default=b"", repr=False)

    @property
    def page(self) -> int:
        return self.offset // self.limit + 1

    def ordered(self, statement: Select[Any]) -> Select[Any]:
        column, row_id = self.listing.sort_column(self.sort), self.listing.model.id
        first = column.desc() if self.descending else column.asc()
        if _is_nullable(column):
            first = first.nulls_last()
        return statement.order_by(first, row_id.desc() if self.descending else row_id.asc())

    def after(self) -> tuple[ColumnElement[bool], ...]:
        """The keyset condition of the cursor."""
        if self.position is None:
            return ()
        value, last_id = self.position
        column, row_id = self.listing.sort_column(self.sort), self.listing.model.id
        if value is None:
            beyond_id = row_id < last_id if self.descending else row_id > last_id
            return (and_(column.is_(None), beyond_id),)
        keys, last = tuple_(column, row_id), tuple_(value, last_id)
        beyond = keys < last if self.descending else keys > last
        return (or_(beyond, column.is_(None)) if _is_nullable(column) else beyond,)

    def total_from(self, rows: Sequence[Any]) -> int | None:
        """What a page that is not full tells by itself; ``rows`` may hold one more than the limit."""
        if self.by_cursor or len(rows) > self.limit or (self.offset and not rows):
            return None
        return self.offset + len(rows)

    def pagination(self, rows: Sequence[Any], total: int | None, key: bytes) -> dict[str, Any]:
        """The ``pagination`` member of a list's answer."""
        has_next = len(rows) > self.limit
        last = rows[self.limit - 1] if has_next else None
        return {
            "page": None if self.by_cursor else self.page,
            "limit": self.limit,
            "total": total,
            "pages": None if self.by_cursor or total is None else -(-total // self.limit),
            "has_next": has_next,
            "has_prev": None if self.by_cursor else self.offset > 0,
            "next_cursor": self.cursor(key, last.sort_, last.id) if last else None,
        }

    def cursor(self, key: bytes, value: Any, row_id: UUID) -> str:
        payload = orjson.dumps([value, row_id])
        return base64.urlsafe_b64encode(_seal(key, self.fingerprint, payload) + payload).rstrip(b"=").decode()


def parse(listing: Listing, args: Mapping[str, Sequence[str]], key: bytes, bound_to: str) -> ListQuery:
    """``args`` maps each parameter to its values; ``bound_to`` ties cursors to tenant and path.

    Raises Invalid, naming what is allowed.
    """
    given = single_values(args, listing.parameters)
    modes = [name for name in ("page", "offset", "cursor") if name in given]
    if len(modes) > 1:
        raise Invalid.field(modes[1], f"Cannot be combined with {modes[0]}.")
    limit = min(_number(given, "limit", listing.limit, 1), MAX_LIMIT)
    offset = _number(given, "offset", 0, 0) if "offset" in given else (_number(given, "page", 1, 1) - 1) * limit
    sort = _one_of("sort", given.get("sort", listing.sort[0]), listing.sort)
    order = _one_of("order", given.get("order", "asc"), ("asc", "desc"))
    fingerprint = _fingerprint(given, sort, order, bound_to)
    by_cursor = "cursor" in given
    counting = given.get("count", "false" if by_cursor else "true")
    return ListQuery(
        listing=listing,
        limit=limit,
        offset=offset,
        sort=sort,
        descending=order == "desc",
        conditions=_conditions(listing, given),
        by_cursor=by_cursor,
        position=_position(listing, sort, given["cursor"], key, fingerprint) if given.get("cursor") else None,
        counted=_boolean("count", counting),
        fingerprint=fingerprint,
    )


def single_values(args: Mapping[str, Sequence[str]], allowed: Sequence[str]) -> dict[str, str]:
    """Each parameter once. Raises Invalid for an unknown or repeated one."""
    unknown = [name for name in args if name not in allowed and name not in CACHE_BUSTERS]
    if unknown:
        known = f"Allowed: {', '.join(allowed)}." if allowed else "None is allowed here."
        raise Invalid(f"Unknown query parameter. {known}", errors={_shown(unknown[0]): [f"Unknown parameter. {known}"]})
    for name, values in args.items():
        if len(values) > 1 and name not in CACHE_BUSTERS:
            raise Invalid.field(name, "Given more than once.")
        if CONTROL.search(values[0]):
            raise Invalid.field(name, "Must not contain control characters.")
    return {name: values[0] for name, values in args.items() if name not in CACHE_BUSTERS}


def _shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode()[:100]


def _number(given: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= MAX_NUMBER):
        raise Invalid.field(name, f"Must be a whole number from {least} to {MAX_NUMBER}.")
    return int(text)


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise Invalid.field(name, f"Must be one of: {', '.join(allowed)}.")
    return value


def chosen(name: str, text: str, allowed: Sequence[str]) -> list[str]:
    """The parts of a comma-separated parameter, each once. Raises Invalid."""
    parts = dict.fromkeys(part.strip() for part in text.split(",") if part.strip())
    return [_one_of(name, part, allowed) for part in parts]


def _boolean(name: str, text: str) -> bool:
    return _one_of(name, text, ("true", "false")) == "true"


def _is_nullable(column: InstrumentedAttribute[Any]) -> bool:
    return bool(column.property.columns[0].nullable)


def _conditions(listing: Listing, given: Mapping[str, str]) -> tuple[ColumnElement[bool], ...]:
    found = [_filter(listing.model, name, given[name]) for name in listing.filters if name in given]
    if "id__in" in given:
        found.append(_in_ids(listing.model, given["id__in"]))
    if given.get("search", "").strip():
        found.append(searched(listing.model.search_text, given["search"]))
    return tuple(found)


def searched(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    """Literal substring of a folded column. Raises Invalid."""
    if len(text) > MAX_SEARCH:
        raise Invalid.field("search", f"At most {MAX_SEARCH} characters.")
    needle = fold(text.strip()).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.like(f"%{needle}%", escape="\\")


def takes_null(column: InstrumentedAttribute[Any]) -> bool:
    """Whether a filter on the column knows the word null; in a text it is a word like any other."""
    return _is_nullable(column) and not isinstance(column.type, String)


def _filter(model: type[Any], name: str, text: str) -> ColumnElement[bool]:
    column = getattr(model, name)
    if text == "null" and takes_null(column):
        return column.is_(None)  # type: ignore[no-any-return]
    return column == parsed(name, column.type, text)  # type: ignore[no-any-return]


def parsed(name: str, kind: Any, text: str) -> Any:
    """A parameter in the type of the column it is compared with. Raises Invalid."""
    if isinstance(kind, Uuid):
        return _uuid(name, text)
    if isinstance(kind, Boolean):
        return _boolean(name, text)
    if isinstance(kind, Integer):
        return _signed(name, text)
    return normalized_email(text) if name == "email" else unicodedata.normalize("NFC", text).strip()


def _signed(name: str, text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and abs(int(text)) <= MAX_NUMBER):
        raise Invalid.field(name, "Must be a whole number.")
    return int(text)


def _uuid(name: str, text: str) -> UUID:
    if not CANONICAL_UUID.fullmatch(text):
        raise Invalid(code="INVALID_ID", errors={name: ["Not a valid UUID."]})
    return UUID(text)


def _in_ids(model: type[Any], text: str) -> ColumnElement[bool]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(parts) > MAX_IDS:
        raise Invalid.field("id__in", f"At most {MAX_IDS} ids.")
    ids = [_uuid("id__in", part) for part in parts]
    return model.id.in_(ids) if ids else false()


def _fingerprint(given: Mapping[str, str], sort: str, order: str, bound_to: str) -> bytes:
    free = ("page", "offset", "cursor", "limit", "count", "expand", "sort", "order")
    bound = sorted((name, value) for name, value in given.items() if name not in free)
    return hashlib.sha256(orjson.dumps([bound_to, sort, order, bound])).digest()


def _seal(key: bytes, fingerprint: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, fingerprint + payload, "sha256")[:16]


def _position(listing: Listing, sort: str, cursor: str, key: bytes, fingerprint: bytes) -> tuple[Any, UUID]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    seal, payload = raw[:16], raw[16:]
    if not hmac.compare_digest(seal, _seal(key, fingerprint, payload)):
        raise Invalid.field("cursor", "Not a cursor of this list with these filters and this order.")
    value, row_id = orjson.loads(payload)
    kind = listing.sort_column(sort).type
    is_time = isinstance(kind, DateTime) or kind.python_type is datetime
    return (datetime.fromisoformat(value) if is_time and value else value), UUID(row_id)
