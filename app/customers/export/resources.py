"""GET /customers/{id}/export: everything held about a customer, as one ZIP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

import orjson
from flask import Response
from sqlalchemy import ColumnElement, or_, select

from app.base.clock import utcnow
from app.core.crud.crud import Crud
from app.core.db.lookup import not_found
from app.core.db.models import db
from app.core.files.download import BINARY, headers_of
from app.core.files.images import WHOLE
from app.core.files.picture import path_of
from app.core.files.stored_file import FileOwner, StoredFile
from app.core.services import services
from app.core.web.body import JSON_OPTIONS
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.permission import require_all
from app.core.web.principal import principal
from app.customers.documents.files import FILE_OF_DOCUMENT, key_of
from app.customers.documents.resources import CustomerDocument, Documents
from app.customers.export.archive import Export, Piece, StoredPiece
from app.customers.logo import CustomerLogo
from app.customers.merge.models import CustomerMerge
from app.customers.merge.resources import Merges
from app.customers.models import Customer
from app.customers.parts.addresses import Addresses
from app.customers.parts.contacts import Contacts
from app.customers.parts.notes import Notes
from app.customers.parts.preferences import CommunicationPreferences, ConsentHistory
from app.customers.parts.services import CustomerServices
from app.customers.parts.subscriptions import SubscriptionHistory
from app.customers.parts.tags import TagsOfCustomer
from app.customers.resources import Customers

ARCHIVE = "application/zip"
PAGE = 500
HELD: Mapping[str, type[Crud]] = {
    "addresses": Addresses,
    "contacts": Contacts,
    "communication-preferences": CommunicationPreferences,
    "consent-history": ConsentHistory,
    "documents": Documents,
    "merges": Merges,
    "notes": Notes,
    "services": CustomerServices,
    "subscription-history": SubscriptionHistory,
    "tags": TagsOfCustomer,
}
"""The parts, by the name of their file."""
UNSEEN: Mapping[type[Crud], Mapping[str, Any]] = {Merges: {"kept": CustomerMerge.undo_log}}
"""What is held and shown nowhere else."""
# Whoever gets all of it may see each part by itself.
NEEDED = (
    *dict.fromkeys((each.permission, "LIST") for each in HELD.values()),
    (Documents.permission, "READ"),
    (CustomerLogo.permission, "READ"),
)


class ExportCustomer(Endpoint):
    """Everything held about a customer."""

    path, permission, moved = f"{Customers.path}/<id>/export", Customers.permission, True

    def before(self, **ids: UUID) -> None:
        require_all(NEEDED)

    @declare("exportCustomer", answer=BINARY, media=(ARCHIVE,), errors=(404,))
    def get(self, id: UUID) -> Response:
        """Export everything about a customer. A ZIP of its parts as JSON, its documents and a manifest."""
        row = Customers.reader.item(id)
        if row is None:
            raise not_found(Customer)
        export = _read(Customers.reader.shown(row))
        found = Response(export.sent(), content_type=ARCHIVE, headers=headers_of(f"customer-{id}.zip"))
        # Also where nobody asks for a single byte.
        found.call_on_close(export.rows.close)
        return found


def _read(customer: dict[str, Any]) -> Export:
    """The rows, spooled: a client that reads slowly keeps no transaction open."""
    about = {name: customer[name] for name in ("company_id",)}
    about |= {"customer_id": customer["id"], "exported_at": utcnow(), "exported_by": principal().user_id}
    settings = services().settings
    with ExitStack() as stack:
        rows = stack.enter_context(TemporaryFile())
        pieces = [_written(rows, "customer.json", [customer], is_list=False)]
        pieces += [_written(rows, f"{name}.json", _rows(each, customer["id"])) for name, each in HELD.items()]
        stored = [*_documents(customer["id"]), *_logos(customer)]
        # From here on it is open until the export was sent.
        stack.pop_all()
    return Export(about, rows, pieces, stored, services().storage, settings.storage_request_timeout, principal().token)


def _written(rows: IO[bytes], name: str, items: Any, *, is_list: bool = True) -> Piece:
    start = rows.tell()
    rows.write(b"[" if is_list else b"")
    for n, item in enumerate(items):
        rows.write((b",\n" if n else b"\n") + orjson.dumps(item, option=JSON_OPTIONS | orjson.OPT_INDENT_2))
    rows.write(b"\n]\n" if is_list else b"\n")
    return Piece(name, start, rows.tell() - start)


def _rows(endpoint: type[Crud], customer_id: UUID) -> Iterator[dict[str, Any]]:
    """In the order in which they were made, a page in memory at a time."""
    model, shows = endpoint.model, endpoint()
    columns = {**endpoint.columns, **UNSEEN.get(endpoint, {})}
    wanted = select(*columns.values(), model.id.label("id_")).where(*_of_customer(shows, customer_id))
    page = wanted.order_by(model.id).limit(PAGE)
    while found := db.session.execute(page).all():
        items = [dict(zip(columns, row, strict=False)) for row in found]
        shows.add_computed(items)
        yield from items
        page = wanted.where(model.id > found[-1].id_).order_by(model.id).limit(PAGE)


def _of_customer(shows: Crud, customer_id: UUID) -> tuple[ColumnElement[bool], ...]:
    column = getattr(shows.model, "customer_id", None)
    return shows.base_filter(customer_id) if column is None else (column == customer_id,)


def _documents(customer_id: UUID) -> Iterator[StoredPiece]:
    statement = (
        select(CustomerDocument.id, *FILE_OF_DOCUMENT)
        .outerjoin(StoredFile, StoredFile.id == CustomerDocument.file_id)
        .where(CustomerDocument.customer_id == customer_id)
        .order_by(CustomerDocument.id)
    )
    for row in db.session.execute(statement):
        key = None if row.objects is None else key_of(principal().company_id, row)
        yield StoredPiece(f"documents/{row.id}/{row.file_name}", key, row.size, row.sha256)


def _logos(customer: dict[str, Any]) -> Iterator[StoredPiece]:
    """The customer's, and what is kept of those that were merged into it."""
    merged = select(CustomerMerge.id).where(CustomerMerge.customer_id == customer["id"])
    whose = or_(StoredFile.bucket_id == customer["id"], StoredFile.bucket_id.in_(merged))
    columns = (StoredFile.id, StoredFile.bucket_type, StoredFile.bucket_id, StoredFile.objects)
    shown, is_known = customer["logo_file_id"], False
    for row in db.session.execute(select(*columns).where(StoredFile.bucket_type == Customer.bucket, whose)):
        path = path_of(row.id, CustomerLogo.field, WHOLE)
        if path in row.objects:
            key = FileOwner(principal().company_id, row.bucket_type, row.bucket_id).key(path)
            is_known = is_known or row.id == shown
            yield StoredPiece("logo.png" if row.id == shown else f"merged/{row.bucket_id}/logo.png", key, 0, "")
    if shown is not None and not is_known:
        yield StoredPiece("logo.png", None, 0, "")
