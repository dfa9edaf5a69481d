"""Every answer that a test sees is held against openapi.yml."""

import json
from functools import cache, lru_cache
from typing import Any

import jsonschema_rs
import yaml
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from app.config.settings import ROOT
from app.core.openapi.responses import HEADERS, UNEXPECTED
from app.core.web.endpoint import UNSAFE_METHODS
from app.core.web.routing import Route

Json = dict[str, Any]
SOMETIMES = {"Set-Cookie", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
"""Headers that an answer may have or not."""


@lru_cache
def spec() -> Json:
    found: Json = yaml.load((ROOT / "openapi.yml").read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def check(app: Flask, method: str, answer: TestResponse) -> None:
    """Raises AssertionError when the answer is not one that the document promises."""
    if method in ("HEAD", "OPTIONS"):
        return
    route = _route(app, method, answer.request.path)
    if route is None:
        return
    about = f"{method} {answer.request.path}: {answer.status_code}"
    declared = _declared(route, answer.status_code)
    assert declared is not None, f"{about} is not in openapi.yml"
    _check_headers(about, answer, set(declared["headers"]))
    content = declared.get("content")
    if not content:
        assert not answer.data, f"{about}: a body that openapi.yml does not know"
        return
    assert answer.mimetype in content, f"{about}: {answer.mimetype}"
    schema = content[answer.mimetype].get("schema")
    if schema and "json" in answer.mimetype:
        _validate(schema, answer.get_json())


def _route(app: Flask, method: str, path: str) -> Route | None:
    try:
        rule, _ = app.url_map.bind("").match(path, method=method, return_rule=True)
    except HTTPException:
        return None
    routes: list[Route] = app.extensions["routes"]
    return next(route for route in routes if (route.path, route.method) == (rule.rule, method))


@cache
def _declared(route: Route, status: int) -> Json | None:
    """``default`` stands for a few errors, never for a success or a bug."""
    responses = spec()["paths"][route.path.replace("<", "{").replace(">", "}")][route.method.lower()]["responses"]
    fallback = responses["default"] if status in unexpected_problems(route) else None
    response = responses.get(str(status), fallback)
    return response and resolved(response)


def unexpected_problems(route: Route) -> set[int]:
    """Statuses behind ``default``: failures that no client can avoid, and faults in the client itself."""
    statuses = {503, *route.declaration.errors} & UNEXPECTED
    if route.permission is not None:
        statuses |= {502, 504}
    if route.method in UNSAFE_METHODS:
        statuses |= {413} if route.method == "DELETE" else {413, 415}
    return statuses


def resolved(node: Json) -> Json:
    """A response or parameter, or the shared one that it refers to."""
    if "$ref" not in node:
        return node
    _, _, section, name = node["$ref"].split("/")
    found: Json = spec()["components"][section][name]
    return found


def _check_headers(about: str, answer: TestResponse, declared: set[str]) -> None:
    sent = {name for name in HEADERS if name in answer.headers}
    assert sent <= declared, f"{about} has headers that openapi.yml does not know: {sent - declared}"
    assert declared - SOMETIMES <= sent, f"{about} lacks headers: {declared - SOMETIMES - sent}"


def _validate(schema: Json, body: Any) -> None:
    errors = [
        f"{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in _validator(json.dumps(schema)).iter_errors(body)
    ]
    assert not errors, errors


@cache
def _validator(schema: str) -> Any:
    document = {**json.loads(schema), "components": spec()["components"]}
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True)
