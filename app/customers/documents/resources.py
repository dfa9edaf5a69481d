"""/customers/{id}/documents: the data of documents; ``files`` has uploads and downloads."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import fields, validate
from sqlalchemy import ColumnElement, Date, ForeignKey, Integer, String, and_, not_
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.base.errors import Invalid
from app.core.crud.filters import Filter
from app.core.db.models import Model, folded
from app.core.files.stored_file import FileRecord
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.core.wire.query import parse_boolean
from app.core.wire.schema import BaseSchema, CodeRef, Text, Timestamp, column_field, read_only_id
from app.customers.parts.part import CustomerPart, CustomerParts, PartSchema, below_customer
from app.document_types.models import DocumentType

STATUSES = ("pending", "verified", "rejected")
PENDING, REJECTED = STATUSES[0], STATUSES[2]
CLAIMS = ("document_type", "number", "issued_on", "expires_on")
"""The columns that a verdict confirms."""
UNDECIDED = {"verification_status": PENDING, "verification_reason": None, "verified_at": None, "verified_by": None}


class CustomerDocument(CustomerPart, FileRecord, Model):
    """``sha256`` is in hexadecimal; ``media_type`` follows from the content."""

    __tablename__ = "customer_document"
    __table_args__ = below_customer("customer_document", "uploaded_by", "verified_by")

    document_type: Mapped[str] = mapped_column(ForeignKey("document_type.code"))
    number: Mapped[str | None] = mapped_column(String(100))
    issued_on: Mapped[date | None] = mapped_column(Date)
    expires_on: Mapped[date | None] = mapped_column(Date)
    description: Mapped[str | None] = mapped_column(String(500))
    file_name: Mapped[str] = mapped_column(String(255))
    search_text: Mapped[str] = folded("file_name", "number", "description")
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    uploaded_by: Mapped[UUID | None]
    verification_status: Mapped[str] = mapped_column(String(10), default=PENDING)
    verification_reason: Mapped[str | None] = mapped_column(String(500))
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[UUID | None]


class DocumentSchema(PartSchema):
    document_type = CodeRef(DocumentType.code, required=True)
    number = column_field(CustomerDocument.number)
    issued_on = fields.Date(allow_none=True)
    expires_on = fields.Date(allow_none=True)
    description = column_field(CustomerDocument.description)
    file_name = Text(dump_only=True)
    media_type = Text(dump_only=True)
    size = fields.Integer(dump_only=True)
    sha256 = Text(dump_only=True)
    uploaded_by = read_only_id(allow_none=True)
    is_expired = fields.Boolean(dump_only=True)
    verification_status = fields.String(dump_only=True, validate=validate.OneOf(STATUSES))
    verification_reason = Text(dump_only=True, allow_none=True)
    verified_at = Timestamp(allow_none=True)
    verified_by = read_only_id(allow_none=True)


class VerdictSchema(BaseSchema):
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    reason = column_field(CustomerDocument.verification_reason)


def today() -> date:
    return utcnow().date()


def _filter_expired(text: str) -> ColumnElement[bool]:
    """Raises Invalid."""
    expired = and_(CustomerDocument.expires_on.is_not(None), CustomerDocument.expires_on < today())
    return expired if parse_boolean("is_expired", text) else not_(expired)


class CustomerDocuments(CustomerParts):
    """Documents of a customer."""

    model, schema, path = CustomerDocument, DocumentSchema, "/customers/<customer_id>/documents"
    permission = "customer_document"
    filters = ("document_type", "number", "verification_status", "media_type", "sha256")
    more_filters = {"is_expired": Filter(_filter_expired, {"type": "boolean"})}
    sort = ("created_at", "updated_at", "expires_on", "size")
    verbs = ("list", "retrieve", "replace", "modify", "remove")
    # A document expires without a new version.
    cacheable = False

    def change(self, row: CustomerDocument, values: dict[str, Any]) -> None:
        check_dates({name: values.get(name, getattr(row, name)) for name in ("issued_on", "expires_on")})
        if any(name in values and values[name] != getattr(row, name) for name in CLAIMS):
            values |= UNDECIDED
        super().change(row, values)

    def add_computed(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            item["is_expired"] = item["expires_on"] is not None and item["expires_on"] < today()


class VerifyDocument(Endpoint):
    path, permission = f"{CustomerDocuments.path}/<id>/verify", CustomerDocuments.permission
    bodies = {"PUT": VerdictSchema()}

    @declare("verifyCustomerDocument", body=VerdictSchema(), answer=DocumentSchema(), errors=(409, 412))
    def put(self, customer_id: UUID, id: UUID) -> Response:
        """Verify or reject a document, or withdraw the decision. A rejection needs a reason."""
        return CustomerDocuments().record_verdict(customer_id, id, lambda: _verdict(self.body()))


def _verdict(values: dict[str, Any]) -> dict[str, Any]:
    """Raises Invalid."""
    status, reason = values["status"], values.get("reason") or None
    if status == REJECTED and reason is None:
        raise Invalid.field("reason", "Say why it is rejected.")
    verdict = UNDECIDED if status == PENDING else {"verified_at": utcnow(), "verified_by": principal().user_id}
    return verdict | {"verification_status": status, "verification_reason": reason}


def check_dates(values: dict[str, Any]) -> None:
    """Raises Invalid."""
    issued_on, expires_on = values.get("issued_on"), values.get("expires_on")
    if issued_on is not None and expires_on is not None and expires_on < issued_on:
        raise Invalid.field("expires_on", "Must not be before issued_on.")
