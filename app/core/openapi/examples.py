"""Examples of request bodies."""

from typing import Any

from app.core.openapi.schemas import input_fields
from app.core.wire.schema import BaseSchema


def body_example(schema: BaseSchema, *, partial: bool, from_path: str) -> dict[str, Any] | None:
    """The schema's example without the value in the path; None if it lacks a required field.

    A partial example omits required fields, because their values are often unique.
    """
    if schema.example is None:
        return None
    accepted = input_fields(schema, from_path)
    values = {name: value for name, value in schema.example.items() if name in accepted}
    optional = {name: value for name, value in values.items() if not accepted[name].required}
    if partial:
        return optional or values
    return values if all(name in values for name, field in accepted.items() if field.required) else None
