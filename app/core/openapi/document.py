"""Routes and declarations → an OpenAPI 3.0 document. Nothing in it is written by hand."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

import yaml

from app.config.settings import VERSION
from app.core.crud.crud import Crud
from app.core.crud.expand import Expansion
from app.core.openapi.parameters import has_etag, parameters
from app.core.openapi.schemas import Components, Json, form_schema
from app.core.web.declaration import Declaration
from app.core.web.endpoint import UNSAFE
from app.core.web.routing import Route
from app.core.wire.forms import FORM
from app.core.wire.schema import BaseSchema

PROBLEM = "application/problem+json"

DESCRIPTION = """\
Every list is paged, every item carries an ETag, every error is a problem document (RFC 9457).
Sign in with POST /auth/login; a browser then sends the HttpOnly cookie by itself, programs send
`Authorization: Bearer`. An unknown field or query parameter is refused with 400."""

REASONS = {
    200: "Nothing new was made",
    206: "The part that is asked for",
    400: "Malformed or not valid",
    401: "No, invalid, expired or revoked token",
    403: "Not allowed",
    404: "Not found in the caller's company",
    409: "Conflict",
    412: "If-Match names another version",
    413: "Body too large",
    415: "Wrong media type",
    416: "There is no such part",
    429: "Too many attempts",
    502: "A service behind this one gave no usable answer",
    503: "Temporarily unavailable",
    504: "A service behind this one did not answer in time",
}


def document(routes: Iterable[Route]) -> Json:
    return Document(list(routes)).built()


def as_yaml(spec: Json) -> str:
    text: str = yaml.dump(spec, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    return text


class _Plain(yaml.SafeDumper):
    """Numbered anchors would change all over the file with every operation that is added."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


class Document:
    """Collects the components while the operations are written."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self.components = Components()

    def built(self) -> Json:
        paths: dict[str, Json] = {}
        for route in sorted(self.routes, key=lambda each: each.path):
            shown = paths.setdefault(re.sub(r"<(\w+)>", r"{\1}", route.path), {})
            shown[route.method.lower()] = self._operation(route)
        return {
            "openapi": "3.0.3",
            "info": {
                "title": "Identity Service API",
                "version": VERSION,
                "description": DESCRIPTION,
                "license": {"name": "AGPL-3.0-or-later", "url": "https://www.gnu.org/licenses/agpl-3.0.html"},
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {
                "schemas": dict(sorted(self.components.schemas.items())),
                "securitySchemes": {
                    "cookie": {"type": "apiKey", "in": "cookie", "name": "access_token"},
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                },
            },
        }

    def _operation(self, route: Route) -> Json:
        declared = route.endpoint.declaration_of(route.method)
        found: Json = {
            "operationId": _operation_id(route),
            "tags": [_tag(route.path)],
            "summary": _summary(route),
            "parameters": parameters(route, self.components),
            "responses": self._responses(route, declared),
            "security": [] if route.endpoint.access == "public" else [{"cookie": []}, {"bearer": []}],
        }
        permission = route.permission
        if permission is not None:
            found["x-permission"] = {
                "service": permission.service,
                "resource_name": permission.resource_name,
                "operation": permission.operation,
                "platform": permission.platform,
            }
        if declared.body is not None or declared.upload:
            found["requestBody"] = self._body(route, declared)
        return found

    def _body(self, route: Route, declared: Declaration) -> Json:
        if declared.body is None:
            return {"required": True, "content": {FORM: {"schema": form_schema(declared.upload)}}}
        partial = route.method == "PATCH" or declared.body.partial is True
        schema = self.components.input(declared.body, partial=partial, leave_out=_from_path(route))
        content: Json = {"application/json": {"schema": schema}}
        if declared.upload:
            fields = self.components.schemas[schema["$ref"].rpartition("/")[2]]
            # What can be written as JSON too is complete without the file.
            form = {FORM: {"schema": form_schema(declared.upload, fields, required=not declared.json_too)}}
            content = content | form if declared.json_too else form
        return {"required": not _may_be_empty(declared.body), "content": content}

    def _responses(self, route: Route, declared: Declaration) -> Json:
        found: Json = {}
        success = self._answer(route, declared)
        if declared.status == 204:
            found["204"] = {"description": "Done"}
            if success is not None:
                found["200"] = {
                    "description": "What would be done",
                    "content": {"application/json": {"schema": success}},
                }
        else:
            content = success is not None and {name: {"schema": _in_media(name, success)} for name in declared.media}
            found[str(declared.status)] = {
                "description": "Success",
                **({"content": content} if content else {}),
            }
            found |= {str(each): {"description": REASONS[each], "content": content} for each in declared.also}
        if has_etag(route) and route.method == "GET":
            found["304"] = {"description": "Not modified"}
        if route.method == "GET" and route.endpoint.moved and "<" in route.path:
            found["307"] = {"description": "Merged into another, which is at Location"}
        problem = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for refusal in (str(each) for each in declared.also if each >= 400):
            found[refusal]["content"] = {**found[refusal]["content"], **problem}
        for status in sorted({*_usual_errors(route), *declared.errors}):
            found.setdefault(str(status), {"description": REASONS[status], "content": problem})
        found["default"] = {"description": "Any other error", "content": problem}
        return found

    def _answer(self, route: Route, declared: Declaration) -> Json | None:
        if declared.answer is None or isinstance(declared.answer, dict):
            return declared.answer
        schema = declared.answer
        item = self.components.output(schema, self._expansions(route))
        if schema.many:
            return {"type": "array", "items": item}
        if not issubclass(route.endpoint, Crud) or route.method != "GET" or not route.is_collection:
            return item
        if route.endpoint.unpaginated:
            return {"type": "array", "items": item}
        return {
            "type": "object",
            "required": ["data", "pagination"],
            "properties": {
                "data": {"type": "array", "items": item},
                "pagination": {"$ref": "#/components/schemas/Pagination"},
            },
            "additionalProperties": False,
        }

    def _expansions(self, route: Route) -> dict[str, Expansion]:
        return dict(route.endpoint.expand) if issubclass(route.endpoint, Crud) and route.method == "GET" else {}


def _in_media(name: str, schema: Json) -> Json:
    """A page is text, whatever its JSON form would be."""
    return {"type": "string"} if name == "text/html" else schema


def _tag(path: str) -> str:
    first = path.strip("/").split("/")[0]
    if path.startswith("/organization_units") and path.endswith("/positions"):
        return "positions"
    if path.startswith("/positions") and path.endswith("/users"):
        return "users"
    return first if first in TAGS else "system"


TAGS = (
    "auth", "companies", "users", "organization_units", "positions", "customers", "subcontractors",
    "tags", "document-types", "guardian",
)  # fmt: skip


def _operation_id(route: Route) -> str:
    words = re.sub(r"[<>]", "", route.path).replace(".", "_").replace("-", "_").strip("/").replace("/", "_")
    return f"{route.method.lower()}_{words}"


def _summary(route: Route) -> str:
    endpoint = route.endpoint
    if not issubclass(endpoint, Crud):
        return endpoint.summary_of(route.method)
    about = (inspect.getdoc(endpoint) or "").split("\n")[0]
    verb = {
        "GET": "Read one" if not route.is_collection else "List",
        "POST": "Create",
        "PUT": "Replace",
        "PATCH": "Change",
        "DELETE": "Delete",
    }
    return f"{verb[route.method]}: {about[:1].lower()}{about[1:]}"


def _usual_errors(route: Route) -> set[int]:
    found = {400, 503}
    if route.endpoint.limits:
        found.add(429)
    if route.endpoint.access != "public":
        found |= {401, 403}
    if route.permission is not None:
        found |= {502, 504}
    if "<" in route.path:
        found.add(404)
    if route.method in UNSAFE:
        found.add(403)
    if route.method in ("POST", "PUT", "PATCH"):
        found |= {413, 415}
    return found


def _from_path(route: Route) -> str:
    """The field of the body that the path gives."""
    endpoint = route.endpoint
    if not issubclass(endpoint, Crud) or endpoint.parent is None or route.method != "POST":
        return ""
    return endpoint.parent.column if endpoint.parent.column in endpoint.wire.load_fields else ""


def _may_be_empty(schema: BaseSchema) -> bool:
    return not any(field.required for field in schema.load_fields.values())
