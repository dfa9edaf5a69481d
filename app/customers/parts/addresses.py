"""/customers/{id}/addresses: addresses for bills, services and shipments."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import validate
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.db.models import IsSet, Model
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.core.wire.schema import BaseSchema, Flag, Number, Text, Timestamp, column_field, read_only_id
from app.customers.countries import Country
from app.customers.parts.part import CustomerPart, PartSchema, PartsWithPrimary, below_customer, one_primary

TYPES = ("billing", "service", "shipping", "other")
PLACE = ("line1", "line2", "city", "state", "postal_code", "country", "latitude", "longitude")
UNVERIFIED = {"verified_at": None, "verified_by": None, "verification_note": None}


class CustomerAddress(CustomerPart, Model):
    """A customer has at most one primary address of each type."""

    __tablename__ = "customer_address"
    __table_args__ = (*below_customer("customer_address", "verified_by"), one_primary("customer_address", "type"))

    type: Mapped[str] = mapped_column(String(10))
    label: Mapped[str | None] = mapped_column(String(100))
    line1: Mapped[str] = mapped_column(String(255))
    line2: Mapped[str | None] = mapped_column(String(255))
    city: Mapped[str] = mapped_column(String(100))
    state: Mapped[str | None] = mapped_column(String(100))
    postal_code: Mapped[str | None] = mapped_column(String(20))
    country: Mapped[str] = mapped_column(String(2))
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    is_primary: Mapped[bool] = mapped_column(default=False)
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[UUID | None]
    verification_note: Mapped[str | None] = mapped_column(String(500))
    is_verified = IsSet("verified_at")


class AddressSchema(PartSchema):
    example = {"type": "service", "line1": "12 Quay Street", "city": "Brackwater", "country": "US"}
    type = column_field(CustomerAddress.type, required=True, validate=[validate.OneOf(TYPES)])
    label = column_field(CustomerAddress.label)
    line1 = column_field(CustomerAddress.line1, required=True)
    line2 = column_field(CustomerAddress.line2)
    city = column_field(CustomerAddress.city, required=True)
    state = column_field(CustomerAddress.state)
    postal_code = column_field(CustomerAddress.postal_code)
    country = Country(required=True)
    latitude = column_field(CustomerAddress.latitude, Number, validate=[validate.Range(-90, 90)])
    longitude = column_field(CustomerAddress.longitude, Number, validate=[validate.Range(-180, 180)])
    is_primary = Flag()
    is_verified = Flag(dump_only=True)
    verified_at = Timestamp(allow_none=True)
    verified_by = read_only_id(allow_none=True)
    verification_note = Text(dump_only=True, allow_none=True)


class VerificationSchema(BaseSchema):
    example = {"verified": True, "note": "Visited."}
    verified = Flag(required=True)
    note = column_field(CustomerAddress.verification_note)


class CustomerAddresses(PartsWithPrimary):
    """Addresses of a customer."""

    model, schema, path = CustomerAddress, AddressSchema, "/customers/<customer_id>/addresses"
    permission, primary_by = "customer_address", ("type",)
    filters = ("type", "is_primary", "city", "country")

    def change(self, row: CustomerAddress, values: dict[str, Any]) -> None:
        if any(name in values and values[name] != getattr(row, name) for name in PLACE):
            values |= UNVERIFIED
        super().change(row, values)


class VerifyAddress(Endpoint):
    path, permission = f"{CustomerAddresses.path}/<id>/verify", CustomerAddresses.permission
    bodies = {"PUT": VerificationSchema()}

    @declare("verifyCustomerAddress", body=VerificationSchema(), answer=AddressSchema(), errors=(409, 412))
    def put(self, customer_id: UUID, id: UUID) -> Response:
        """Verify an address, or withdraw the verification."""
        return CustomerAddresses().record_verdict(customer_id, id, lambda: _verification(self.body()))


def _verification(values: dict[str, Any]) -> dict[str, Any]:
    verification = {"verified_at": utcnow(), "verified_by": principal().user_id} if values["verified"] else UNVERIFIED
    return verification | {"verification_note": values.get("note")}
