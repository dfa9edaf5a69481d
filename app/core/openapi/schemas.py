"""Marshmallow schemas → the components of the OpenAPI document."""

from __future__ import annotations

from typing import Any, cast

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import INCLUDE, fields

from app.core.crud.expand import MOST_EMBEDDED, Expansion
from app.core.crud.filters import MAX_NUMBER
from app.core.wire.schema import BaseSchema

Json = dict[str, Any]
UUID_SCHEMA: Json = {"type": "string", "format": "uuid"}

PROBLEM_SCHEMA: Json = {
    "type": "object",
    "required": [
        "type",
        "title",
        "status",
        "detail",
        "message",
        "error_code",
        "timestamp",
        "path",
        "request_id",
    ],
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


class Components:
    """The schemas of the document by name, written when they are first referred to."""

    def __init__(self) -> None:
        self.schemas: Json = {"Problem": PROBLEM_SCHEMA, "Pagination": PAGINATION_SCHEMA}
        self._converter = OpenAPIConverter("3.0.3", str, cast(APISpec, _NoSpec()))

    def output(self, schema: BaseSchema, expansions: dict[str, Expansion] | None = None) -> Json:
        """What is answered: every field present, nothing besides."""
        name = _name(schema)
        if name not in self.schemas:
            self.schemas[name] = {}
            properties = {key: self.property(field) for key, field in schema.dump_fields.items()}
            required = [key for key, field in schema.dump_fields.items() if not field.metadata.get("optional")]
            self.schemas[name] = _object(properties, required)
        if expansions:
            for key, expansion in expansions.items():
                self.schemas[name]["properties"].setdefault(key, self._embedded(expansion))
        return {"$ref": f"#/components/schemas/{name}"}

    def _embedded(self, expansion: Expansion) -> Json:
        described = expansion.schema.dump_fields if expansion.schema else {}
        properties = {
            name: self.property(described[name])
            if name in described
            else column_schema(getattr(expansion.target, name), shown=True)
            for name in expansion.shown
        }
        item = _object(properties, list(properties))
        if not expansion.foreign:
            return {**item, "nullable": True}
        return {"type": "array", "items": item, "maxItems": MOST_EMBEDDED}

    def input(self, schema: BaseSchema, *, partial: bool, leave_out: str = "") -> Json:
        """What is taken."""
        name = f"{_name(schema)}{'Patch' if partial else 'Input'}{'Below' if leave_out else ''}"
        loaded = {
            key: field
            for key, field in schema.load_fields.items()
            if key != leave_out and not field.metadata.get("undocumented")
        }
        if name not in self.schemas:
            required = [key for key, field in loaded.items() if field.required and not partial]
            properties = {key: self.property(field, taken=True) for key, field in loaded.items()}
            self.schemas[name] = _object(properties, required)
            if schema.unknown == INCLUDE:
                self.schemas[name]["additionalProperties"] = True
        return {"$ref": f"#/components/schemas/{name}"}

    def property(self, field: fields.Field[Any], *, taken: bool = False) -> Json:
        if isinstance(field, fields.Nested):
            nested: Any = field.schema
            referred = self.input(nested, partial=False) if taken else self.output(nested)
            return {"allOf": [referred], "nullable": True} if field.allow_none else referred
        if isinstance(field, fields.List):
            return {"type": "array", "items": self.property(field.inner, taken=taken)}
        if isinstance(field, fields.Dict) and isinstance(field.value_field, fields.Nested):
            return {"type": "object", "additionalProperties": self.property(field.value_field)}
        found: Json = dict(self._converter.field2property(field))
        for noise in ("readOnly", "writeOnly", "optional"):
            found.pop(noise, None)
        if not taken:
            for limit in ("minLength", "maxLength"):
                found.pop(limit, None)
        if taken and field.required and found.get("type") == "string":
            found.setdefault("minLength", 1)
        return found


def _object(properties: Json, required: list[str]) -> Json:
    """OpenAPI 3.0 forbids an empty ``required``."""
    found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


def form_schema(upload: str, fields: Json | None = None, *, required: bool = True) -> Json:
    """A form with one file, and the properties of an object."""
    file = {upload: {"type": "string", "format": "binary"}}
    found = fields or {}
    return _object(found.get("properties", {}) | file, [*found.get("required", []), *([upload] if required else [])])


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
        found["nullable"] = True
    if not shown and found == {"type": "integer"}:
        found |= {"minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
    return found
