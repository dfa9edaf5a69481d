"""Marshmallow schemas → the components of the OpenAPI document."""

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import INCLUDE, fields, validate

from app.core.crud.expand import MOST_EMBEDDED, Expansion
from app.core.crud.filters import MAX_NUMBER
from app.core.wire.schema import BaseSchema

Json = dict[str, Any]
UUID_SCHEMA: Json = {"type": "string", "format": "uuid"}

TEXT: Json = {"type": "string"}


def ref(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}


def nullable(schema: Json) -> Json:
    if "$ref" in schema or "enum" in schema or not isinstance(schema.get("type"), str):
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def object_schema(properties: Json, required: Iterable[str]) -> Json:
    """An object without other properties."""
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": names} if (names := list(required)) else {})


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
REFUSED: Json = {"type": "boolean", "description": "Of POST /guardian/check-access about somebody else."}
DENIED: Json = {"type": "string", "description": "What the policy engine did not grant, such as customer:DELETE."}
PROBLEM_SCHEMA = object_schema(PROBLEM_FIELDS | {"errors": ERRORS}, PROBLEM_FIELDS)
PROBLEM_SCHEMA["properties"].update(permission=DENIED, access_granted=REFUSED)

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
    """The components of the document by name, added with the first reference to them."""

    def __init__(self, error_codes: list[str]) -> None:
        self.schemas: Json = {
            "ErrorCode": {"type": "string", "enum": error_codes},
            "Problem": PROBLEM_SCHEMA,
            "Pagination": object_schema(PAGINATION_FIELDS, PAGINATION_FIELDS),
        }
        self.responses: Json = {}
        self.headers: Json = {}
        self.parameters: Json = {}
        # The converter reads nothing else of an APISpec, and this module writes the components.
        no_spec = SimpleNamespace(components=None, openapi_version=None)
        self._converter = OpenAPIConverter("3.1.0", str, cast(APISpec, no_spec))

    def by_section(self) -> Json:
        sections = ("schemas", "responses", "parameters", "headers")
        return {name: dict(sorted(getattr(self, name).items())) for name in sections}

    def page(self, item: Json) -> Json:
        """A reference to the page of ``item``, which is a reference itself."""
        name = f"{item['$ref'].rpartition('/')[2]}Page"
        fields = {"data": {"type": "array", "items": item}, "pagination": ref("schemas", "Pagination")}
        self.schemas.setdefault(name, object_schema(fields, fields))
        return ref("schemas", name)

    def output(self, schema: BaseSchema, expansions: Mapping[str, Expansion] | None = None) -> Json:
        """A reference to an answer: all fields present, no others."""
        name = _name(schema)
        if name not in self.schemas:
            self.schemas[name] = {}
            properties = {key: self.property(field) for key, field in schema.dump_fields.items()}
            required = [key for key, field in schema.dump_fields.items() if not field.metadata.get("optional")]
            self.schemas[name] = object_schema(properties, required)
        if expansions:
            for key, expansion in expansions.items():
                self.schemas[name]["properties"].setdefault(key, self._expansion_schema(expansion))
        return ref("schemas", name)

    def _expansion_schema(self, expansion: Expansion) -> Json:
        declared = expansion.schema.dump_fields if expansion.schema else {}
        properties = {
            name: self.property(declared[name])
            if name in declared
            else column_schema(getattr(expansion.target, name), for_input=False)
            for name in expansion.shown
        }
        item = object_schema(properties, list(properties))
        if not expansion.foreign:
            return nullable(item)
        return {"type": "array", "items": item, "maxItems": MOST_EMBEDDED}

    def input(self, schema: BaseSchema, *, partial: bool, from_path: str = "") -> Json:
        """A reference to a body, without the field ``from_path``, whose value comes from the path."""
        name = f"{_name(schema)}{'Patch' if partial else 'Input'}{'Below' if from_path else ''}"
        accepted = input_fields(schema, from_path)
        if name not in self.schemas:
            required = [key for key, field in accepted.items() if field.required and not partial]
            properties = {key: self.property(field, for_input=True) for key, field in accepted.items()}
            self.schemas[name] = object_schema(properties, required)
            if schema.unknown == INCLUDE:
                self.schemas[name]["additionalProperties"] = True
        return ref("schemas", name)

    def property(self, field: fields.Field[Any], *, for_input: bool = False) -> Json:
        if isinstance(field, fields.Nested):
            nested: Any = field.schema
            reference = self.input(nested, partial=False) if for_input else self.output(nested)
            return nullable(reference) if field.allow_none else reference
        if isinstance(field, fields.List):
            return {"type": "array", "items": self.property(field.inner, for_input=for_input)} | _bounds(
                field, "Items", for_input
            )
        if isinstance(field, fields.Dict):
            values = {"additionalProperties": self.property(field.value_field)} if field.value_field else {}
            return {"type": "object"} | values | _bounds(field, "Properties", for_input)
        schema: Json = dict(self._converter.field2property(field))
        for keyword in ("readOnly", "writeOnly", "optional", "example"):
            schema.pop(keyword, None)
        if not for_input:
            for keyword in ("minLength", "maxLength"):
                schema.pop(keyword, None)
        if for_input and field.required and schema.get("type") == "string":
            schema.setdefault("minLength", 1)
        return or_empty(schema) if for_input and field.allow_none else schema


def _bounds(field: fields.Field[Any], counted: str, for_input: bool) -> Json:
    """The limits of a list's or a map's length in a body."""
    rules = [rule for rule in field.validators if isinstance(rule, validate.Length)] if for_input else []
    limits = [("min", rule.min) for rule in rules] + [("max", rule.max) for rule in rules]
    return {f"{side}{counted}": limit for side, limit in limits if limit is not None}


def or_empty(schema: Json) -> Json:
    """The schema of a nullable field, which takes the empty text too, as forms of HTML send it."""
    is_free = "string" in schema.get("type", ()) and schema.keys().isdisjoint(
        ("format", "enum", "pattern", "minLength")
    )
    return schema if is_free else {"anyOf": [schema, {"type": "string", "maxLength": 0}]}


def input_fields(schema: BaseSchema, from_path: str = "") -> dict[str, fields.Field[Any]]:
    """The fields of a body, without ``undocumented`` ones, which exist to refuse a value."""
    return {
        field.data_key or name: field
        for name, field in schema.load_fields.items()
        if name != from_path and not field.metadata.get("undocumented")
    }


def form_schema(upload: str, fields: Json | None = None, *, required: bool = True) -> Json:
    """A form with a file ``upload`` and the properties of the object schema ``fields``."""
    file = {upload: {"type": "string", "format": "binary"}}
    texts = fields or {}
    return object_schema(
        texts.get("properties", {}) | file, [*texts.get("required", []), *([upload] if required else [])]
    )


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


def column_schema(attribute: Any, *, for_input: bool = True) -> Json:
    schema = dict(TYPES[attribute.type.python_type.__name__])
    if not for_input:
        return nullable(schema) if attribute.property.columns[0].nullable else schema
    return schema | ({"minimum": -MAX_NUMBER, "maximum": MAX_NUMBER} if schema == {"type": "integer"} else {})
