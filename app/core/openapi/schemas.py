"""Marshmallow schemas → the components of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import INCLUDE, fields

from app.core.crud.expand import MOST_EMBEDDED, Expansion
from app.core.crud.filters import MAX_NUMBER
from app.core.wire.schema import BaseSchema

Json = dict[str, Any]
UUID_SCHEMA: Json = {"type": "string", "format": "uuid"}

TEXT: Json = {"type": "string"}


def ref(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}


def nullable(schema: Json) -> Json:
    """The schema, or null."""
    if "$ref" in schema or "enum" in schema or not isinstance(schema.get("type"), str):
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def object_schema(properties: Json, required: Iterable[str]) -> Json:
    """Every property that is not named is refused."""
    described: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return described | ({"required": names} if (names := list(required)) else {})


PROBLEM_FIELDS: Json = {
    "type": TEXT,
    "title": TEXT,
    "status": {"type": "integer"},
    "detail": TEXT,
    "message": TEXT,
    "error_code": ref("schemas", "ErrorCode"),
    "timestamp": {"type": "string", "format": "date-time"},
    "path": TEXT,
    "request_id": TEXT,
}
ERRORS: Json = {"type": "object", "additionalProperties": True, "description": "Messages by field."}
PROBLEM_SCHEMA = object_schema(PROBLEM_FIELDS | {"errors": ERRORS}, PROBLEM_FIELDS)

PAGINATION_FIELDS: Json = {
    "page": nullable({"type": "integer"}),
    "limit": {"type": "integer"},
    "total": nullable({"type": "integer"}),
    "pages": nullable({"type": "integer"}),
    "has_next": {"type": "boolean"},
    "has_prev": nullable({"type": "boolean"}),
    "next_cursor": nullable(TEXT),
}


class Components:
    """The components of the document by name, written when they are first referred to."""

    def __init__(self, error_codes: list[str]) -> None:
        self.schemas: Json = {
            "ErrorCode": {"type": "string", "enum": error_codes},
            "Problem": PROBLEM_SCHEMA,
            "Pagination": object_schema(PAGINATION_FIELDS, PAGINATION_FIELDS),
        }
        self.responses: Json = {}
        self.headers: Json = {}
        self.parameters: Json = {}
        self._converter = OpenAPIConverter("3.1.0", str, cast(APISpec, _NoSpec()))

    def document(self) -> Json:
        sections = ("schemas", "responses", "parameters", "headers")
        return {name: dict(sorted(getattr(self, name).items())) for name in sections}

    def page(self, item: Json) -> Json:
        """A page of the items that a reference names."""
        name = f"{item['$ref'].rpartition('/')[2]}Page"
        fields = {"data": {"type": "array", "items": item}, "pagination": ref("schemas", "Pagination")}
        self.schemas.setdefault(name, object_schema(fields, fields))
        return ref("schemas", name)

    def output(self, schema: BaseSchema, expansions: Mapping[str, Expansion] | None = None) -> Json:
        """What is answered: every field present, nothing besides."""
        name = _name(schema)
        if name not in self.schemas:
            self.schemas[name] = {}
            properties = {key: self.property(field) for key, field in schema.dump_fields.items()}
            required = [key for key, field in schema.dump_fields.items() if not field.metadata.get("optional")]
            self.schemas[name] = object_schema(properties, required)
        if expansions:
            for key, expansion in expansions.items():
                self.schemas[name]["properties"].setdefault(key, self._embedded(expansion))
        return ref("schemas", name)

    def _embedded(self, expansion: Expansion) -> Json:
        described = expansion.schema.dump_fields if expansion.schema else {}
        properties = {
            name: self.property(described[name])
            if name in described
            else column_schema(getattr(expansion.target, name), shown=True)
            for name in expansion.shown
        }
        item = object_schema(properties, list(properties))
        if not expansion.foreign:
            return nullable(item)
        return {"type": "array", "items": item, "maxItems": MOST_EMBEDDED}

    def input(self, schema: BaseSchema, *, partial: bool, from_path: str = "") -> Json:
        """What is taken, without the field that the path gives."""
        name = f"{_name(schema)}{'Patch' if partial else 'Input'}{'Below' if from_path else ''}"
        taken = loaded_fields(schema, from_path)
        if name not in self.schemas:
            required = [key for key, field in taken.items() if field.required and not partial]
            properties = {key: self.property(field, taken=True) for key, field in taken.items()}
            self.schemas[name] = object_schema(properties, required)
            if schema.unknown == INCLUDE:
                self.schemas[name]["additionalProperties"] = True
        return ref("schemas", name)

    def property(self, field: fields.Field[Any], *, taken: bool = False) -> Json:
        if isinstance(field, fields.Nested):
            nested: Any = field.schema
            referred = self.input(nested, partial=False) if taken else self.output(nested)
            return nullable(referred) if field.allow_none else referred
        if isinstance(field, fields.List):
            return {"type": "array", "items": self.property(field.inner, taken=taken)}
        if isinstance(field, fields.Dict) and isinstance(field.value_field, fields.Nested):
            return {"type": "object", "additionalProperties": self.property(field.value_field)}
        found: Json = dict(self._converter.field2property(field))
        for noise in ("readOnly", "writeOnly", "optional", "example"):
            found.pop(noise, None)
        if not taken:
            for limit in ("minLength", "maxLength"):
                found.pop(limit, None)
        if taken and field.required and found.get("type") == "string":
            found.setdefault("minLength", 1)
        return found


def loaded_fields(schema: BaseSchema, from_path: str = "") -> dict[str, fields.Field[Any]]:
    """The fields that a body may have; one that only refuses is marked in its metadata."""
    return {
        name: field
        for name, field in schema.load_fields.items()
        if name != from_path and not field.metadata.get("undocumented")
    }


def form_schema(upload: str, fields: Json | None = None, *, required: bool = True) -> Json:
    """A form with one file, and the properties of an object."""
    file = {upload: {"type": "string", "format": "binary"}}
    found = fields or {}
    return object_schema(
        found.get("properties", {}) | file, [*found.get("required", []), *([upload] if required else [])]
    )


class _NoSpec:
    """The converter only asks for components that this module writes itself."""

    components: Any = None
    openapi_version: Any = None


def _name(schema: BaseSchema) -> str:
    return type(schema).__name__.removesuffix("Schema")


TYPES: dict[str, Json] = {
    "UUID": UUID_SCHEMA,
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "str": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}


def column_schema(attribute: Any, *, shown: bool = False) -> Json:
    found = dict(TYPES[attribute.type.python_type.__name__])
    if shown and attribute.property.columns[0].nullable:
        return nullable(found)
    if not shown and found == {"type": "integer"}:
        found |= {"minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
    return found
