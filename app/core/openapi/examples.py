"""Examples of bodies, from those of the schemas."""

from __future__ import annotations

from typing import Any

from app.core.openapi.schemas import loaded_fields
from app.core.wire.schema import BaseSchema


def example(schema: BaseSchema, *, partial: bool, from_path: str) -> dict[str, Any] | None:
    """The schema's example, but for what the path gives; None where a required id is missing.

    A partial one leaves out what is required, because that is often unique.
    """
    if schema.example is None:
        return None
    taken = loaded_fields(schema, from_path)
    values = {name: value for name, value in schema.example.items() if name in taken}
    optional = {name: value for name, value in values.items() if not taken[name].required}
    if partial:
        return optional or values
    return values if all(name in values for name, field in taken.items() if field.required) else None
