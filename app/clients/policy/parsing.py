"""An engine's answers, read field by field: a value of another kind than promised makes all unusable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

import structlog

from app.base.errors import BadGateway, TokenInvalid, Unavailable
from app.base.text import CANONICAL_UUID, CONTROL

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 64 * 1024
ACCEPT = {"Accept": "application/json"}
MAX_REASON_CHARACTERS = 200
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750 section 2.1, safe inside a cookie
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_REQUIRED = object()


class Reply(NamedTuple):
    """``is_cut``: the body was longer than the call allows, and ``body`` is not all of it."""

    status: int
    content_type: str
    body: bytes
    is_cut: bool = False


def unusable(cause: str, error: type[BadGateway] = BadGateway) -> BadGateway:
    log.warning("policy_engine_answer_unusable", cause=cause)
    return error("The policy engine gave no usable answer.")


def json_headers(request_id: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """Raises ValueError for a malformed request id."""
    if not REQUEST_ID.fullmatch(request_id):
        raise ValueError("The request id is malformed.")
    return {**ACCEPT, "Content-Type": "application/json", "X-Request-ID": request_id, **credentials}


def token_cookie(token: str) -> dict[str, str]:
    """Raises TokenInvalid: a verified token may still carry junk, as base64 decoders skip it."""
    if not TOKEN.fullmatch(token):
        raise TokenInvalid()
    return {"Cookie": f"access_token={token}"}


class StrictReader:
    """One object of a document, read field by field. Every method raises BadGateway."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @property
    def id(self) -> UUID:
        value: UUID = self.uuid("id")
        return value

    def read(self, fields: Fields) -> dict[str, Any]:
        return {name: read(self, name) for name, read in fields.items()}

    def uuid(self, name: str, default: Any = _REQUIRED) -> Any:
        value = self._values.get(name)
        if value is None and default is not _REQUIRED:
            return default
        if not isinstance(value, str) or not CANONICAL_UUID.fullmatch(value):
            raise unusable(f"{name} is no id")
        return UUID(value)

    def required_text(self, name: str) -> str:
        value = self.optional_text(name)
        if not value:
            raise unusable(f"{name} is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is not None and (not isinstance(value, str) or CONTROL.search(value)):
            raise unusable(f"{name} is no text")
        return value

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise unusable(f"{name} is neither true nor false")
        return bool(value)

    def time(self, name: str) -> str | None:
        """As this service writes times. One without a zone is UTC: that is how Guardian keeps them."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            time = datetime.fromisoformat(value)
            aware = time if time.tzinfo else time.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        except (TypeError, ValueError, OverflowError):
            raise unusable(f"{name} is no time") from None


Fields = Mapping[str, Callable[[StrictReader, str], Any]]
"""The reader of each field, such as ``StrictReader.flag``."""


def object_of(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise unusable("not a JSON object")
    return document


def items_of(document: Any, names: Iterable[str]) -> list[Any]:
    """A bare array, or the one that stands under one of its names."""
    if isinstance(document, list):
        return document
    values = object_of(document)
    items = next((values[name] for name in (*names, "data") if name in values), None)
    if not isinstance(items, list):
        raise unusable("no list")
    return items


def check_status(reply: Reply, expected: Container[int], token_error: type[BadGateway] = BadGateway) -> None:
    """Raises Unavailable, ``token_error`` for 401, and BadGateway for a reply that says nothing about the question."""
    if reply.status == 429:
        log.warning("policy_engine_busy", cause="status 429")
        raise Unavailable("The policy engine is busy.")
    if reply.status not in expected:
        raise unusable(f"status {reply.status}", token_error if reply.status == 401 else BadGateway)


def parse_object(reply: Reply) -> Mapping[str, Any]:
    """The JSON object of a reply. Raises BadGateway."""
    return object_of(strict_json(reply, MAX_BODY_BYTES))


def strict_json(reply: Reply, max_bytes: int) -> Any:
    """Raises BadGateway."""
    if reply.is_cut or len(reply.body) > max_bytes:
        raise unusable("body too long")
    if reply.content_type and not _is_json(reply.content_type):
        raise unusable("not declared as JSON")
    try:
        return STRICT_JSON.decode(reply.body.decode())
    except (ValueError, RecursionError):
        raise unusable("not strict JSON") from None


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("duplicate key")
    return values


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# orjson keeps the last of two equal keys and cannot refuse them.
STRICT_JSON = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_constant)


def printable(text: str) -> str:
    """A reason as it may stand in our own answer: one line of at most MAX_REASON_CHARACTERS."""
    line = "".join(character if character.isprintable() else " " for character in text[: 4 * MAX_REASON_CHARACTERS])
    return " ".join(line.split())[:MAX_REASON_CHARACTERS].rstrip()
