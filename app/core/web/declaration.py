"""The contract of an endpoint's methods. Only the OpenAPI document reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.core.wire.schema import BaseSchema

Method = TypeVar("Method", bound=Callable[..., Any])

JSON = "application/json"


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

    @property
    def is_partial(self) -> bool:
        """Whether the body may omit required fields."""
        return self.partial or (self.body is not None and self.body.partial is True)

    def __call__(self, method: Method) -> Method:
        method.declaration = self  # type: ignore[attr-defined]
        return method


declare = Declaration
"""Declare a method of a hand-written endpoint. Its docstring, or that of the class, is the summary."""
CREATED: Mapping[str, Any] = {"status": 201, "headers": ("Location",)}
"""The status and the headers of creations."""
CREATED_WITH_VERSION: Mapping[str, Any] = {"status": 201, "headers": ("Location", "ETag")}
