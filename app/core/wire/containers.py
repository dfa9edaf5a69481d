"""Lists, maps and objects in a body."""

from typing import Any

from marshmallow import ValidationError, fields, validate


class AlwaysComplete(fields.Nested):
    """An object that is complete even in a PATCH."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, partial: Any = None, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, partial=False, **kwargs)


def _measure(field: fields.Field[Any], value: Any) -> None:
    """Hold a list or map against the limits of its length. Raises ValidationError."""
    for rule in field.validators:
        if isinstance(rule, validate.Length) and isinstance(value, list | dict):
            rule(value)


MOST_FAULTS = 20
"""Faulty items of one list that an answer names. Finding thousands would take as long as a thousand requests."""


class Items(fields.List[Any]):
    """A list that is measured before its items are loaded."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        _measure(self, value)
        loaded: list[Any] = []
        faults: dict[int, Any] = {}
        for place, item in enumerate(value):
            try:
                loaded.append(self.inner.deserialize(item, **kwargs))
            except ValidationError as fault:
                faults[place] = fault.messages
            if len(faults) == MOST_FAULTS:
                break
        if faults:
            raise ValidationError(faults)
        return loaded


class Map(fields.Dict):
    """A map that is measured before its members are loaded."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        _measure(self, value)
        return super()._deserialize(value, *args, **kwargs)  # type: ignore[no-untyped-call]
