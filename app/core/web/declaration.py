"""What a method takes and gives, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.core.wire.schema import BaseSchema


@dataclass(frozen=True)
class Declaration:
    """The input and output of a method, for openapi.yml and nothing else. ``upload`` is the file part of a form; the
    other fields can come as JSON where ``json_too`` says so."""

    body: BaseSchema | None = None
    answer: BaseSchema | dict[str, Any] | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    media: tuple[str, ...] = ("application/json",)
    also: tuple[int, ...] = ()
    upload: str = ""
    json_too: bool = False


def declare(
    *,
    body: BaseSchema | None = None,
    answer: BaseSchema | dict[str, Any] | None = None,
    status: int = 200,
    errors: Iterable[int] = (),
    media: Iterable[str] = ("application/json",),
    also: Iterable[int] = (),
    upload: str = "",
    json_too: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a method of a hand-written endpoint. ``answer`` is a schema or a JSON schema; statuses
    in ``also`` carry it too. With ``upload``, the body is a form of its fields and that file."""
    declared = Declaration(body, answer, status, tuple(errors), tuple(media), tuple(also), upload, json_too)

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        method.declaration = declared  # type: ignore[attr-defined]
        return method

    return mark
