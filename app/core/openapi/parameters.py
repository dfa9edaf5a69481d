"""The parameters of an operation: its path, its query, its headers."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from app.core.crud.crud import Crud
from app.core.crud.filters import MAX_IDS, MAX_NUMBER, MAX_SEARCH, Filter, Listing, takes_null
from app.core.crud.paging import MAX_LIMIT
from app.core.openapi.schemas import UUID_SCHEMA, Components, Json, column_schema, ref
from app.core.web.declaration import Declaration
from app.core.web.endpoint import is_id
from app.core.web.routing import Route
from app.core.wire.parameters import MAX_REPEATED


def parameters(route: Route, declared: Declaration, components: Components) -> list[Json]:
    return [
        *_path_parameters(route.path),
        *_query_parameters(route, declared, components),
        *_header_parameters(route, declared),
    ]


def _query_parameters(route: Route, declared: Declaration, components: Components) -> list[Json]:
    endpoint = route.endpoint
    if issubclass(endpoint, Crud) and declared.collection:
        return [_list_parameter(endpoint.listing, name) for name in endpoint.listing.parameters]
    return [
        _query(name, _expand(declared.expand) if name == "expand" else components.property(field, taken=True))
        for name, field in route.parameters.items()
    ]


def _list_parameter(listing: Listing, name: str) -> Json:
    known: Json = {
        "page": {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER, "description": "From 1."},
        "limit": {
            "type": "integer",
            "minimum": 1,
            "default": listing.limit,
            "description": f"Cut to {MAX_LIMIT}.",
        },
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
        "expand": {"type": "string", "description": f"Comma-separated: {', '.join(listing.expand)}."},
    }
    if name in known:
        return _query(name, known[name])
    if name in listing.more_filters:
        return _query(name, _more(listing.more_filters[name]))
    return _query(name, _filter(getattr(listing.model, name)))


def _more(declared: Filter) -> Json:
    one = dict(declared.schema)
    if not declared.repeated:
        return one
    description = one.pop("description", "")
    return {"type": "array", "items": one, "maxItems": MAX_REPEATED, "description": description}


def _filter(column: Any) -> Json:
    schema = column_schema(column)
    return {"anyOf": [schema, {"type": "string", "enum": ["null"]}]} if takes_null(column) else schema


def _path_parameters(path: str) -> list[Json]:
    names = re.findall(r"<(\w+)>", path)
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": UUID_SCHEMA if is_id(name) else {"type": "string"},
        }
        for name in names
    ]


def _query(name: str, schema: Json) -> Json:
    """The description belongs to the parameter: readers of the document look for it there."""
    found: Json = {"name": name, "in": "query", "schema": {**schema}}
    description = found["schema"].pop("description", None)
    return found | ({"description": description} if description else {})


def _expand(names: Iterable[str]) -> Json:
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
    """Replace parameters that several operations have by references; those parameters by name.

    Of several that differ in more than their name, the one that is used most is shared.
    """
    lists = [described.get("parameters", []) for described in operations]
    counts = Counter(json.dumps(parameter) for listed in lists for parameter in listed)
    shared: dict[str, Json] = {}
    for text, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if count > 1:
            shared.setdefault(_key(json.loads(text)), json.loads(text))
    for listed in lists:
        listed[:] = [
            ref("parameters", _key(parameter)) if shared.get(_key(parameter)) == parameter else parameter
            for parameter in listed
        ]
    return shared


def _key(parameter: Json) -> str:
    return parameter["name"] if parameter["in"] == "query" else f"{parameter['name']}.{parameter['in']}"
