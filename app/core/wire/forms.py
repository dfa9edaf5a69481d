"""Forms with a file (RFC 7578), received into temporary files: no upload is ever held in memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, TypeVar, cast

from flask import current_app, request
from marshmallow import fields
from werkzeug.datastructures import FileStorage
from werkzeug.formparser import MultiPartParser

from app.base.errors import BadRequest, Invalid, UnsupportedMediaType
from app.base.text import CONTROL
from app.core.wire.schema import BaseSchema

FORM = "multipart/form-data"
MOST_PARTS = 60
NOT_TEXT = re.compile(f"{CONTROL.pattern}|\ufffd")
TEXT_BYTES = 500_000
"""Of everything in a form that is not a file."""


class MalformedForm(BadRequest):
    code, message = "MALFORMED_FORM", "The body is not a valid form in UTF-8."


@dataclass
class Upload:
    """A file part; ``file`` has a descriptor and lives as long as ``stack``. ``name`` is whatever the sender wrote."""

    field: str
    file: BinaryIO
    size: int
    name: str = ""

    def check_size(self, most_mb: int) -> None:
        """Raises Invalid."""
        if self.size == 0:
            raise Invalid.field(self.field, "Is empty.")
        if self.size > most_mb * 1024 * 1024:
            raise Invalid.field(self.field, f"Is larger than {most_mb} MB.")


def is_form() -> bool:
    return request.mimetype == FORM


def received_file(stack: ExitStack, field: str, *, most_bytes: int = 0) -> Upload:
    """The one part of a form that has nothing else. Raises as ``received_form``, and Invalid."""
    texts, upload = received_form(stack, field, most_bytes=most_bytes)
    if texts:
        raise Invalid(errors={name: ["Unknown or read-only field."] for name in texts})
    if upload is None:
        raise Invalid.field(field, "A file is required.")
    return upload


def received_form(stack: ExitStack, field: str, *, most_bytes: int = 0) -> tuple[dict[str, str], Upload | None]:
    """The texts of a form by name, and its file in the part ``field``, which is closed with the stack.

    ``most_bytes`` of a body, MAX_CONTENT_LENGTH unless it says. Raises UnsupportedMediaType,
    RequestEntityTooLarge, BadRequest and Invalid.
    """
    if not is_form():
        raise UnsupportedMediaType(f"The body must be {FORM}.")
    texts, files = _parsed(stack, most_bytes or current_app.config["MAX_CONTENT_LENGTH"])
    found = _once(texts)
    uploads = _once(files)
    wrong = {name: ["Is not a field that takes a file."] for name in uploads if name != field}
    if wrong or field in found:
        raise Invalid(errors=wrong or {field: ["Must be a file."]})
    return found, _upload(field, uploads[field]) if uploads else None


def _parsed(stack: ExitStack, most_bytes: int) -> tuple[Iterable[tuple[str, str]], list[tuple[str, FileStorage]]]:
    def new_file(**_described: Any) -> IO[bytes]:
        return stack.enter_context(TemporaryFile())

    parser = MultiPartParser(cast(Any, new_file), max_form_memory_size=TEXT_BYTES, max_form_parts=MOST_PARTS)
    boundary = request.mimetype_params.get("boundary", "").encode("ascii", "replace")
    if not boundary:
        raise MalformedForm()
    # Of a chunked body werkzeug knows only at the byte after the limit that it is too long.
    request.max_content_length = most_bytes + (request.content_length is None)
    try:
        texts, files = parser.parse(request.stream, boundary, request.content_length)
    except ValueError:
        raise MalformedForm() from None
    found = list(texts.items(multi=True))
    if any("\ufffd" in text for _, text in found):
        raise MalformedForm()
    return found, list(files.items(multi=True))


Value = TypeVar("Value")


def _once(parts: Iterable[tuple[str | None, Value]]) -> dict[str, Value]:
    """Raises BadRequest for a name that cannot be repeated in an answer, and Invalid for one that stands twice."""
    found: dict[str, Value] = {}
    for name, value in parts:
        if not name or NOT_TEXT.search(name):
            raise MalformedForm()
        if name in found:
            raise Invalid.field(name, "Stands twice.")
        found[name] = value
    return found


def _upload(field: str, part: FileStorage) -> Upload:
    file = cast(BinaryIO, part.stream)
    return Upload(field, file, file.seek(0, os.SEEK_END), part.filename or "")


def as_values(texts: dict[str, str], schema: BaseSchema) -> dict[str, Any]:
    """What JSON would have said: true and false, and null for an empty text where null may stand."""
    return {name: _value(text, schema.load_fields.get(name)) for name, text in texts.items()}


def _value(text: str, field: fields.Field[Any] | None) -> Any:
    if isinstance(field, fields.Boolean):
        return {"true": True, "false": False}.get(text, text)
    if field is not None and field.allow_none and not text:
        return None
    return text
