"""GET /customers/{id}/export: all data about a customer as one ZIP."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, Any, ClassVar
from uuid import UUID

import orjson
from flask import Response
from sqlalchemy import ColumnElement, or_, select

from app.base.clock import utcnow
from app.core.crud.crud import Crud
from app.core.db.lookup import not_found
from app.core.db.models import db
from app.core.files.download import BINARY, download_headers
from app.core.files.images import WHOLE
from app.core.files.picture import path_of
from app.core.files.stored_file import FileOwner, StoredFile
from app.core.services import services
from app.core.web.body import JSON_OPTIONS
from app.core.web.declaration import declare
from app.core.web.default_roles import DefaultRoles
from app.core.web.endpoint import Endpoint
from app.core.web.permission import require_all
from app.core.web.principal import principal
from app.customers.documents.files import FILE_OF_DOCUMENT, key_of
from app.customers.documents.resources import CustomerDocument, CustomerDocuments
from app.customers.export.archive import Export, ObjectFile
from app.customers.merge.models import CustomerMerge
from app.customers.merge.resources import CustomerMerges
from app.customers.models import Customer
from app.customers.parts.addresses import CustomerAddresses
from app.customers.parts.contacts import CustomerContacts
from app.customers.parts.notes import CustomerNotes
from app.customers.parts.preferences import CommunicationPreferences, ConsentHistory
from app.customers.parts.services import CustomerServices
from app.customers.parts.subscriptions import SubscriptionHistory
from app.customers.parts.tags import TagsOfCustomer
from app.customers.resources import CustomerLogo, Customers

ARCHIVE = "application/zip"
PAGE = 500
COLLECTIONS: Mapping[str, type[Crud]] = {
    "addresses": CustomerAddresses,
    "contacts": CustomerContacts,
    "communication-preferences": CommunicationPreferences,
    "consent-history": ConsentHistory,
    "documents": CustomerDocuments,
    "merges": CustomerMerges,
    "notes": CustomerNotes,
    "services": CustomerServices,
    "subscription-history": SubscriptionHistory,
    "tags": TagsOfCustomer,
}
"""The parts, by the name of their file in the archive."""
# An export needs the permissions to read each part by itself.
REQUIRED_PERMISSIONS = (
    (Customers.permission, "READ"),
    *dict.fromkeys((endpoint.permission, "LIST") for endpoint in COLLECTIONS.values()),
    (CustomerDocuments.permission, "READ"),
    (CustomerLogo.permission, "READ"),
)


class ExportCustomer(Endpoint):
    path, permission, moved = f"{Customers.path}/<id>/export", "customer_export", True
    # Reading customers one by one is one thing, taking away all that is known of them another.
    default_roles: ClassVar[DefaultRoles] = {}
    limits = "10/hour"

    def before(self, **ids: UUID) -> None:
        require_all(REQUIRED_PERMISSIONS)

    @declare("exportCustomer", answer=BINARY, media=(ARCHIVE,), errors=(404,))
    def get(self, id: UUID) -> Response:
        """Export everything about a customer. A ZIP of its parts as JSON, its documents and a manifest."""
        row = Customers.reader.item(id)
        if row is None:
            raise not_found(Customer)
        export = _read_export(Customers.reader.as_item(row))
        response = Response(export.stream(), content_type=ARCHIVE, headers=download_headers(f"customer-{id}.zip"))
        # The server closes the response also if it never starts the stream.
        response.call_on_close(export.rows.close)
        return response


def _read_export(customer: dict[str, Any]) -> Export:
    """Spool the rows, so that a slow client keeps no transaction open."""
    about = {"company_id": customer["company_id"], "customer_id": customer["id"]}
    about |= {"exported_at": utcnow(), "exported_by": principal().user_id}
    storage, seconds = services().storage, services().settings.storage_request_timeout
    with ExitStack() as stack:
        rows = stack.enter_context(TemporaryFile())
        spooled = {"customer.json": _spool(rows, [customer], is_list=False)}
        for name, endpoint in COLLECTIONS.items():
            spooled[f"{name}.json"] = _spool(rows, _read_items(endpoint, customer["id"]))
        objects = [*_documents(customer["id"]), *_logos(customer)]
        # The file now stays open until the export is sent.
        stack.pop_all()
    return Export(about, rows, spooled, objects, storage, seconds, principal().token)


def _spool(rows: IO[bytes], items: Any, *, is_list: bool = True) -> int:
    """Returns the number of written bytes."""
    start = rows.tell()
    rows.write(b"[" if is_list else b"")
    for n, item in enumerate(items):
        rows.write((b",\n" if n else b"\n") + orjson.dumps(item, option=JSON_OPTIONS | orjson.OPT_INDENT_2))
    rows.write(b"\n]\n" if is_list else b"\n")
    return rows.tell() - start


def _read_items(endpoint: type[Crud], customer_id: UUID) -> Iterator[dict[str, Any]]:
    """In the order of creation, with one page in memory at a time."""
    model, resource = endpoint.model, endpoint()
    # No other endpoint shows the data for an undo.
    columns = endpoint.columns | ({"kept": CustomerMerge.undo_log} if endpoint is CustomerMerges else {})
    statement = select(*columns.values(), model.id.label("id_")).where(*_of_customer(resource, customer_id))
    page = statement.order_by(model.id).limit(PAGE)
    while rows := db.session.execute(page).all():
        items = [dict(zip(columns, row, strict=False)) for row in rows]
        resource.add_computed(items)
        yield from items
        page = statement.where(model.id > rows[-1].id_).order_by(model.id).limit(PAGE)


def _of_customer(resource: Crud, customer_id: UUID) -> tuple[ColumnElement[bool], ...]:
    column = getattr(resource.model, "customer_id", None)
    return resource.base_filter(customer_id) if column is None else (column == customer_id,)


def _documents(customer_id: UUID) -> Iterator[ObjectFile]:
    statement = (
        select(CustomerDocument.id, *FILE_OF_DOCUMENT)
        .outerjoin(StoredFile, StoredFile.id == CustomerDocument.file_id)
        .where(CustomerDocument.customer_id == customer_id)
        .order_by(CustomerDocument.id)
    )
    for row in db.session.execute(statement):
        key = None if row.objects is None else key_of(principal().company_id, row)
        yield ObjectFile(f"documents/{row.id}/{row.file_name}", key, row.size, row.sha256)


def _logos(customer: dict[str, Any]) -> Iterator[ObjectFile]:
    """The logos of the customer and of those merged into it."""
    merged = select(CustomerMerge.id).where(CustomerMerge.customer_id == customer["id"])
    is_owner = or_(StoredFile.bucket_id == customer["id"], StoredFile.bucket_id.in_(merged))
    columns = (StoredFile.id, StoredFile.bucket_type, StoredFile.bucket_id, StoredFile.objects)
    logo_id, is_known = customer["logo_file_id"], False
    for row in db.session.execute(select(*columns).where(StoredFile.bucket_type == Customer.bucket, is_owner)):
        path = path_of(row.id, CustomerLogo.field, WHOLE)
        if path in row.objects:
            key = FileOwner(principal().company_id, row.bucket_type, row.bucket_id).key(path)
            is_known = is_known or row.id == logo_id
            yield ObjectFile("logo.png" if row.id == logo_id else f"merged/{row.bucket_id}/logo.png", key, 0, "")
    if logo_id is not None and not is_known:
        yield ObjectFile("logo.png", None, 0, "")
