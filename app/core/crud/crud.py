"""Declarative list, create, retrieve, replace, modify and remove of one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from flask import Response, request
from marshmallow import fields
from sqlalchemy import ColumnElement, select

from app.base.errors import ApiError, Invalid, NotFound
from app.base.keys import derive_key
from app.base.permission import Permission
from app.core.crud import contract
from app.core.crud.erase import release
from app.core.crud.expand import Expansion, embed
from app.core.crud.filters import DEFAULT_LIMIT, Filter, Listing
from app.core.crud.paging import MAX_LIMIT, ListQuery, chosen, parse
from app.core.crud.reader import Reader
from app.core.db.lookup import Parent, not_found
from app.core.db.models import Versioned, db
from app.core.services import services
from app.core.web.body import answer, json_body, no_content
from app.core.web.endpoint import Endpoint
from app.core.web.etag import check_if_match, etag, is_unchanged
from app.core.web.permission import require_all
from app.core.web.principal import principal
from app.core.wire.schema import BaseSchema

COLLECTION = {"list": "GET", "create": "POST"}
ITEM = {"retrieve": "GET", "replace": "PUT", "modify": "PATCH", "remove": "DELETE"}
VERBS = (*COLLECTION, *ITEM)


class Crud(Endpoint, abstract=True):
    """Attributes declare, hooks vary: ``before_create``, ``find_duplicate``, ``create``, ``change``, ``remove``,
    ``base_filter``, ``require_parent``, ``add_computed``."""

    model: ClassVar[type[Any]]
    schema: ClassVar[type[BaseSchema]]
    nouns: ClassVar[tuple[str, str] | None] = None
    change_schema: ClassVar[type[BaseSchema] | None] = None
    filters: ClassVar[tuple[str, ...]] = ()
    more_filters: ClassVar[Mapping[str, Filter]] = {}
    search: ClassVar[tuple[str, ...]] = ("search_text",)
    pinned_first: ClassVar[str] = ""
    sort: ClassVar[tuple[str, ...]] = ("created_at", "updated_at")
    expand: ClassVar[Mapping[str, Expansion]] = {}
    verbs: ClassVar[tuple[str, ...]] = VERBS
    parent: ClassVar[Parent | None] = None
    canonical_path: ClassVar[str] = ""
    unpaginated: ClassVar[bool] = False
    removal_preview: ClassVar[BaseSchema | None] = None
    cacheable: ClassVar[bool] = True
    expansions: Mapping[str, Expansion] = {}
    parent_id: UUID | None = None

    query: ListQuery
    values: dict[str, Any]
    wire: ClassVar[BaseSchema]
    change_wire: ClassVar[BaseSchema]
    listing: ClassVar[Listing]
    columns: ClassVar[dict[str, Any]]
    reader: ClassVar[Reader]
    versioned: ClassVar[bool]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.is_abstract:
            return
        cls.wire = cls.schema()
        cls.change_wire = cls.change_schema() if cls.change_schema else cls.wire
        # A bare array cannot say that there is more, and those who expect one do not ask for pages.
        limit = MAX_LIMIT if cls.unpaginated else DEFAULT_LIMIT
        declared = (cls.search, cls.more_filters, cls.pinned_first)
        cls.listing = Listing(cls.model, cls.filters, cls.sort, tuple(cls.expand), limit, *declared)
        cls.columns = {name: getattr(cls.model, name) for name in cls.wire.dump_fields if hasattr(cls.model, name)}
        cls.versioned = issubclass(cls.model, Versioned)
        version = cls.model.row_version if cls.versioned else None
        cls.reader = Reader(cls.listing, cls.columns, version, cls.parent.column if cls.parent else "")

    @classmethod
    def paths(cls) -> list[tuple[str, list[str]]]:
        found = []
        for verbs, path in ((COLLECTION, cls.path), (ITEM, f"{cls.path}/<id>")):
            methods = [method for verb, method in verbs.items() if verb in cls.verbs]
            if methods:
                found.append((path, methods))
        return found

    @classmethod
    def permission_of(cls, method: str, *, collection: bool) -> Permission | None:
        if not cls.permission:
            return None
        operation = "LIST" if method == "GET" and collection else cls.operations[method]
        return Permission(cls.service, cls.permission, operation, method in cls.platform)

    declaration_of = classmethod(contract.derive_declaration)
    error_codes = classmethod(contract.error_codes)

    @classmethod
    def parent_kind(cls) -> str:
        return cls.parent.model.__tablename__ if cls.parent else ""

    @classmethod
    def parameters_of(cls, method: str, *, collection: bool) -> Mapping[str, fields.Field[Any]]:
        if method in ("GET", "HEAD") and cls.expand:
            return {"expand": fields.String()}
        return super().parameters_of(method, collection=collection)

    # Hooks

    def before_create(self, values: dict[str, Any]) -> None:
        """Outside the transaction, on the values of a new row: hashing, normalising."""

    def find_duplicate(self, values: dict[str, Any]) -> Any:
        """Inside the transaction: the row that was made for these values before, to be answered with 200."""
        return None

    def create(self, values: dict[str, Any]) -> Any:
        """Inside the transaction: the new row, flushed."""
        row = self.model(**values)
        db.session.add(row)
        db.session.flush()
        return row

    def change(self, row: Any, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(row, name, value)
        db.session.flush()

    def remove(self, row: Any) -> Response | None:
        """The row and what depends on it. An answer that is returned takes the place of 204."""
        release(self.model, self.model.id == row.id)
        db.session.delete(row)
        db.session.flush()
        return None

    def base_filter(self, parent_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
        """What the list is about, before filters."""
        if self.parent is None:
            return ()
        return (getattr(self.model, self.parent.column) == parent_id,)

    def require_parent(self) -> None:
        """Raises NotFound unless what the path names above the row or list is there."""
        if self.parent is not None and self.parent_id is not None:
            self.parent.check(self.parent_id)

    def add_computed(self, items: list[dict[str, Any]]) -> None:
        """Completes what is shown with what is not a column."""

    # The life of a request

    def check_parameters(self) -> None:
        if _is_get() and "id" not in (request.view_args or {}):
            bound_to = f"{principal().company_id} {request.path}"
            self.query = parse(self.listing, dict(request.args.lists()), cursor_key(), bound_to)
        else:
            super().check_parameters()
        wished = chosen("expand", request.args.get("expand", ""), tuple(self.expand))
        self.expansions = {name: self.expand[name] for name in wished}

    def before(self, **ids: UUID) -> None:
        self.parent_id = ids.get(self.parent.place_in(self.path)) if self.parent else None
        require_all((each.permission, "LIST") for each in self.expansions.values())
        if request.method == "POST":
            self._prepare_values()

    def _prepare_values(self) -> None:
        try:
            self.values = self._create_values()
            self.before_create(self.values)
        except ApiError:
            if self.parent is not None:
                # A missing parent is reported before a faulty body.
                with self.transaction():
                    self.require_parent()
            raise

    def _create_values(self) -> dict[str, Any]:
        """Raises Invalid, also for a field that the path gives."""
        values = json_body()
        if self.parent is None:
            return self.wire.checked(values)
        column = self.parent.column
        if column not in self.wire.load_fields:
            return self.wire.checked(values) | {column: self.parent_id}
        if column in values:
            raise Invalid.field(column, "Comes from the path.")
        return self.wire.checked({**values, column: str(self.parent_id)})

    def get(self, id: UUID | None = None, **_above: UUID) -> Response:
        return self._list() if id is None else self._retrieve(id)

    def post(self, **_above: UUID) -> Response:
        self.require_parent()
        self.wire.check_refs(db.session(), self.values)
        duplicate = self.find_duplicate(self.values)
        return self.created(self.create(self.values)) if duplicate is None else self.created(duplicate, 200)

    def created(self, row: Any, status: int = 201) -> Response:
        """The answer of a POST."""
        return self.respond(row, status, Location=self._location(row))

    def respond(self, row: Any, status: int = 200, **headers: str) -> Response:
        """The row, with its version."""
        return answer(self.serialize(row), status, headers | self.etag_headers(row))

    def _location(self, row: Any) -> str:
        place = self.parent.place_in(self.path) if self.parent else ""
        where = (self.canonical_path or self.path).replace(f"<{place}>", str(self.parent_id))
        return f"{request.script_root}{where}/{row.id}"

    def put(self, id: UUID, **_above: UUID) -> Response:
        return self._write(id, partial=False)

    def patch(self, id: UUID, **_above: UUID) -> Response:
        return self._write(id, partial=True)

    def delete(self, id: UUID, **_above: UUID) -> Response:
        row = self.found(id)
        self.check_version(row)
        return self.remove(row) or no_content()

    def found(self, id: UUID) -> Any:
        """The row, for writing. Raises NotFound. That it is below the parent proves the parent too."""
        if self.parent is not None and self.parent.takes_turns:
            self.require_parent()
        above = () if self.parent is None else (getattr(self.model, self.parent.column) == self.parent_id,)
        row = db.session.scalar(select(self.model).where(self.model.id == id, *above))
        if row is None:
            raise self._missing()
        return row

    def _missing(self) -> NotFound:
        """Raises NotFound for what is above, if that is missing too."""
        self.require_parent()
        return not_found(self.model)

    def serialize(self, row: Any) -> dict[str, Any]:
        item = {name: getattr(row, name) for name in self.columns}
        self.add_computed([item])
        return item

    def _write(self, id: UUID, *, partial: bool) -> Response:
        row = self.found(id)
        values = self.change_wire.checked(json_body(), partial=partial)
        self.change_wire.check_refs(db.session(), values)
        self.check_version(row)
        self.change(row, values)
        return self.respond(row)

    def etag_headers(self, row: Any) -> dict[str, str]:
        return {"ETag": etag(row.row_version)} if self.versioned else {}

    def check_version(self, row: Any) -> None:
        """Raises PreconditionFailed."""
        if self.versioned:
            check_if_match(row.row_version)

    def _retrieve(self, id: UUID) -> Response:
        row = self.reader.item(id, self.parent_id)
        if row is None:
            raise self._missing()
        tag = self.etag_headers(row)
        if tag and self.cacheable and not self.expansions and is_unchanged(row.row_version):
            return Response(status=304, headers=tag)
        return answer(self._completed([self.reader.shown(row)])[0], 200, tag)

    def _list(self) -> Response:
        query = self.query
        where = (*self.base_filter(self.parent_id), *query.conditions)
        rows = self.reader.rows(query, where)
        if not rows:
            self.require_parent()
        items = self._completed([self.reader.shown(row) for row in rows[: query.limit]])
        if self.unpaginated:
            return answer(items)
        total = query.total_from(rows)
        if total is None and query.counted:
            total = self.reader.total(rows, where, query.members)
        return answer({"data": items, "pagination": query.pagination(rows, total, cursor_key())})

    def _completed(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.add_computed(items)
        embed(items, self.expansions)
        return items


def cursor_key() -> bytes:
    return derive_key(services().settings.secret_key, "cursor")


def _is_get() -> bool:
    return request.method in ("GET", "HEAD")
