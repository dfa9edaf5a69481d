"""Empty texts in bodies: forms of HTML send one for every field that nobody filled in."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields


def empty_to_null(values: Any, declared: Mapping[str, fields.Field[Any]]) -> Any:
    """The values of an object, with null for the empty texts of nullable fields."""
    if not isinstance(values, Mapping):
        return values
    empty = [name for name, value in values.items() if name in declared and is_empty(value)]
    nullable = [name for name in empty if declared[name].allow_none]
    return {**values, **dict.fromkeys(nullable)} if nullable else values


def is_empty(value: Any) -> bool:
    return isinstance(value, str) and not value.strip(" \t\n")
