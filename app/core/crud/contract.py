"""The contract of a resource's methods, derived from its declarations."""

from __future__ import annotations

import inspect
from typing import Any

from app.base.text import article, pascal, words
from app.core.db.lookup import missing_code
from app.core.web.declaration import Declaration

VERBS = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}


def derive_declaration(crud: type[Any], method: str, *, collection: bool) -> Declaration:
    """The contract of one method of a Crud. ``collection`` is True for a path without an id at its end."""
    singular, plural = nouns(crud)
    is_list = method == "GET" and collection
    verb, noun = ("list", plural) if is_list else (VERBS[method], singular)
    texts = {
        "operation_id": verb + pascal(noun),
        "summary": f"{verb.capitalize()} {noun if is_list else f'{article(noun)} {noun}'}",
        "description": (inspect.getdoc(crud) or "").partition("\n")[0] if is_list else "",
    }
    return Declaration(**texts, **_details(crud, method, collection))  # type: ignore[arg-type]


def error_codes(crud: type[Any]) -> set[str]:
    return {missing_code(model) for model in (crud.model, *((crud.parent.model,) if crud.parent else ()))}


def _details(crud: type[Any], method: str, collection: bool) -> dict[str, object]:
    if method == "GET":
        answer = {"answer": crud.wire, "expand": crud.expand}
        if collection:
            return answer | {"collection": "array" if crud.unpaginated else "page"}
        return answer | {"errors": (404,), "has_version": crud.versioned}
    if method == "DELETE":
        preview = crud.removal_preview
        return {"answer": preview, "status": 204, "errors": (404, 409, 412), "has_version": crud.versioned}
    if method == "POST":
        headers = ("Location", "ETag") if crud.versioned else ("Location",)
        duplicate = {"also": (200,), "also_headers": headers} if _may_find_duplicate(crud) else {}
        created = {"body": crud.wire, "answer": crud.wire, "status": 201, "errors": (409,), "headers": headers}
        return created | duplicate | {"from_path": _from_path(crud)}
    updated = {"body": crud.change_wire, "answer": crud.wire, "errors": (404, 409, 412), "partial": method == "PATCH"}
    return updated | {"has_version": crud.versioned}


def _may_find_duplicate(crud: type[Any]) -> bool:
    return bool(crud.find_duplicate.__qualname__ != "Crud.find_duplicate")


def _from_path(crud: type[Any]) -> str:
    column = crud.parent.column if crud.parent else ""
    return column if column in crud.wire.load_fields else ""


def nouns(crud: type[Any]) -> tuple[str, str]:
    """Singular and plural: the declared ones, else from the names of the schema and of the class."""
    return crud.nouns or (words(crud.schema.__name__.removesuffix("Schema")), words(crud.__name__))
