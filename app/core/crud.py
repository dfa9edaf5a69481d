"""Declarative list, create, retrieve, replace, modify and remove of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from flask import Response, request
from marshmallow import fields
from sqlalchemy import ColumnElement, Select, func, select

from app.core import counts
from app.core.auth import principal
from app.core.db import db
from app.core.erase import release
from app.core.errors import NotFound, PreconditionFailed
from app.core.expand import Expansion, embed
from app.core.http import Endpoint, answer, ask, body, no_content
from app.core.kernel import Permission, kernel
from app.core.keys import derived_key
from app.core.query import Listing, ListQuery, chosen, parse
from app.core.schema import BaseSchema

COLLECTION = {"list": "GET", "create": "POST"}
ITEM = {"retrieve": "GET", "replace": "PUT", "modify": "PATCH", "remove": "DELETE"}
VERBS = (*COLLECTION, *ITEM)


@dataclass(frozen=True)
class Parent:
    """The rows are those whose ``column`` is the id that the path names ``parent_id``."""

    model: type[Any]
    column: str


class Crud(Endpoint, abstract=True):
    """Attributes declare, hooks vary: ``prepare``, ``new``, ``change``, ``remove``, ``within``,
    ``present``."""

    model: ClassVar[type[Any]]
    schema: ClassVar[type[BaseSchema]]
    change_schema: ClassVar[type[BaseSchema] | None] = None
    filters: ClassVar[tuple[str, ...]] = ()
    sort: ClassVar[tuple[str, ...]] = ("created_at", "updated_at")
    expand: ClassVar[Mapping[str, Expansion]] = {}
    verbs: ClassVar[tuple[str, ...]] = VERBS
    parent: ClassVar[Parent | None] = None
    home: ClassVar[str] = ""
    counted: ClassVar[bool] = True
    bare: ClassVar[bool] = False
    versioned: ClassVar[bool] = True
    extra_answers: ClassVar[Mapping[str, BaseSchema]] = {}
    cacheable: ClassVar[bool] = True
    expansions: Mapping[str, Expansion] = {}

    query: ListQuery
    values: dict[str, Any]
    wire: ClassVar[BaseSchema]
    change_wire: ClassVar[BaseSchema]
    listing: ClassVar[Listing]
    columns: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.wire = cls.schema()
        cls.change_wire = cls.change_schema() if cls.change_schema else cls.wire
        cls.listing = Listing(cls.model, cls.filters, cls.sort, tuple(cls.expand))
        cls.columns = {name: getattr(cls.model, name) for name in cls.wire.dump_fields if hasattr(cls.model, name)}

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

    @classmethod
    def nested_in(cls) -> str:
        return cls.parent.model.__tablename__ if cls.parent else ""

    @classmethod
    def parameters_of(cls, method: str, *, collection: bool) -> Mapping[str, fields.Field[Any]]:
        if method in ("GET", "HEAD") and cls.expand:
            return {"expand": fields.String()}
        return super().parameters_of(method, collection=collection)

    # Hooks

    def prepare(self, values: dict[str, Any]) -> None:
        """Outside the transaction, on the values of a new row: hashing, normalising."""

    def new(self, values: dict[str, Any]) -> Any:
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

    def within(self, parent_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
        """What the list is about, before filters."""
        if self.parent is None:
            return ()
        return (getattr(self.model, self.parent.column) == parent_id,)

    def present(self, items: list[dict[str, Any]]) -> None:
        """Completes what is shown with what is not a column."""

    # The life of a request

    def check_parameters(self) -> None:
        if _is_get() and "id" not in (request.view_args or {}):
            key = derived_key(kernel().settings.secret_key, "cursor")
            bound_to = f"{principal().company_id} {request.path}"
            self.query = parse(self.listing, dict(request.args.lists()), key, bound_to)
        else:
            super().check_parameters()
        wished = chosen("expand", request.args.get("expand", ""), tuple(self.expand))
        self.expansions = {name: self.expand[name] for name in wished}

    def before(self, *, parent_id: UUID | None = None, **_ids: UUID) -> None:
        for expansion in self.expansions.values():
            ask(expansion.permission, "LIST")
        if request.method == "POST" and parent_id is None:
            self.values = self.wire.checked(body())
            self.prepare(self.values)

    def get(self, id: UUID | None = None, parent_id: UUID | None = None) -> Response:
        return self._list(parent_id) if id is None else self._retrieve(id)

    def post(self, parent_id: UUID | None = None) -> Response:
        if self.parent is not None and parent_id is not None:
            check_exists(self.parent.model, parent_id)
            self.values = self.wire.checked({self.parent.column: str(parent_id), **body()})
            self.values[self.parent.column] = parent_id
        self.wire.check_refs(db.session(), self.values)
        row = self.new(self.values)
        where = f"{request.script_root}{self.home or self.path}/{row.id}"
        return answer(self.shown(row), 201, {"Location": where, **self.tag(row)})

    def put(self, id: UUID) -> Response:
        return self._write(id, partial=False)

    def patch(self, id: UUID) -> Response:
        return self._write(id, partial=True)

    def delete(self, id: UUID) -> Response:
        row = self.found(id)
        self.check_version(row)
        return self.remove(row) or no_content()

    def found(self, id: UUID) -> Any:
        """The row, for writing. Raises NotFound."""
        row = db.session.scalar(select(self.model).where(self.model.id == id))
        if row is None:
            raise not_found(self.model)
        return row

    def shown(self, row: Any) -> dict[str, Any]:
        item = {name: getattr(row, name) for name in self.columns}
        self.present([item])
        return item

    def _write(self, id: UUID, *, partial: bool) -> Response:
        row = self.found(id)
        values = self.change_wire.checked(body(), partial=partial)
        self.check_version(row)
        self.change_wire.check_refs(db.session(), values)
        self.change(row, values)
        return answer(self.shown(row), 200, self.tag(row))

    def tag(self, row: Any) -> dict[str, str]:
        return {"ETag": etag(row.row_version)} if self.versioned else {}

    def check_version(self, row: Any) -> None:
        """Raises PreconditionFailed."""
        if self.versioned:
            check_if_match(row.row_version)

    def _retrieve(self, id: UUID) -> Response:
        version = (self.model.row_version,) if self.versioned else ()
        row = db.session.execute(select(*self.columns.values(), *version).where(self.model.id == id)).one_or_none()
        if row is None:
            raise not_found(self.model)
        tag = self.tag(row)
        if tag and self.cacheable and not self.expansions and request.if_none_match.contains_weak(str(row.row_version)):
            return Response(status=304, headers=tag)
        item = dict(zip(self.columns, row, strict=False))
        self.present([item])
        embed([item], self.expansions)
        return answer(item, 200, tag)

    def _list(self, parent_id: UUID | None) -> Response:
        query, where = self.query, self._where(parent_id)
        sort_value = self.listing.sort_column(query.sort).label("sort_")
        statement = query.ordered(select(*self.columns.values(), sort_value).where(*where, *query.after()))
        rows = db.session.execute(statement.offset(query.offset).limit(query.limit + 1)).all()
        if not rows and self.parent is not None and parent_id is not None:
            check_exists(self.parent.model, parent_id)
        items = [dict(zip(self.columns, row, strict=False)) for row in rows[: query.limit]]
        self.present(items)
        embed(items, self.expansions)
        if self.bare:
            return answer(items)
        return answer({"data": items, "pagination": self._pagination(rows, where)})

    def _where(self, parent_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
        return (*self.within(parent_id), *self.query.conditions)

    def _pagination(self, rows: Sequence[Any], where: tuple[ColumnElement[bool], ...]) -> dict[str, Any]:
        query = self.query
        total = self._total(rows, where) if query.counted else None
        has_more = len(rows) > query.limit
        cursor = None
        if has_more:
            last = rows[query.limit - 1]
            cursor = query.cursor(derived_key(kernel().settings.secret_key, "cursor"), last.sort_, last.id)
        known = total is not None and not query.by_cursor
        return {
            "page": None if query.by_cursor else query.page,
            "limit": query.limit,
            "total": total,
            "pages": -(-total // query.limit) if known and total is not None else None,
            "has_next": has_more,
            "has_prev": None if query.by_cursor else query.offset > 0,
            "next_cursor": cursor,
        }

    def _total(self, rows: Sequence[Any], where: tuple[ColumnElement[bool], ...]) -> int:
        """Exact. A page that is not full tells it by itself."""
        query = self.query
        if not query.by_cursor and len(rows) <= query.limit and (rows or not query.offset):
            return query.offset + len(rows)
        if not where and self.counted:
            return counts.total_of(db.session(), self.model.__tablename__)
        return db.session.scalar(select(func.count()).select_from(self.model).where(*where)) or 0


def _is_get() -> bool:
    return request.method in ("GET", "HEAD")


def etag(row_version: int) -> str:
    return f'"{row_version}"'


def check_if_match(row_version: int) -> None:
    """RFC 9110 section 13.1.1, by version only. Raises PreconditionFailed."""
    if request.headers.get("If-Match") is None:
        return
    if not request.if_match.contains_weak(str(row_version)):
        raise PreconditionFailed()


def not_found(model: type[Any]) -> NotFound:
    name: str = model.__tablename__
    return NotFound(f"{name.replace('_', ' ').capitalize()} not found.", code=f"{name.upper()}_NOT_FOUND")


def check_exists(model: type[Any], id: UUID) -> None:
    """Raises NotFound."""
    if db.session.scalar(select(model.id).where(model.id == id)) is None:
        raise not_found(model)
