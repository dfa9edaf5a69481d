"""Files of customers' documents, stored byte for byte within the limits of customer and company."""

import hashlib
from contextlib import ExitStack
from typing import Any, ClassVar, cast
from uuid import UUID

import structlog
from flask import Response, request
from sqlalchemy import bindparam, func, select

from app.base.errors import Conflict, Invalid
from app.clients.storage.interface import DOCUMENTS, Key, Missing
from app.companies.service import lock_company
from app.core.db import counts
from app.core.db.lookup import not_found
from app.core.db.models import db
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import company_transaction, read_in_own_transaction
from app.core.files.download import BINARY, RangeNotSatisfiable, download, requested_range
from app.core.files.picture import STORAGE_ERRORS, check_enabled
from app.core.files.stored_file import Deposit, FileOwner, NewObject, StoredFile, storage_caller
from app.core.services import services
from app.core.web.declaration import CREATED_WITH_VERSION, declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.core.wire.forms import TEXT_BYTES, Upload, parse_texts, receive_form
from app.core.wire.stream import MB, PayloadTooLarge
from app.customers.documents.kinds import KINDS, TEXT, Kind, kind_of, safe_name
from app.customers.documents.office_files import Unacceptable
from app.customers.documents.resources import CustomerDocument, CustomerDocuments, DocumentSchema, check_dates
from app.customers.models import Customer
from app.customers.parts.part import CUSTOMER

log = structlog.get_logger(__name__)

FILE = "file"
MOST_DOCUMENTS = 100
SIZES = "customer_document.size"
"""The maintained total of a company's documents in bytes (``core/db/counts``)."""


class TooManyDocuments(Conflict):
    code, message = "TOO_MANY_DOCUMENTS", f"A customer has at most {MOST_DOCUMENTS} documents."


class QuotaExceeded(Conflict):
    code, message = "DOCUMENT_QUOTA_EXCEEDED", "The company's documents have no room for this one."


class UploadDocument(Endpoint):
    path, permission, own_transaction = CustomerDocuments.path, CustomerDocuments.permission, True
    forms = frozenset({"POST"})

    @declare(
        "uploadCustomerDocument",
        body=DocumentSchema(),
        upload=FILE,
        answer=DocumentSchema(),
        errors=(409, *STORAGE_ERRORS),
        **CREATED_WITH_VERSION,
    )
    def post(self, customer_id: UUID) -> Response:
        """Upload a document of a customer. A PDF, PNG, JPEG, WebP, TIFF, DOCX, XLSX or text in UTF-8."""
        check_enabled()
        with company_transaction(principal().company_id, writes=False):
            CUSTOMER.check_exists(customer_id)
        with ExitStack() as stack:
            values, upload = _receive_form(stack)
            file_values, kind = _inspect_file(upload)
            with company_transaction(principal().company_id, writes=False):
                CustomerDocuments.wire.check_refs(db.session(), values)
                check_room(customer_id, upload.size)
            deposit = Deposit(FileOwner(principal().company_id, Customer.bucket, customer_id))
            path = f"{DOCUMENTS}/{deposit.id}/document{kind.ending}"
            deposit.put([NewObject(path, upload.file, upload.size, kind.media_type)])
        with deposit.undo_on_error(), company_transaction(principal().company_id):
            row = _add_row(deposit, customer_id, values | file_values)
            deposit.is_complete = True
            documents = CustomerDocuments()
            documents.parent_id = customer_id
            return documents.respond_with_location(row)


def _receive_form(stack: ExitStack) -> tuple[dict[str, Any], Upload]:
    """Raises PayloadTooLarge, Invalid, and the errors of ``receive_form``."""
    most = services().settings.max_document_size_mb * MB
    texts, upload = receive_form(stack, FILE, most_bytes=most + TEXT_BYTES)
    values = CustomerDocuments.wire.checked(parse_texts(texts, CustomerDocuments.wire))
    check_dates(values)
    if upload is None or upload.size == 0:
        raise Invalid.field(FILE, "A file is required." if upload is None else "Is empty.")
    if upload.size > most:
        raise PayloadTooLarge(f"The file is larger than {most // MB} MB.")
    return values, upload


def _inspect_file(upload: Upload) -> tuple[dict[str, Any], Kind]:
    """The columns that follow from the file, and its kind. Raises Invalid."""
    try:
        kind = kind_of(upload.file)
    except Unacceptable as unacceptable:
        raise Invalid.field(FILE, str(unacceptable)) from None
    upload.file.seek(0)
    sha256 = hashlib.file_digest(cast(Any, upload.file), "sha256").hexdigest()
    name = safe_name(upload.name, kind)
    return {"file_name": name, "media_type": kind.media_type, "size": upload.size, "sha256": sha256}, kind


def _add_row(deposit: Deposit, customer_id: UUID, values: dict[str, Any]) -> CustomerDocument:
    """Uploads of a company take turns here, so that the limits still hold when the row is written."""
    lock_company()
    CUSTOMER.check_exists(customer_id)
    check_room(customer_id, values["size"])
    row = CustomerDocument(customer_id=customer_id, file_id=deposit.id, uploaded_by=principal().user_id, **values)
    db.session.add_all([deposit.row(), row])
    db.session.flush()
    return row


def check_room(customer_id: UUID, size: int) -> None:
    """Raises TooManyDocuments and QuotaExceeded."""
    own = select(func.count()).select_from(CustomerDocument).where(CustomerDocument.customer_id == customer_id)
    if (db.session.scalar(own) or 0) >= MOST_DOCUMENTS:
        raise TooManyDocuments()
    used = counts.totals_of(db.session(), (SIZES,))[SIZES]
    if used + size > services().settings.document_quota_mb * MB:
        raise QuotaExceeded()


FILE_OF_DOCUMENT = (
    CustomerDocument.file_name, CustomerDocument.media_type, CustomerDocument.size, CustomerDocument.sha256,
    StoredFile.bucket_type, StoredFile.bucket_id, StoredFile.objects,
)  # fmt: skip


def key_of(company_id: UUID, row: Any) -> Key:
    """The key for a row with the columns of StoredFile. A merged document keeps its first owner in the key."""
    [path] = row.objects
    return FileOwner(company_id, row.bucket_type, row.bucket_id).key(path)


class DownloadDocument(Endpoint):
    path, permission, moved = f"{CustomerDocuments.path}/<id>/download", CustomerDocuments.permission, True
    own_transaction = revalidated = True
    file_query: ClassVar = TenantQuery(
        select(*FILE_OF_DOCUMENT)
        .join(StoredFile, StoredFile.id == CustomerDocument.file_id)
        .where(CustomerDocument.id == bindparam("item_id"), CustomerDocument.customer_id == bindparam("customer_id"))
    )

    @declare(
        "downloadCustomerDocument",
        answer=BINARY,
        media=tuple(kind.media_type for kind in KINDS),
        also=(206,),
        errors=(RangeNotSatisfiable.status, *STORAGE_ERRORS),
    )
    def get(self, customer_id: UUID, id: UUID) -> Response:
        """Download a document of a customer. The bytes are those that were uploaded; Range selects a part of them."""
        check_enabled()
        row = self._read_row(customer_id, id)
        if request.if_none_match.contains_weak(row.sha256):
            return Response(status=304, headers={"ETag": f'"{row.sha256}"'})
        byte_range = requested_range(row.size, row.sha256)
        start, end = byte_range or (0, row.size)
        key = key_of(principal().company_id, row)
        try:
            content = services().storage.open(key, storage_caller(), start=start, end=end)
        except Missing:
            log.error("stored_file_missing", document_id=id, remedy="flask storage check")
            raise
        media_type = f"{row.media_type}; charset=utf-8" if row.media_type == TEXT.media_type else row.media_type
        return download(content, byte_range, size=row.size, name=row.file_name, media_type=media_type, tag=row.sha256)

    def _read_row(self, customer_id: UUID, id: UUID) -> Any:
        """Raises NotFound, of the customer first."""
        with tenant(principal().company_id):
            rows = read_in_own_transaction(self.file_query, {"item_id": id, "customer_id": customer_id})
        if rows:
            return rows[0]
        with company_transaction(principal().company_id, writes=False):
            CUSTOMER.check_exists(customer_id)
        raise not_found(CustomerDocument)
