"""/customers/{id}/services: services rendered to a customer, each counted once."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import ValidationError, fields
from sqlalchemy import Date, Index, String, UniqueConstraint, case, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.db.models import Model, db
from app.core.db.transaction import execute_and_count
from app.core.web.declaration import Declaration
from app.core.wire.schema import column_field
from app.customers.models import Customer
from app.customers.parts.part import CUSTOMER_IN_TURN, CustomerPart, CustomerParts, PartSchema, below_customer


class CustomerService(CustomerPart, Model):
    """``external_id`` is the service's number in another system."""

    __tablename__ = "customer_service"
    __table_args__ = (
        *below_customer("customer_service"),
        UniqueConstraint("company_id", "customer_id", "external_id"),
        Index("ix_customer_service_company_id_performed_on", "company_id", "performed_on"),
    )

    description: Mapped[str] = mapped_column(String(500))
    performed_on: Mapped[date] = mapped_column(Date)
    external_id: Mapped[str | None] = mapped_column(String(100))


def check_past(day: date) -> None:
    """Tomorrow is allowed: some time zones have it already. Raises ValidationError."""
    if day > utcnow().date() + timedelta(days=1):
        raise ValidationError("Must not be in the future.")


class ServiceSchema(PartSchema):
    example = {"description": "Yearly inspection", "performed_on": "2025-07-22"}
    description = column_field(CustomerService.description, required=True)
    performed_on = fields.Date(required=True, validate=check_past)
    external_id = column_field(CustomerService.external_id)


class CustomerServices(CustomerParts):
    """Services rendered to a customer."""

    model, schema, path = CustomerService, ServiceSchema, "/customers/<customer_id>/services"
    permission, parent = "customer_service", CUSTOMER_IN_TURN
    filters = ("external_id",)
    sort = ("created_at", "performed_on")
    verbs = ("list", "create", "retrieve")

    @classmethod
    def declaration_of(cls, method: str, *, collection: bool) -> Declaration:
        declaration = super().declaration_of(method, collection=collection)
        return declaration if method != "POST" else replace(declaration, also=(200,), also_headers=declaration.headers)

    def post(self, **_above: UUID) -> Response:
        """A repeated report of another system counts once; the customer's lock excludes a simultaneous one."""
        self.check_parent()
        reported = _find_reported(self.values["customer_id"], self.values.get("external_id"))
        if reported is not None:
            return self.respond_with_location(reported, 200)
        return self.respond_with_location(self.create(self.values))

    def create(self, values: dict[str, Any]) -> CustomerService:
        row: CustomerService = super().create(values)
        _count_service(row.customer_id, row.performed_on)
        return row


def _find_reported(customer_id: UUID, external_id: str | None) -> CustomerService | None:
    if external_id is None:
        return None
    is_same = CustomerService.customer_id == customer_id, CustomerService.external_id == external_id
    return db.session.scalar(select(CustomerService).where(*is_same))


def _count_service(customer_id: UUID, day: date) -> None:
    is_later = or_(Customer.last_service_date.is_(None), Customer.last_service_date < day)
    changes = {
        "total_services": Customer.total_services + 1,
        "last_service_date": case((is_later, day), else_=Customer.last_service_date),
        "row_version": Customer.row_version + 1,
        "updated_at": utcnow(),
    }
    execute_and_count(update(Customer).where(Customer.id == customer_id).values(changes))
