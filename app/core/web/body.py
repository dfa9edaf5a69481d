"""The body of a request, and JSON answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson
from flask import Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.base.errors import BadRequest, MalformedJson, UnsupportedMediaType
from app.base.text import CONTROL

JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON; UUIDs and aware times are written as 01 says."""
    found = Response(orjson.dumps(data, option=JSON_OPTIONS), status, mimetype="application/json")
    if headers:
        found.headers.update(headers)
    return found


def no_content() -> Response:
    return Response(status=204)


def receive_body() -> bytes:
    """The body as it came. Raises RequestEntityTooLarge."""
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None:
        # A chunked body that is longer would not be refused by werkzeug, but cut off.
        request.max_content_length = limit + 1
    found = request.get_data()
    if len(found) > limit:
        raise RequestEntityTooLarge()
    return found


def json_body() -> dict[str, Any]:
    """The JSON object of the request. Raises UnsupportedMediaType, MalformedJson, BadRequest."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType()
    try:
        # RFC 8259 section 8.1: UTF-8 and nothing else.
        found = json.loads(receive_body().decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MalformedJson() from None
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    return found


def optional_json_body() -> dict[str, Any]:
    """As ``body``, but an empty request is an empty object."""
    return json_body() if receive_body() else {}


MAX_MEMBERS = 500


"""Of one JSON object: each unknown one would cost a message in the answer."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise ValueError("too many members")
    found = dict(pairs)
    if len(found) != len(pairs) or any(CONTROL.search(name) for name in found):
        raise ValueError("a name stands twice, or cannot be repeated in an answer")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
