"""Examples of bodies, from the examples of their fields."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from app.core.wire.schema import BaseSchema


def example(schema: BaseSchema, *, partial: bool = False, leave_out: str = "") -> dict[str, Any] | None:
    """The fields that have an example; None if a required one has none. A partial one leaves out what is required,
    which another row may have already."""
    loaded = {name: field for name, field in schema.load_fields.items() if name != leave_out}
    values = {name: _value(field) for name, field in loaded.items()}
    chosen = {name: value for name, value in values.items() if value is not None}
    if partial:
        optional = {name: value for name, value in chosen.items() if not loaded[name].required}
        return optional or chosen or None
    is_complete = all(name in chosen for name, field in loaded.items() if field.required)
    return chosen if chosen and is_complete else None


def _value(field: fields.Field[Any]) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    return example(field.schema) if isinstance(field, fields.Nested) else None  # type: ignore[arg-type]
