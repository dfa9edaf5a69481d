"""The body of a request, and JSON answers."""

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
    """JSON, with times in UTC that end in Z."""
    response = Response(orjson.dumps(data, option=JSON_OPTIONS), status, mimetype="application/json")
    if headers:
        response.headers.update(headers)
    return response


def no_content() -> Response:
    return Response(status=204)


def receive_body() -> bytes:
    """The raw body. Raises RequestEntityTooLarge."""
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None:
        # Werkzeug would cut off a longer chunked body instead of refusing it.
        request.max_content_length = limit + 1
    data = request.get_data()
    if len(data) > limit:
        raise RequestEntityTooLarge()
    return data


def json_body() -> dict[str, Any]:
    """The JSON object of the request. Raises UnsupportedMediaType, MalformedJson, BadRequest."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType()
    try:
        # RFC 8259 section 8.1: UTF-8 and nothing else.
        document = json.loads(receive_body().decode(), object_pairs_hook=_to_object, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MalformedJson() from None
    if not isinstance(document, dict):
        raise BadRequest("The body must be a JSON object.")
    return document


def optional_json_body() -> dict[str, Any]:
    """As ``json_body``, but an empty request is an empty object."""
    return json_body() if receive_body() else {}


MAX_MEMBERS = 500
"""Members of one JSON object. The answer has a message for each unknown one."""


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise ValueError("too many members")
    members = dict(pairs)
    if len(members) != len(pairs) or any(CONTROL.search(name) for name in members):
        raise ValueError("a name is repeated, or has control characters")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
