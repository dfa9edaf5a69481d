"""The body of a request, and JSON answers."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson
from flask import Response, g, request

from app.base.errors import BadRequest, MalformedJson, UnsupportedMediaType
from app.base.text import CONTROL
from app.core.wire.stream import Body, PayloadTooLarge

JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON, with times in UTC that end in Z."""
    response = Response(orjson.dumps(data, option=JSON_OPTIONS), status, mimetype="application/json")
    if headers:
        response.headers.update(headers)
    return response


def no_content() -> Response:
    return Response(status=204)


def receive_body(most_bytes: int) -> None:
    """Keep the whole body for ``json_body``. Raises PayloadTooLarge and MalformedBody."""
    g.body = Body(most_bytes).read()


def json_body() -> dict[str, Any]:
    """The JSON object of the request. Raises UnsupportedMediaType, PayloadTooLarge, MalformedJson, BadRequest."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(None if g.get("body", True) else "The body is empty. It must be application/json.")
    check_value_count(g.body)
    document = _parse(g.body)
    if not isinstance(document, dict):
        raise BadRequest("The body must be a JSON object.")
    return document


def _parse(body: bytes) -> Any:
    """Raises MalformedJson, which says what is wrong and where."""
    if not body:
        raise MalformedJson("The body is empty.")
    try:
        # RFC 8259 section 8.1: UTF-8 and nothing else.
        return json.loads(body.decode(), object_pairs_hook=_to_object, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJson(f"The body is not valid JSON at {where}: {error.msg}.") from None
    except NotJson as error:
        raise MalformedJson(f"The body is not valid JSON: {error}.") from None
    except UnicodeDecodeError:
        raise MalformedJson("The body is not in UTF-8.") from None
    except RecursionError:
        raise MalformedJson("The body is nested too deeply.") from None
    except ValueError:
        raise MalformedJson("The body has a number with too many digits.") from None


class NotJson(ValueError):
    """What Python's parser lets pass."""


def optional_json_body() -> dict[str, Any]:
    """As ``json_body``, but an empty request is an empty object."""
    return json_body() if g.body else {}


MAX_VALUES = 20_000
"""Values in one body. A small text can stand for many: each ``[]`` takes 56 bytes of memory."""
# Possessive, and content without a closing quote to its end: no text takes longer than its length.
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
EMPTY = re.compile(rb"\[\s*+\]|\{\s*+\}")


def check_value_count(text: bytes) -> None:
    """Count the values of a JSON text without building them. Raises PayloadTooLarge."""
    if _commas_and_brackets(text)[2] >= MAX_VALUES and _has_too_many_values(text):
        raise PayloadTooLarge(f"The body has more than {MAX_VALUES} values.")


def _has_too_many_values(text: bytes) -> bool:
    """Each comma begins a value, and so does each array or object, unless it is empty.

    The cheap bounds come first: a value has at most one name, and each bracket is one.
    """
    structure, strings = STRING.subn(b"0", text, 2 * MAX_VALUES + 1)
    commas, brackets, both = _commas_and_brackets(structure)
    if strings > 2 * MAX_VALUES or max(commas + 1, brackets) > MAX_VALUES:
        return True
    return 1 + both - len(EMPTY.findall(structure)) > MAX_VALUES


def _commas_and_brackets(text: bytes) -> tuple[int, int, int]:
    """The numbers of both, and their sum."""
    commas, brackets = text.count(b","), text.count(b"[") + text.count(b"{")
    return commas, brackets, commas + brackets


MAX_MEMBERS = 500
"""Members of one JSON object. The answer has a message for each unknown one."""


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise NotJson(f"an object has more than {MAX_MEMBERS} members")
    members = dict(pairs)
    if len(members) != len(pairs) or any(CONTROL.search(name) for name in members):
        raise NotJson("a name is repeated, or has control characters")
    return members


def _refuse(constant: str) -> NoReturn:
    raise NotJson(f"{constant} is no number of JSON")
