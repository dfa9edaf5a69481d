"""Declarative list, create, retrieve, replace, modify and remove of one model."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import ColumnElement, select

from app.base.errors import ApiError, NotFound
from app.core.crud.contract import DeclaredResource
from app.core.crud.erase import release
from app.core.crud.expand import Expansion, embed
from app.core.crud.paging import ListQuery, parse, parse_choices
from app.core.db.lookup import not_found
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.security.derived_keys import keys_for
from app.core.web.body import answer, json_body, no_content
from app.core.web.etag import check_if_match, etag, is_unchanged
from app.core.web.permission import require_all
from app.core.web.principal import principal
from app.core.wire.own_ids import without_own_ids
from app.core.wire.schema import BaseSchema

CURSOR = "cursor"


class Crud(DeclaredResource, abstract=True):
    """Attributes declare, and hooks vary: ``before_create``, ``create``, ``change``, ``remove``, ``base_filter``,
    ``add_computed``."""

    expansions: Mapping[str, Expansion] = {}
    parent_id: UUID | None = None
    query: ListQuery
    values: dict[str, Any]

    # Hooks

    def before_create(self, values: dict[str, Any]) -> None:
        """Prepare the values of a new row outside the transaction: hashing, normalizing."""

    def create(self, values: dict[str, Any]) -> Any:
        """Add and flush the new row, inside the transaction."""
        row = self.model(**values)
        db.session.add(row)
        db.session.flush()
        return row

    def change(self, row: Any, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(row, name, value)
        db.session.flush()

    def remove(self, row: Any) -> Response | None:
        """Delete the row and its dependents. A returned answer replaces 204."""
        release(self.model, self.model.id == row.id)
        db.session.delete(row)
        db.session.flush()
        return None

    def base_filter(self, parent_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
        """The conditions of the list itself, before filters."""
        if self.parent is None:
            return ()
        return (getattr(self.model, self.parent.column) == parent_id,)

    def add_computed(self, items: list[dict[str, Any]]) -> None:
        """Add the fields that are no columns to the items."""

    # The life of a request

    def check_parameters(self) -> None:
        if request.method in ("GET", "HEAD") and "id" not in (request.view_args or {}):
            bound_to = f"{principal().company_id} {request.path}"
            self.query = parse(self.listing, dict(request.args.lists()), keys_for(CURSOR), bound_to)
        else:
            super().check_parameters()
        names = parse_choices("expand", request.args.get("expand", ""), tuple(self.expand))
        self.expansions = {name: self.expand[name] for name in names}

    def before(self, **ids: UUID) -> None:
        self.parent_id = ids.get(self.parent.place_in(self.path)) if self.parent else None
        require_all((expansion.permission, "LIST") for expansion in self.expansions.values())
        if request.method == "POST":
            self._prepare_values()
        elif request.method in ("PUT", "PATCH"):
            self.load_body(self.wire, partial=request.method == "PATCH")

    def _prepare_values(self) -> None:
        try:
            self.values = self._create_values()
            self.before_create(self.values)
        except ApiError:
            if self.parent is not None:
                # A missing parent is reported before a faulty body.
                with company_transaction(principal().company_id, writes=False):
                    self.check_parent()
            raise

    def _create_values(self) -> dict[str, Any]:
        """Raises Invalid, also for another parent than that in the path."""
        body = json_body()
        if self.parent is None:
            return self.wire.checked(body)
        column = self.parent.column
        declared = self.wire.load_fields.keys() - {column}
        values = without_own_ids(body, declared)
        if column in self.wire.load_fields:
            values[column] = str(self.parent_id)
        return self.wire.checked(values) | {column: self.parent_id}

    def get(self, id: UUID | None = None, **_above: UUID) -> Response:
        return self._list() if id is None else self._retrieve(id)

    def post(self, **_above: UUID) -> Response:
        self.check_parent()
        self.wire.check_refs(db.session(), self.values)
        return self.respond_with_location(self.create(self.values))

    def respond_with_location(self, row: Any, status: int = 201) -> Response:
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
        return self.write(self.find_row(id), self.wire, self.body())

    patch = put

    def delete(self, id: UUID, **_above: UUID) -> Response:
        row = self.find_row(id)
        self.check_version(row)
        return self.remove(row) or no_content()

    def check_parent(self) -> None:
        """Raises NotFound. Locks a parent whose writers take turns."""
        if self.parent is not None and self.parent_id is not None:
            self.parent.check_exists(self.parent_id)

    def find_row(self, id: UUID) -> Any:
        """The row, for writing. A row below the parent proves the parent too. Raises NotFound."""
        if self.parent is not None and self.parent.takes_turns:
            self.check_parent()
        below = () if self.parent is None else (getattr(self.model, self.parent.column) == self.parent_id,)
        row = db.session.scalar(select(self.model).where(self.model.id == id, *below))
        if row is None:
            raise self._missing()
        return row

    def _missing(self) -> NotFound:
        """The error of a missing row. Raises NotFound of a missing parent instead."""
        self.check_parent()
        return not_found(self.model)

    def serialize(self, row: Any) -> dict[str, Any]:
        item = {name: getattr(row, name) for name in self.columns}
        self.add_computed([item])
        return item

    def write(self, row: Any, schema: BaseSchema, values: dict[str, Any]) -> Response:
        """Change the row by the loaded values of the request's body, and answer with it."""
        schema.check_refs(db.session(), values)
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
        return answer(self._complete([self.reader.as_item(row)])[0], 200, tag)

    def _list(self) -> Response:
        query = self.query
        where = (*self.base_filter(self.parent_id), *query.conditions)
        rows = self.reader.rows(query, where)
        if not rows:
            self.check_parent()
        items = self._complete([self.reader.as_item(row) for row in rows[: query.limit]])
        if self.unpaginated:
            return answer(items)
        total = query.total_from(rows)
        if total is None and query.counted:
            total = self.reader.total(rows, where, query.members)
        return answer({"data": items, "pagination": query.pagination(rows, total, keys_for(CURSOR)[0])})

    def _complete(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.add_computed(items)
        embed(items, self.expansions)
        return items
