"""/customers/{id}/contacts: people at a customer, with their numbers and addresses."""

from collections import Counter
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields, post_load, validate
from sqlalchemy import String, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.models import JsonDocument, Model, folded
from app.core.db.transaction import execute_and_count
from app.core.wire.containers import AlwaysComplete, Items
from app.core.wire.schema import BaseSchema, Email, Flag, Text, column_field
from app.customers.models import Customer
from app.customers.parts.part import CustomerPart, PartSchema, PartsWithPrimary, below_customer, one_primary

METHOD_KINDS = ("email", "phone", "mobile", "sms", "fax")
MOST_METHODS = 100


class CustomerContact(CustomerPart, Model):
    """``methods`` is a list of ``{kind, value, label, is_primary}``."""

    __tablename__ = "customer_contact"
    __table_args__ = (*below_customer("customer_contact"), one_primary("customer_contact"))

    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str | None] = mapped_column(String(100))
    search_text: Mapped[str] = folded("first_name", "last_name", "email_addresses")
    title: Mapped[str | None] = mapped_column(String(100))
    relationship: Mapped[str | None] = mapped_column(String(100))
    is_primary: Mapped[bool] = mapped_column(default=False)
    methods: Mapped[list[dict[str, Any]]] = mapped_column(JsonDocument, default=list)
    notes: Mapped[str | None] = mapped_column(String(2000))

    @property
    def email_addresses(self) -> str:
        return "\n".join(method["value"] for method in self.methods or () if method["kind"] == "email")


class ContactMethodSchema(BaseSchema):
    kind = fields.String(required=True, validate=validate.OneOf(METHOD_KINDS))
    value = Text(required=True, validate=validate.Length(max=254))
    label = Text(load_default=None, allow_none=True, validate=validate.Length(max=50))
    is_primary = Flag(load_default=False)

    @post_load
    def check_address(self, values: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        if values["kind"] != "email":
            return values
        try:
            return values | {"value": Email().deserialize(values["value"])}
        except ValidationError as error:
            raise ValidationError({"value": error.messages}) from None


def check_primaries(methods: list[dict[str, Any]]) -> None:
    """Raises ValidationError."""
    kinds = Counter(method["kind"] for method in methods if method["is_primary"])
    if any(count > 1 for count in kinds.values()):
        raise ValidationError("Only one of each kind can be primary.")


class ContactSchema(PartSchema):
    example = {"first_name": "Noor", "methods": [{"kind": "email", "value": "noor@brightwater.example"}]}
    first_name = column_field(CustomerContact.first_name, required=True)
    last_name = column_field(CustomerContact.last_name)
    title = column_field(CustomerContact.title)
    relationship = column_field(CustomerContact.relationship)
    is_primary = Flag()
    methods = Items(AlwaysComplete(ContactMethodSchema), validate=[validate.Length(max=MOST_METHODS), check_primaries])
    notes = column_field(CustomerContact.notes)


class CustomerContacts(PartsWithPrimary):
    """Contacts of a customer."""

    model, schema, path = CustomerContact, ContactSchema, "/customers/<customer_id>/contacts"
    permission = "customer_contact"
    filters = ("is_primary", "first_name", "last_name")

    def create(self, values: dict[str, Any]) -> CustomerContact:
        row: CustomerContact = super().create(values)
        refresh_contacts_text(row.customer_id)
        return row

    def change(self, row: CustomerContact, values: dict[str, Any]) -> None:
        super().change(row, values)
        refresh_contacts_text(row.customer_id)

    def remove(self, row: CustomerContact) -> None:
        super().remove(row)
        refresh_contacts_text(row.customer_id)


def refresh_contacts_text(customer_id: UUID) -> None:
    """Update the text that ``/customers?search=`` reads. The caller locks the customer, or updates miss contacts."""
    joined = select(func.aggregate_strings(CustomerContact.search_text, "\n"))
    texts = joined.where(CustomerContact.customer_id == customer_id).scalar_subquery()
    execute_and_count(update(Customer).where(Customer.id == customer_id).values(contacts_text=func.coalesce(texts, "")))
