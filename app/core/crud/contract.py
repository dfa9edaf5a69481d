"""The declaration of a resource, and the contract of its methods that follows from it."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import fields

from app.base.permission import Permission
from app.base.text import article, pascal, words
from app.core.crud.expand import Expansion
from app.core.crud.filters import DEFAULT_LIMIT, Filter, Listing
from app.core.crud.paging import MAX_LIMIT
from app.core.crud.reader import Reader
from app.core.db.lookup import Parent, missing_code
from app.core.db.models import Versioned
from app.core.web.declaration import Declaration
from app.core.web.endpoint import Endpoint
from app.core.wire.schema import BaseSchema

COLLECTION = {"list": "GET", "create": "POST"}
ITEM = {"retrieve": "GET", "replace": "PUT", "modify": "PATCH", "remove": "DELETE"}
VERBS = (*COLLECTION, *ITEM)
WORDS = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}


class DeclaredResource(Endpoint, abstract=True):
    """``canonical_path`` is the collection of the rows that this one shows too. ``unpaginated`` lists are arrays.
    ``removal_preview`` describes the answer of a DELETE that is a dry run. Items that are not ``cacheable`` show
    more than their version stands for, and are never answered with 304."""

    model: ClassVar[type[Any]]
    schema: ClassVar[type[BaseSchema]]
    nouns: ClassVar[tuple[str, str] | None] = None
    filters: ClassVar[tuple[str, ...]] = ()
    more_filters: ClassVar[Mapping[str, Filter]] = {}
    sort: ClassVar[tuple[str, ...]] = ("created_at", "updated_at")
    expand: ClassVar[Mapping[str, Expansion]] = {}
    verbs: ClassVar[tuple[str, ...]] = VERBS
    parent: ClassVar[Parent | None] = None
    canonical_path: ClassVar[str] = ""
    unpaginated: ClassVar[bool] = False
    removal_preview: ClassVar[BaseSchema | None] = None
    cacheable: ClassVar[bool] = True

    wire: ClassVar[BaseSchema]
    listing: ClassVar[Listing]
    columns: ClassVar[dict[str, Any]]
    reader: ClassVar[Reader]
    versioned: ClassVar[bool]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.is_abstract:
            return
        cls.wire = cls.schema()
        # A bare array cannot say that there is more, and clients of one do not ask for pages.
        limit = MAX_LIMIT if cls.unpaginated else DEFAULT_LIMIT
        names = (cls.filters, cls.sort, tuple(cls.expand))
        cls.listing = Listing(cls.model, *names, limit, cls.more_filters, cls.wire.fields)
        cls.columns = {name: getattr(cls.model, name) for name in cls.wire.dump_fields if hasattr(cls.model, name)}
        cls.versioned = issubclass(cls.model, Versioned)
        version = cls.model.row_version if cls.versioned else None
        cls.reader = Reader(cls.listing, cls.columns, version, cls.parent.column if cls.parent else "")

    @classmethod
    def paths(cls) -> list[tuple[str, list[str]]]:
        collection = [method for verb, method in COLLECTION.items() if verb in cls.verbs]
        item = [method for verb, method in ITEM.items() if verb in cls.verbs]
        return [(path, methods) for path, methods in ((cls.path, collection), (f"{cls.path}/<id>", item)) if methods]

    @classmethod
    def permission_of(cls, method: str, *, collection: bool) -> Permission | None:
        if not cls.permission:
            return None
        operation = "LIST" if method == "GET" and collection else cls.operations[method]
        return Permission(cls.service, cls.permission, operation, method in cls.platform)

    @classmethod
    def parent_kind(cls) -> str:
        return cls.parent.model.__tablename__ if cls.parent else ""

    @classmethod
    def parameters_of(cls, method: str, *, collection: bool) -> Mapping[str, fields.Field[Any]]:
        if method in ("GET", "HEAD") and cls.expand:
            return {"expand": fields.String()}
        return super().parameters_of(method, collection=collection)

    @classmethod
    def error_codes(cls) -> set[str]:
        return {missing_code(model) for model in (cls.model, *((cls.parent.model,) if cls.parent else ()))}

    @classmethod
    def declaration_of(cls, method: str, *, collection: bool) -> Declaration:
        default = cls.permission.replace("_", " ") or words(cls.schema.__name__.removesuffix("Schema"))
        singular, plural = cls.nouns or (default, words(cls.__name__))
        is_list = method == "GET" and collection
        verb, noun = ("list", plural) if is_list else (WORDS[method], singular)
        return Declaration(
            operation_id=verb + pascal(noun),
            summary=f"{verb.capitalize()} {noun if is_list else f'{article(noun)} {noun}'}",
            description=(inspect.getdoc(cls) or "").partition("\n")[0] if is_list else "",
            **cls._details(method, collection),
        )

    @classmethod
    def _details(cls, method: str, collection: bool) -> dict[str, Any]:
        versioned = {"has_version": cls.versioned}
        if method == "GET" and collection:
            shape = "array" if cls.unpaginated else "page"
            return {"answer": cls.wire, "expand": cls.expand, "collection": shape}
        if method == "GET":
            return {"answer": cls.wire, "expand": cls.expand, "errors": (404,)} | versioned
        if method == "DELETE":
            return {"answer": cls.removal_preview, "status": 204, "errors": (404, 409, 412)} | versioned
        written = {"body": cls.wire, "answer": cls.wire}
        if method != "POST":
            return written | {"errors": (404, 409, 412), "partial": method == "PATCH"} | versioned
        headers = ("Location", "ETag") if cls.versioned else ("Location",)
        from_path = cls.parent.column if cls.parent and cls.parent.column in cls.wire.load_fields else ""
        return written | {"status": 201, "errors": (409,), "headers": headers, "from_path": from_path}
