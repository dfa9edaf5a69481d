"""The declaration of a list, and the conditions that follow from its parameters."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields
from marshmallow.validate import OneOf
from sqlalchemy import Boolean, ColumnElement, Integer, Select, String, Uuid, false, or_
from sqlalchemy.orm import InstrumentedAttribute

from app.base.errors import Invalid, InvalidId
from app.base.text import CANONICAL_UUID, fold
from app.core.wire.query import Args, parse_boolean, parse_choice
from app.core.wire.schema import Text

DEFAULT_LIMIT = 50
MAX_NUMBER = 2**31 - 1
MAX_IDS = 200
MAX_SEARCH = 1000
PAGING = ("page", "limit", "offset", "cursor", "count", "sort", "order")

Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Filter:
    """A parameter beyond the value of a column. ``condition`` raises Invalid; ``schema`` describes one value in
    openapi.yml. All values of a ``repeated`` parameter must hold. ``members`` selects the distinct ids that meet
    the condition, from a table that counts them faster."""

    condition: Callable[[str], Condition]
    schema: Mapping[str, Any]
    repeated: bool = False
    members: Callable[[str], Select[UUID]] | None = None


@dataclass(frozen=True)
class Listing:
    """A list's declaration, from which its parameters follow."""

    model: type[Any]
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ("created_at",)
    expand: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT
    more_filters: Mapping[str, Filter] = field(default_factory=dict, hash=False)
    wire_fields: Mapping[str, fields.Field[Any]] = field(default_factory=dict, hash=False)

    @property
    def searches(self) -> bool:
        return hasattr(self.model, self.model.search_columns[0])

    @property
    def parameters(self) -> tuple[str, ...]:
        search = ("search",) if self.searches else ()
        expand = ("expand",) if self.expand else ()
        return (*PAGING, *search, "id__in", *self.filters, *self.more_filters, *expand)

    @property
    def repeated(self) -> frozenset[str]:
        return frozenset(name for name, declared in self.more_filters.items() if declared.repeated)

    def sort_column(self, name: str) -> InstrumentedAttribute[Any]:
        """Text is sorted by its stored folded form."""
        folded = getattr(self.model, f"{name}_key", None)
        column: InstrumentedAttribute[Any] = folded if folded is not None else getattr(self.model, name)
        return column

    def conditions(self, args: Args) -> tuple[Condition, ...]:
        """Raises Invalid."""
        return tuple(self._conditions(args))

    def sole_members(self, args: Args) -> Select[UUID] | None:
        """The ids of the whole list, where a single filter determines them."""
        narrowing = [name for name in args if name not in (*PAGING, "expand")]
        only = self.more_filters.get(narrowing[0]) if len(narrowing) == 1 else None
        values = args[narrowing[0]] if only else ()
        return only.members(values[0]) if only and only.members and len(values) == 1 else None

    def _conditions(self, args: Args) -> Iterator[Condition]:
        for name in self.filters:
            if name in args:
                yield self._equals(name, args[name][0])
        for name, declared in self.more_filters.items():
            yield from map(declared.condition, dict.fromkeys(args.get(name, ())))
        if "id__in" in args:
            yield _in_ids(self.model, args["id__in"][0])
        if (text := args.get("search", [""])[0]).strip():
            yield or_(*(contains(getattr(self.model, name), text) for name in self.model.search_columns))

    def choices(self, name: str) -> tuple[str, ...]:
        """The values of a filter whose field is an enumeration, else nothing."""
        validators = self.wire_fields[name].validators if name in self.wire_fields else ()
        return next((tuple(item.choices) for item in validators if isinstance(item, OneOf)), ())

    def _equals(self, name: str, text: str) -> Condition:
        column = getattr(self.model, name)
        if text == "null" and takes_null(column):
            return column.is_(None)  # type: ignore[no-any-return]
        return column == self._value(name, column.type, text)  # type: ignore[no-any-return]

    def _value(self, name: str, kind: Any, text: str) -> Any:
        """A value that the column may have. Raises Invalid for every other one."""
        if isinstance(kind, Uuid):
            return _uuid(name, text)
        if isinstance(kind, Boolean):
            return parse_boolean(name, text)
        if choices := self.choices(name):
            return parse_choice(name, text.strip(), choices)
        declared = self.wire_fields.get(name)
        if isinstance(kind, Integer):
            return _checked(name, declared or fields.Integer(), parse_integer(name, text))
        value = _checked(name, declared if isinstance(declared, Text) else Text(), text)
        if not value or len(value) > (getattr(kind, "length", None) or MAX_SEARCH):
            raise Invalid.field(name, "Is too long." if value else "Must not be blank.")
        return value


def is_nullable(column: InstrumentedAttribute[Any]) -> bool:
    return bool(column.property.columns[0].nullable)


def contains(column: InstrumentedAttribute[Any], text: str) -> Condition:
    """Whether a folded column contains the literal text. Raises Invalid."""
    if len(text) > MAX_SEARCH:
        raise Invalid.field("search", f"At most {MAX_SEARCH} characters.")
    needle = fold(text.strip()).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.like(f"%{needle}%", escape="\\")


def takes_null(column: InstrumentedAttribute[Any]) -> bool:
    """Whether a filter on the column takes the word null, which is an ordinary word of a text."""
    return is_nullable(column) and not isinstance(column.type, String)


def between(column: InstrumentedAttribute[Any], start: str, end: str) -> dict[str, Filter]:
    """Two filters by time: from ``start`` on, and before ``end``."""
    schema = {"type": "string", "format": "date-time"}
    return {
        start: Filter(lambda text: column >= _time(start, text), schema | {"description": "From this time on."}),
        end: Filter(lambda text: column < _time(end, text), schema | {"description": "Before this time."}),
    }


def _time(name: str, text: str) -> datetime:
    """RFC 3339, or a date, which is its midnight in UTC. Raises Invalid."""
    try:
        # A plus sign that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid.field(name, "Must be a time such as 2025-07-22T02:10:06Z, or a date.") from None


def _checked(name: str, declared: fields.Field[Any], value: Any) -> Any:
    """The value by the rules of its field. Raises Invalid."""
    try:
        return declared.deserialize(value)
    except ValidationError as error:
        raise Invalid(errors={name: error.messages}) from None


def parse_integer(name: str, text: str, least: int = -MAX_NUMBER, refusal: str = "Must be a whole number.") -> int:
    """Raises Invalid."""
    digits = text.removeprefix("-") if least < 0 else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and least <= int(text) <= MAX_NUMBER):
        raise Invalid.field(name, refusal)
    return int(text)


def _uuid(name: str, text: str) -> UUID:
    if not CANONICAL_UUID.fullmatch(text):
        raise InvalidId(errors={name: ["Not a valid UUID."]})
    return UUID(text)


def _in_ids(model: type[Any], text: str) -> Condition:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(parts) > MAX_IDS:
        raise Invalid.field("id__in", f"At most {MAX_IDS} ids.")
    ids = [_uuid("id__in", part) for part in parts]
    return model.id.in_(ids) if ids else false()
