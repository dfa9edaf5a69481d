"""The contract of an endpoint's methods. Only the OpenAPI document reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.core.wire.schema import BaseSchema

JSON = "application/json"


class Tag(NamedTuple):
    """A group of operations."""

    name: str
    description: str


@dataclass(frozen=True)
class Declaration:
    """One operation: its ``operation_id``, its body and its answers.

    ``answer`` is a schema or a JSON schema; the statuses in ``also`` have the same. ``upload`` names the file part
    of a form; with ``takes_json``, the body may be JSON without the file. ``from_path`` names a field of the body
    whose value comes from the path. ``collection`` is empty for a single ``answer``, else ``page`` or ``array``.
    ``has_version`` means an ETag and conditional requests.
    """

    operation_id: str = ""
    summary: str = ""
    description: str = ""
    body: BaseSchema | None = None
    partial: bool = False
    from_path: str = ""
    upload: str = ""
    takes_json: bool = False
    answer: BaseSchema | dict[str, Any] | None = None
    collection: str = ""
    expand: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    errors: tuple[int, ...] = ()
    media: tuple[str, ...] = (JSON,)
    also: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    also_headers: tuple[str, ...] = ()
    has_version: bool = False


def declare(
    operation_id: str,
    *,
    body: BaseSchema | None = None,
    answer: BaseSchema | dict[str, Any] | None = None,
    status: int = 200,
    errors: Iterable[int] = (),
    media: Iterable[str] = (JSON,),
    also: Iterable[int] = (),
    headers: Iterable[str] = (),
    upload: str = "",
    takes_json: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a method of a hand-written endpoint. Its docstring, or that of the class, is the summary."""
    declaration = Declaration(
        operation_id=operation_id,
        body=body,
        partial=body is not None and body.partial is True,
        upload=upload,
        takes_json=takes_json,
        answer=answer,
        status=status,
        errors=tuple(errors),
        media=tuple(media),
        also=tuple(also),
        headers=tuple(headers),
    )

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        method.declaration = declaration  # type: ignore[attr-defined]
        return method

    return mark
