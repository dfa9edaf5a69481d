"""Ids that the token and the path determine. Clients of document 003 and of Guardian repeat them."""

from collections.abc import Container, Iterator, Mapping
from typing import Any, TypeVar
from uuid import UUID

from flask import g, has_request_context, request

from app.base.errors import Invalid
from app.base.text import CANONICAL_UUID

Value = TypeVar("Value")


def without_own_ids(values: Mapping[str, Value], declared: Container[str]) -> dict[str, Value]:
    """The values but for own ids that are no ``declared`` names. Raises Invalid for one that differs."""
    repeated = {name: own_id for name, own_id in _own_ids() if name in values and name not in declared}
    differing = [name for name, own_id in repeated.items() if not _is(own_id, values[name])]
    if differing:
        raise Invalid(errors={name: [f"Unknown or read-only, unless it is {repeated[name]}."] for name in differing})
    return {name: value for name, value in values.items() if name not in repeated}


def _own_ids() -> Iterator[tuple[str, UUID]]:
    """The caller's company, and in a creation the parents in the path."""
    if not has_request_context():
        return
    if "principal" in g:
        yield "company_id", g.principal.company_id
    if request.method == "POST":
        for name, text in (request.view_args or {}).items():
            if name.endswith("_id"):
                yield name, UUID(text)


def _is(own_id: UUID, value: Any) -> bool:
    return isinstance(value, str) and bool(CANONICAL_UUID.fullmatch(value)) and UUID(value) == own_id
