"""Every answer that a test sees is held against openapi.yml."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import Any

import jsonschema_rs
import yaml
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from app.config.settings import ROOT

Json = dict[str, Any]


@lru_cache
def spec() -> Json:
    found: Json = yaml.load((ROOT / "openapi.yml").read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def check(app: Flask, method: str, answer: TestResponse) -> None:
    """Raises AssertionError when the answer is not one that the document promises."""
    if method in ("HEAD", "OPTIONS"):
        return
    operation = _operation(app, method, answer.request.path)
    if operation is None:
        return
    responses = operation["responses"]
    declared = responses.get(str(answer.status_code)) or (responses["default"] if answer.status_code >= 400 else None)
    assert declared is not None, f"{method} {answer.request.path}: {answer.status_code} is not in openapi.yml"
    content = declared.get("content")
    if not content:
        assert not answer.data, f"{method} {answer.request.path}: a body that openapi.yml does not know"
        return
    assert answer.mimetype in content, f"{method} {answer.request.path}: {answer.mimetype}"
    schema = content[answer.mimetype].get("schema")
    if schema and "json" in answer.mimetype:
        _validate(schema, answer.get_json())


def _operation(app: Flask, method: str, path: str) -> Json | None:
    try:
        rule, _ = app.url_map.bind("").match(path, method=method, return_rule=True)
    except HTTPException:
        return None
    name = rule.rule.replace("<", "{").replace(">", "}")
    found: Json = spec()["paths"][name][method.lower()]
    return found


def _validate(schema: Json, body: Any) -> None:
    validator = _validator(json.dumps(schema))
    errors = [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(body)]
    assert not errors, errors


@cache
def _validator(schema: str) -> Any:
    document = {**_modern(json.loads(schema)), "components": _modern(spec()["components"])}
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True)


def _modern(schema: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_modern(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _modern(value) for name, value in schema.items() if name != "nullable"}
    if schema.get("nullable") is True and "$ref" not in schema:
        return {"anyOf": [found, {"type": "null"}]}
    return found
