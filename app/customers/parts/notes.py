"""/customers/{id}/notes: a company's notes on a customer."""

from typing import Any
from uuid import UUID

from flask import request
from marshmallow import validate
from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from app.base.permission import Permission
from app.core.db.models import Model, db
from app.core.db.transaction import company_transaction
from app.core.web.endpoint import OPERATIONS
from app.core.web.permission import require
from app.core.web.principal import principal
from app.core.wire.schema import Flag, column_field, read_only_id
from app.customers.parts.part import CustomerPart, CustomerParts, PartSchema, below_customer, caller_id

VISIBILITIES = ("internal", "customer")
MAX_BODY = 10_000


class CustomerNote(CustomerPart, Model):
    """``author`` is the id of a user, and null after that user is deleted."""

    __tablename__ = "customer_note"
    __table_args__ = below_customer("customer_note", "author")
    pinned_first = "is_pinned"

    body: Mapped[str] = mapped_column(Text)
    is_pinned: Mapped[bool] = mapped_column(default=False)
    visibility: Mapped[str] = mapped_column(String(10), default="internal")
    author: Mapped[UUID | None]


class NoteSchema(PartSchema):
    example = {"body": "Prefers deliveries before noon.", "is_pinned": True}
    body = column_field(CustomerNote.body, required=True, validate=[validate.Length(max=MAX_BODY)])
    is_pinned = Flag()
    visibility = column_field(CustomerNote.visibility, validate=[validate.OneOf(VISIBILITIES)])
    author = read_only_id(allow_none=True)


class CustomerNotes(CustomerParts):
    """Notes on a customer, pinned ones first."""

    model, schema, path = CustomerNote, NoteSchema, "/customers/<customer_id>/notes"
    permission = "customer_note"
    # Authors with READ may remove their own notes; ``before`` requires DELETE for those of others.
    operations = {**OPERATIONS, "DELETE": "READ"}
    also_required = (Permission("identity", "customer_note", "DELETE"),)
    filters = ("is_pinned", "visibility", "author")

    def before(self, **ids: UUID) -> None:
        super().before(**ids)
        if request.method == "DELETE" and _author_of(ids["customer_id"], ids["id"]) != principal().user_id:
            require(self.permission, "DELETE")

    def before_create(self, values: dict[str, Any]) -> None:
        values["author"] = caller_id()


def _author_of(customer_id: UUID, note_id: UUID) -> UUID | None:
    """Read in a transaction of its own, so that none is open during the call to the policy engine."""
    statement = select(CustomerNote.author).where(CustomerNote.id == note_id, CustomerNote.customer_id == customer_id)
    with company_transaction(principal().company_id, writes=False):
        return db.session.scalar(statement)
