"""Routes and declarations → an OpenAPI 3.0 document. Nothing in it is written by hand."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

import yaml
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from apispec.ext.marshmallow.common import resolve_schema_cls
from marshmallow import fields

from app.config import VERSION
from app.core.crud import Crud
from app.core.expand import Expansion
from app.core.http import UNSAFE, Declaration, Route
from app.core.query import DEFAULT_LIMIT, MAX_IDS, MAX_LIMIT, MAX_NUMBER, Listing
from app.core.schema import BaseSchema

Json = dict[str, Any]
UUID_SCHEMA: Json = {"type": "string", "format": "uuid"}
PROBLEM = "application/problem+json"

DESCRIPTION = """\
Every list is paged, every item carries an ETag, every error is a problem document (RFC 9457).
Sign in with POST /auth/login; a browser then sends the HttpOnly cookie by itself, programs send
`Authorization: Bearer`. An unknown field or query parameter is refused with 400."""

PROBLEM_SCHEMA: Json = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "message", "error_code", "timestamp", "path", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "message": {"type": "string"},
        "error_code": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": True},
        "timestamp": {"type": "string", "format": "date-time"},
        "path": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "additionalProperties": False,
}

PAGINATION_SCHEMA: Json = {
    "type": "object",
    "required": ["page", "limit", "total", "pages", "has_next", "has_prev", "next_cursor"],
    "properties": {
        "page": {"type": "integer", "nullable": True},
        "limit": {"type": "integer"},
        "total": {"type": "integer", "nullable": True},
        "pages": {"type": "integer", "nullable": True},
        "has_next": {"type": "boolean"},
        "has_prev": {"type": "boolean", "nullable": True},
        "next_cursor": {"type": "string", "nullable": True},
    },
    "additionalProperties": False,
}

REASONS = {
    400: "Malformed or not valid",
    401: "No, invalid, expired or revoked token",
    403: "Not allowed",
    404: "Not found in the caller's company",
    409: "Conflict",
    412: "If-Match names another version",
    413: "Body too large",
    415: "Wrong media type",
    429: "Too many attempts",
    502: "The policy engine gave no usable answer",
    503: "Temporarily unavailable",
    504: "The policy engine did not answer in time",
}


def document(routes: Iterable[Route]) -> Json:
    return Document(list(routes)).built()


def as_yaml(spec: Json) -> str:
    text: str = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=110)
    return text


class Document:
    """Collects the components while the operations are written."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self.schemas: Json = {"Problem": PROBLEM_SCHEMA, "Pagination": PAGINATION_SCHEMA}
        self.converter = OpenAPIConverter("3.0.3", lambda schema: resolve_schema_cls(schema).__name__, _NoSpec())

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
                "schemas": dict(sorted(self.schemas.items())),
                "securitySchemes": {
                    "cookie": {"type": "apiKey", "in": "cookie", "name": "access_token"},
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                },
            },
        }

    def _operation(self, route: Route) -> Json:
        declared = self._declared(route)
        found: Json = {
            "operationId": _operation_id(route),
            "tags": [_tag(route.path)],
            "summary": _summary(route),
            "parameters": [*_path_parameters(route.path), *self._query_parameters(route), *_header_parameters(route)],
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
        if declared.body is not None:
            partial = route.method == "PATCH" or declared.body.partial is True
            required = not _may_be_empty(declared.body)
            schema = self._input(declared.body, partial=partial, leave_out=_from_path(route))
            found["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
        return found

    def _declared(self, route: Route) -> Declaration:
        endpoint = route.endpoint
        if not issubclass(endpoint, Crud):
            declaration: Declaration = getattr(getattr(endpoint, route.method.lower()), "declaration", None) or Declaration(status=204)
            return declaration
        if route.method == "POST":
            return Declaration(endpoint.wire, endpoint.wire, 201, (409,))
        if route.method in ("PUT", "PATCH"):
            return Declaration(endpoint.change_wire, endpoint.wire, 200, (404, 409, 412))
        if route.method == "DELETE":
            return Declaration(None, endpoint.extra_answers.get("DELETE"), 204, (404, 409, 412))
        return Declaration(None, endpoint.wire, 200, () if route.is_collection else (404,))

    def _responses(self, route: Route, declared: Declaration) -> Json:
        found: Json = {}
        success = self._answer(route, declared)
        if declared.status == 204:
            found["204"] = {"description": "Done"}
            if success is not None:
                found["200"] = {"description": "What would be done", "content": {"application/json": {"schema": success}}}
        else:
            content = {"application/json": {"schema": success}} if success is not None else None
            found[str(declared.status)] = {"description": "Success", **({"content": content} if content else {})}
        if _has_etag(route) and route.method == "GET":
            found["304"] = {"description": "Not modified"}
        problem = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for status in sorted({*_usual_errors(route), *declared.errors}):
            found.setdefault(str(status), {"description": REASONS[status], "content": problem})
        found["default"] = {"description": "Any other error", "content": problem}
        return found

    def _answer(self, route: Route, declared: Declaration) -> Json | None:
        if declared.answer is None or isinstance(declared.answer, dict):
            return declared.answer
        schema = declared.answer
        item = self._output(schema, self._expansions(route))
        if schema.many:
            return {"type": "array", "items": item}
        if not issubclass(route.endpoint, Crud) or route.method != "GET" or not route.is_collection:
            return item
        if route.endpoint.bare:
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

    # Schemas

    def _output(self, schema: BaseSchema, expansions: dict[str, Expansion] | None = None) -> Json:
        """What is answered: every field present, nothing besides."""
        name = _name(schema)
        if name not in self.schemas:
            self.schemas[name] = {}
            properties = {key: self._property(field) for key, field in schema.dump_fields.items()}
            required = [key for key, field in schema.dump_fields.items() if not field.metadata.get("optional")]
            self.schemas[name] = _object(properties, required)
        if expansions:
            for key, expansion in expansions.items():
                self.schemas[name]["properties"].setdefault(key, _embedded(expansion))
        return {"$ref": f"#/components/schemas/{name}"}

    def _input(self, schema: BaseSchema, *, partial: bool, leave_out: str = "") -> Json:
        """What is taken."""
        name = f"{_name(schema)}{'Patch' if partial else 'Input'}{'Below' if leave_out else ''}"
        loaded = {
            key: field
            for key, field in schema.load_fields.items()
            if key != leave_out and not type(field).__name__ == "NoPassword"
        }
        if name not in self.schemas:
            required = [key for key, field in loaded.items() if field.required and not partial]
            properties = {key: self._property(field, taken=True) for key, field in loaded.items()}
            self.schemas[name] = _object(properties, required)
        return {"$ref": f"#/components/schemas/{name}"}

    def _property(self, field: fields.Field[Any], *, taken: bool = False) -> Json:
        if isinstance(field, fields.Nested):
            nested: Any = field.schema
            return self._input(nested, partial=False) if taken else self._output(nested)
        if isinstance(field, fields.List):
            return {"type": "array", "items": self._property(field.inner, taken=taken)}
        if isinstance(field, fields.Dict) and isinstance(field.value_field, fields.Nested):
            return {"type": "object", "additionalProperties": self._property(field.value_field)}
        found: Json = dict(self.converter.field2property(field))
        for noise in ("readOnly", "writeOnly", "optional"):
            found.pop(noise, None)
        if not taken:
            for limit in ("minLength", "maxLength"):
                found.pop(limit, None)
        if taken and field.required and found.get("type") == "string":
            found.setdefault("minLength", 1)
        return found

    # Parameters

    def _query_parameters(self, route: Route) -> list[Json]:
        endpoint = route.endpoint
        if issubclass(endpoint, Crud) and route.method == "GET" and route.is_collection:
            return [self._list_parameter(endpoint.listing, name) for name in endpoint.listing.parameters]
        declared = route.parameters.items()
        return [_query(name, self._property(field, taken=True) if name != "expand" else _expand(endpoint)) for name, field in declared]

    def _list_parameter(self, listing: Listing, name: str) -> Json:
        known: Json = {
            "page": {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER, "default": 1},
            "limit": {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT, "description": f"Cut to {MAX_LIMIT}."},
            "offset": {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER},
            "cursor": {"type": "string"},
            "count": {"type": "boolean"},
            "sort": {"type": "string", "enum": list(listing.sort), "default": listing.sort[0]},
            "order": {"type": "string", "enum": ["asc", "desc"], "default": "asc"},
            "search": {"type": "string", "maxLength": 1000},
            "id__in": {"type": "string", "description": f"At most {MAX_IDS} ids, comma-separated."},
            "expand": {"type": "string", "description": f"Comma-separated: {', '.join(listing.expand)}."},
        }
        if name in known:
            return _query(name, known[name])
        return _query(name, _column(getattr(listing.model, name)))


def _object(properties: Json, required: list[str]) -> Json:
    """OpenAPI 3.0 forbids an empty ``required``."""
    found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


class _NoSpec:
    """The converter only asks for components that this module writes itself."""

    components: Any = None
    openapi_version: Any = None


def _name(schema: BaseSchema) -> str:
    return type(schema).__name__.removesuffix("Schema")


def _tag(path: str) -> str:
    first = path.strip("/").split("/")[0]
    if path.startswith("/organization_units") and path.endswith("/positions"):
        return "positions"
    if path.startswith("/positions") and path.endswith("/users"):
        return "users"
    return first if first in TAGS else "system"


TAGS = (
    "auth", "companies", "users", "organization_units", "positions", "customers", "subcontractors",
    "document-types", "guardian",
)  # fmt: skip


def _operation_id(route: Route) -> str:
    words = re.sub(r"[<>]", "", route.path).replace(".", "_").replace("-", "_").strip("/").replace("/", "_")
    return f"{route.method.lower()}_{words}"


def _summary(route: Route) -> str:
    endpoint = route.endpoint
    own = inspect.getdoc(getattr(endpoint, route.method.lower()))
    about = (inspect.getdoc(endpoint) or "").split("\n")[0]
    if not issubclass(endpoint, Crud):
        return (own or about).split("\n")[0]
    verb = {"GET": "Read one" if not route.is_collection else "List", "POST": "Create", "PUT": "Replace", "PATCH": "Change", "DELETE": "Delete"}
    return f"{verb[route.method]}: {about[:1].lower()}{about[1:]}"


def _path_parameters(path: str) -> list[Json]:
    names = re.findall(r"<(\w+)>", path)
    return [{"name": name, "in": "path", "required": True, "schema": UUID_SCHEMA if name.endswith("id") else {"type": "string"}} for name in names]


def _query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}


def _expand(endpoint: Any) -> Json:
    return {"type": "string", "description": f"Comma-separated: {', '.join(endpoint.expand)}."}


def _header_parameters(route: Route) -> list[Json]:
    if not _has_etag(route):
        return []
    name = "If-None-Match" if route.method == "GET" else "If-Match"
    return [{"name": name, "in": "header", "schema": {"type": "string"}}]


def _has_etag(route: Route) -> bool:
    endpoint = route.endpoint
    return issubclass(endpoint, Crud) and endpoint.versioned and not route.is_collection


def _usual_errors(route: Route) -> set[int]:
    found = {400, 503}
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
    endpoint = route.endpoint
    return endpoint.parent.column if issubclass(endpoint, Crud) and endpoint.parent and route.method == "POST" else ""


def _may_be_empty(schema: BaseSchema) -> bool:
    return not any(field.required for field in schema.load_fields.values())


def _embedded(expansion: Expansion) -> Json:
    properties = {name: _column(getattr(expansion.target, name), shown=True) for name in expansion.shown}
    item: Json = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "array", "items": item, "maxItems": 100} if expansion.foreign else {**item, "nullable": True}


TYPES: dict[str, Json] = {
    "UUID": UUID_SCHEMA,
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "str": {"type": "string"},
}


def _column(attribute: Any, *, shown: bool = False) -> Json:
    found = dict(TYPES[attribute.type.python_type.__name__])
    if shown and attribute.property.columns[0].nullable:
        found["nullable"] = True
    if not shown and found == {"type": "integer"}:
        found |= {"minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
    return found
