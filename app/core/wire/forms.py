"""Forms with a file (RFC 7578), received into temporary files, so that memory never holds an upload."""

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
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from app.base.errors import BadRequest, Invalid, UnsupportedMediaType
from app.base.text import CONTROL
from app.core.wire.own_ids import without_own_ids
from app.core.wire.schema import BaseSchema
from app.core.wire.stream import KB, MB, Body, PayloadTooLarge, in_words

FORM = "multipart/form-data"
MOST_PARTS = 60
NOT_TEXT = re.compile(f"{CONTROL.pattern}|\ufffd")
TEXT_BYTES = 64 * KB
"""The most bytes of one text of a form, and of the head of one part."""
BUFFER_BYTES = 16 * KB
MAX_BOUNDARY_LENGTH = 100  # RFC 2046 section 5.1.1 allows 70, and some clients send a few more.


class MalformedForm(BadRequest):
    code, message = "MALFORMED_FORM", "The body is not a valid form in UTF-8."


@dataclass
class Upload:
    """A file part. ``file`` has a descriptor until its stack closes; ``name`` is the sender's and unchecked."""

    field: str
    file: BinaryIO
    size: int
    name: str = ""

    def check_size(self, most_mb: int) -> None:
        """Raises Invalid."""
        if self.size == 0:
            raise Invalid.field(self.field, "Is empty.")
        if self.size > most_mb * MB:
            raise Invalid.field(self.field, f"Is larger than {most_mb} MB.")


def is_form() -> bool:
    return request.mimetype == FORM


def receive_file(stack: ExitStack, field: str, *, most_bytes: int = 0) -> Upload:
    """The file of a form without texts. Raises the errors of ``receive_form``."""
    texts, upload = receive_form(stack, field, most_bytes=most_bytes)
    if unknown := without_own_ids(texts, ()):
        raise Invalid(errors={name: ["Unknown or read-only field."] for name in unknown})
    if upload is None:
        raise Invalid.field(field, "A file is required.")
    return upload


def receive_form(stack: ExitStack, field: str, *, most_bytes: int = 0) -> tuple[dict[str, str], Upload | None]:
    """The texts of a form by name, and the file of its part ``field``, which the stack closes.

    ``most_bytes`` limits the body; 0 stands for MAX_CONTENT_LENGTH. Raises UnsupportedMediaType,
    PayloadTooLarge, MalformedBody, MalformedForm and Invalid.
    """
    if not is_form():
        raise UnsupportedMediaType(f"The body must be {FORM}.")
    text_parts, file_parts = _parse(stack, most_bytes or current_app.config["MAX_CONTENT_LENGTH"])
    texts, files = _by_name(text_parts), _by_name(file_parts)
    wrong = {name: ["Is not a field that takes a file."] for name in files if name != field}
    if wrong or field in texts:
        raise Invalid(errors=wrong or {field: ["Must be a file."]})
    if not files:
        return texts, None
    file = cast(BinaryIO, files[field].stream)
    return texts, Upload(field, file, file.seek(0, os.SEEK_END), files[field].filename or "")


def _parse(stack: ExitStack, most_bytes: int) -> tuple[Iterable[tuple[str, str]], list[tuple[str, FileStorage]]]:
    def new_file(**_metadata: Any) -> IO[bytes]:
        return stack.enter_context(TemporaryFile())

    limits: dict[str, Any] = {"max_form_memory_size": TEXT_BYTES, "max_form_parts": MOST_PARTS}
    parser = MultiPartParser(cast(Any, new_file), buffer_size=BUFFER_BYTES, **limits)
    boundary = request.mimetype_params.get("boundary", "").encode("ascii", "replace")
    if not 0 < len(boundary) <= MAX_BOUNDARY_LENGTH:
        raise MalformedForm()
    try:
        texts, files = parser.parse(cast(Any, Body(most_bytes)), boundary, request.content_length)
    except RequestEntityTooLarge:
        text = in_words(TEXT_BYTES)
        raise PayloadTooLarge(f"A form has at most {MOST_PARTS} parts, and {text} in one text or head.") from None
    except ValueError:
        raise MalformedForm() from None
    text_parts = list(texts.items(multi=True))
    if any("\ufffd" in text for _, text in text_parts):
        raise MalformedForm()
    return text_parts, list(files.items(multi=True))


Value = TypeVar("Value")


def _by_name(parts: Iterable[tuple[str | None, Value]]) -> dict[str, Value]:
    """Raises MalformedForm for a name that an answer cannot repeat, and Invalid for a name of two parts."""
    values: dict[str, Value] = {}
    for name, value in parts:
        if not name or NOT_TEXT.search(name):
            raise MalformedForm()
        if name in values:
            raise Invalid.field(name, "Stands twice.")
        values[name] = value
    return values


def parse_texts(texts: dict[str, str], schema: BaseSchema) -> dict[str, Any]:
    """The texts as JSON values: true and false for a boolean field."""
    return {name: _value(text, schema.load_fields.get(name)) for name, text in texts.items()}


def _value(text: str, field: fields.Field[Any] | None) -> Any:
    return {"true": True, "false": False}.get(text, text) if isinstance(field, fields.Boolean) else text
