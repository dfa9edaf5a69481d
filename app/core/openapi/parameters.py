"""The parameters of an operation: its path, its query, its headers."""

from __future__ import annotations

import re
from typing import Any

from app.core.crud.crud import Crud
from app.core.crud.filters import MAX_IDS, MAX_NUMBER, MAX_SEARCH, Filter, Listing, takes_null
from app.core.crud.paging import MAX_LIMIT
from app.core.openapi.schemas import UUID_SCHEMA, Components, Json, column_schema
from app.core.web.endpoint import is_id
from app.core.web.routing import Route
from app.core.wire.parameters import MAX_REPEATED


def parameters(route: Route, components: Components) -> list[Json]:
    return [*_path_parameters(route.path), *_query_parameters(route, components), *_header_parameters(route)]


def _query_parameters(route: Route, components: Components) -> list[Json]:
    endpoint = route.endpoint
    if issubclass(endpoint, Crud) and route.method == "GET" and route.is_collection:
        return [_list_parameter(endpoint.listing, name) for name in endpoint.listing.parameters]
    declared = route.parameters.items()
    return [
        _query(name, components.property(field, taken=True) if name != "expand" else _expand(endpoint))
        for name, field in declared
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


def _expand(endpoint: Any) -> Json:
    return {"type": "string", "description": f"Comma-separated: {', '.join(endpoint.expand)}."}


def _header_parameters(route: Route) -> list[Json]:
    if not has_etag(route):
        return []
    name = "If-None-Match" if route.method == "GET" else "If-Match"
    return [{"name": name, "in": "header", "schema": {"type": "string"}}]


def has_etag(route: Route) -> bool:
    endpoint = route.endpoint
    if not issubclass(endpoint, Crud):
        return endpoint.revalidated and route.method in ("GET", "PUT", "PATCH")
    return endpoint.versioned and not route.is_collection
