"""The parameters of an operation, in its path, query and headers."""

import json
import re
from collections import Counter
from collections.abc import Iterable

from app.core.crud.crud import Crud
from app.core.crud.filters import MAX_IDS, MAX_NUMBER, MAX_SEARCH, Filter, Listing, takes_null
from app.core.crud.paging import MAX_LIMIT
from app.core.openapi.schemas import UUID_SCHEMA, Components, Json, column_schema, ref
from app.core.web.declaration import Declaration
from app.core.web.endpoint import is_id
from app.core.web.routing import Route
from app.core.wire.query import MAX_REPEATED


def describe_parameters(route: Route, declared: Declaration, components: Components) -> list[Json]:
    return [
        *_path_parameters(route.path),
        *_query_parameters(route, declared, components),
        *_header_parameters(route, declared),
    ]


def _query_parameters(route: Route, declared: Declaration, components: Components) -> list[Json]:
    endpoint = route.endpoint
    if issubclass(endpoint, Crud) and declared.collection:
        return [_collection_parameter(endpoint.listing, name) for name in endpoint.listing.parameters]
    return [
        _query_parameter(
            name, _expand_schema(declared.expand) if name == "expand" else components.property(field, for_input=True)
        )
        for name, field in route.parameters.items()
    ]


def _collection_parameter(listing: Listing, name: str) -> Json:
    known: Json = {
        "page": {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER, "description": "From 1."},
        "limit": {"type": "integer", "minimum": 1, "default": listing.limit, "description": f"Cut to {MAX_LIMIT}."},
        "offset": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_NUMBER,
            "description": "Rows to skip, instead of page.",
        },
        "cursor": {"type": "string", "description": "next_cursor of the page before, instead of page."},
        "count": {"type": "boolean", "description": "Whether to count; default true, false with cursor."},
        "sort": {"type": "string", "enum": list(listing.sort), "default": listing.sort[0]},
        "order": {"type": "string", "enum": ["asc", "desc"], "default": "asc"},
        "search": {"type": "string", "maxLength": MAX_SEARCH, "description": "A part of the text, in any case."},
        "id__in": {"type": "string", "description": f"At most {MAX_IDS} ids, comma-separated."},
        "expand": _expand_schema(listing.expand),
    }
    if name in known:
        return _query_parameter(name, known[name])
    if name in listing.more_filters:
        return _query_parameter(name, _custom_filter_schema(listing.more_filters[name]))
    column = getattr(listing.model, name)
    choices = listing.choices(name)
    schema = column_schema(column) | ({"enum": list(choices)} if choices else {})
    or_null = {"anyOf": [schema, {"type": "string", "enum": ["null"]}]}
    return _query_parameter(name, or_null if takes_null(column) else schema)


def _custom_filter_schema(custom: Filter) -> Json:
    schema = dict(custom.schema)
    if not custom.repeated:
        return schema
    description = schema.pop("description", "")
    return {"type": "array", "items": schema, "maxItems": MAX_REPEATED, "description": description}


def _path_parameters(path: str) -> list[Json]:
    names = re.findall(r"<(\w+)>", path)
    return [
        {"name": name, "in": "path", "required": True, "schema": UUID_SCHEMA if is_id(name) else {"type": "string"}}
        for name in names
    ]


def _query_parameter(name: str, schema: Json) -> Json:
    """Move the description from the schema to the parameter, where readers of the document look for it."""
    parameter: Json = {"name": name, "in": "query", "schema": {**schema}}
    description = parameter["schema"].pop("description", None)
    return parameter | ({"description": description} if description else {})


def _expand_schema(names: Iterable[str]) -> Json:
    return {"type": "string", "description": f"Comma-separated: {', '.join(names)}."}


def _header_parameters(route: Route, declared: Declaration) -> list[Json]:
    if not declared.has_version:
        return []
    name = "If-None-Match" if route.method == "GET" else "If-Match"
    return [{"name": name, "in": "header", "schema": {"type": "string"}, "description": CONDITIONS[name]}]


CONDITIONS = {
    "If-None-Match": "An ETag; 304 if it is still the current one.",
    "If-Match": "An ETag; 412 unless it is the current one.",
}


def share_parameters(operations: Iterable[Json]) -> Json:
    """Replace parameters by references, and return them by name; of several with one name, the most frequent."""
    lists = [operation.get("parameters", []) for operation in operations]
    counts = Counter(json.dumps(parameter) for parameters in lists for parameter in parameters)
    shared: dict[str, Json] = {}
    for text, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if count > 1:
            shared.setdefault(_key(json.loads(text)), json.loads(text))
    for parameters in lists:
        parameters[:] = [
            ref("parameters", _key(parameter)) if shared.get(_key(parameter)) == parameter else parameter
            for parameter in parameters
        ]
    return shared


def _key(parameter: Json) -> str:
    return parameter["name"] if parameter["in"] == "query" else f"{parameter['name']}.{parameter['in']}"
