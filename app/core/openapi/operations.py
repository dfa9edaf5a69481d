"""One operation of the OpenAPI document."""

import inspect
import sys

from app.base.text import words
from app.core.openapi.parameters import describe_parameters
from app.core.openapi.responses import describe_responses
from app.core.openapi.schemas import Components, Json, form_schema, input_fields
from app.core.web.declaration import JSON, Declaration
from app.core.web.endpoint import Endpoint
from app.core.web.routing import Route
from app.core.wire.forms import FORM
from app.core.wire.schema import BaseSchema


def describe_operation(route: Route, components: Components) -> Json:
    declared = route.declaration
    summary, description = _summarize(route, declared)
    operation: Json = {
        "operationId": declared.operation_id,
        "tags": [find_tag(route.endpoint)[0]],
        "summary": summary,
    }
    if description:
        operation["description"] = description
    if parameters := describe_parameters(route, declared, components):
        operation["parameters"] = parameters
    if declared.body is not None or declared.upload:
        operation["requestBody"] = _request_body(declared, components)
    operation["responses"] = describe_responses(declared, route, components, _answer_schema(declared, components))
    if route.endpoint.access == "public":
        operation["security"] = []
    if route.permission is not None:
        operation["x-permission"] = route.permission.names | {"platform": route.permission.platform}
    return operation


def find_tag(endpoint: type[Endpoint]) -> tuple[str, str]:
    """Name and description: the endpoint's own, or those of its module or nearest package. Raises LookupError."""
    if endpoint.tag:
        return endpoint.tag, _first_line(endpoint)
    name = endpoint.__module__
    while name:
        module = sys.modules[name]
        if hasattr(module, "TAG"):
            return module.TAG, _first_line(module)
        name = name.rpartition(".")[0]
    raise LookupError(f"{endpoint.__name__} has no tag, and no package above it has a TAG.")


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _summarize(route: Route, declared: Declaration) -> tuple[str, str]:
    """The first sentence of the docstring, without its full stop, and the rest of the docstring."""
    if declared.summary:
        return declared.summary, declared.description
    method = getattr(route.endpoint, route.method.lower())
    text = inspect.getdoc(method) or inspect.getdoc(route.endpoint) or words(route.endpoint.__name__)
    summary, _, description = " ".join(text.split()).partition(". ")
    return summary.removesuffix("."), description


def _request_body(declared: Declaration, components: Components) -> Json:
    if declared.body is None:
        return {"required": True, "content": {FORM: {"schema": form_schema(declared.upload)}}}
    schema = components.input(declared.body, partial=declared.is_partial, from_path=declared.from_path)
    content: Json = {JSON: {"schema": schema}}
    example = _body_example(declared.body, partial=declared.is_partial, from_path=declared.from_path)
    if example is not None:
        content[JSON]["example"] = example
    if declared.upload:
        fields = components.schemas[schema["$ref"].rpartition("/")[2]]
        form = {FORM: {"schema": form_schema(declared.upload, fields, required=not declared.takes_json)}}
        content = content | form if declared.takes_json else form
    is_required = any(field.required for field in declared.body.load_fields.values())
    return {"required": is_required, "content": content}


def _body_example(schema: BaseSchema, *, partial: bool, from_path: str) -> Json | None:
    """The schema's example without the value in the path; None if it lacks a required field."""
    if schema.example is None:
        return None
    accepted = input_fields(schema, from_path)
    values = {name: value for name, value in schema.example.items() if name in accepted}
    optional = {name: value for name, value in values.items() if not accepted[name].required}
    if partial:
        return optional or values
    return values if all(name in values for name, field in accepted.items() if field.required) else None


def _answer_schema(declared: Declaration, components: Components) -> Json | None:
    if declared.answer is None or isinstance(declared.answer, dict):
        return declared.answer
    item = components.output(declared.answer, declared.expand)
    if declared.collection == "page":
        return components.page(item)
    return {"type": "array", "items": item} if declared.answer.many or declared.collection == "array" else item
