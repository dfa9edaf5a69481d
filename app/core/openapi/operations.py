"""One operation of the OpenAPI document."""

from __future__ import annotations

import inspect
import sys

from app.base.permission import Permission
from app.base.text import words
from app.core.openapi.examples import example
from app.core.openapi.parameters import parameters
from app.core.openapi.responses import responses
from app.core.openapi.schemas import Components, Json, form_schema
from app.core.web.declaration import JSON, Declaration, Tag
from app.core.web.endpoint import Endpoint
from app.core.web.routing import Route
from app.core.wire.forms import FORM


def operation(route: Route, components: Components) -> Json:
    declared = route.declaration
    summary, description = _texts(route, declared)
    described: Json = {"operationId": declared.operation_id, "tags": [tag_of(route.endpoint).name], "summary": summary}
    if description:
        described["description"] = description
    if listed := parameters(route, declared, components):
        described["parameters"] = listed
    if declared.body is not None or declared.upload:
        described["requestBody"] = _body(declared, components)
    described["responses"] = responses(declared, route, components, _answer(declared, components))
    if route.endpoint.access == "public":
        described["security"] = []
    if route.permission is not None:
        described["x-permission"] = _permission(route.permission)
    return described


def _permission(permission: Permission) -> Json:
    names = ("service", "resource_name", "operation", "platform")
    return {name: getattr(permission, name) for name in names}


def tag_of(endpoint: type[Endpoint]) -> Tag:
    """The endpoint's own tag, or the ``TAG`` of its module or of the nearest package, with the docstring there.

    Raises LookupError.
    """
    if endpoint.tag:
        return Tag(endpoint.tag, _first_line(endpoint))
    name = endpoint.__module__
    while name:
        module = sys.modules[name]
        if hasattr(module, "TAG"):
            return Tag(module.TAG, _first_line(module))
        name = name.rpartition(".")[0]
    raise LookupError(f"{endpoint.__name__} has no tag, and no package above it has a TAG.")


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _texts(route: Route, declared: Declaration) -> tuple[str, str]:
    """The summary, without a full stop, and the description: the first sentence of the docstring and the others."""
    if declared.summary:
        return declared.summary, declared.description
    method = getattr(route.endpoint, route.method.lower())
    text = inspect.getdoc(method) or inspect.getdoc(route.endpoint) or words(route.endpoint.__name__)
    first, _, others = " ".join(text.split()).partition(". ")
    return first.removesuffix("."), others


def _body(declared: Declaration, components: Components) -> Json:
    if declared.body is None:
        return {"required": True, "content": {FORM: {"schema": form_schema(declared.upload)}}}
    referred = components.input(declared.body, partial=declared.is_partial, from_path=declared.from_path)
    content: Json = {JSON: {"schema": referred}}
    shown = example(declared.body, partial=declared.is_partial, from_path=declared.from_path)
    if shown is not None:
        content[JSON]["example"] = shown
    if declared.upload:
        fields = components.schemas[referred["$ref"].rpartition("/")[2]]
        form = {FORM: {"schema": form_schema(declared.upload, fields, required=not declared.takes_json)}}
        content = content | form if declared.takes_json else form
    is_required = any(field.required for field in declared.body.load_fields.values())
    return {"required": is_required, "content": content}


def _answer(declared: Declaration, components: Components) -> Json | None:
    if declared.answer is None or isinstance(declared.answer, dict):
        return declared.answer
    item = components.output(declared.answer, declared.expand)
    if declared.collection == "page":
        return components.page(item)
    return {"type": "array", "items": item} if declared.answer.many or declared.collection == "array" else item
