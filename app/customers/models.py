"""Customers: the clients of a company."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.base.errors import NotFound
from app.core.db.models import (
    CodePointText,
    Counted,
    JsonDocument,
    Model,
    Named,
    TenantRecord,
    folded,
    listed_by,
    same_tenant,
)
from app.core.files.picture import LogoOwner

CUSTOMER_KINDS = ("individual", "business")
STATES = ("prospect", "trial", "active", "past_due", "suspended", "cancelled")


class CustomerNotFound(NotFound):
    """Its handler (``merge/redirects``) looks for a merge of the customer."""


class Customer(TenantRecord, Named, Counted, LogoOwner, Model):
    """A client of a company. ``contacts_text`` is for search; the contacts maintain it."""

    __tablename__ = "customer"
    bucket = "customers"
    search_columns = ("search_text", "contacts_text")
    missing = CustomerNotFound
    __table_args__ = (
        UniqueConstraint("company_id", "email"),
        UniqueConstraint("company_id", "user_id"),
        same_tenant("user_id", "user"),
        Index("ix_customer_company_id_subscription_state", "company_id", "subscription_state", "created_at", "id"),
        Index("ix_customer_company_id_city", "company_id", "city", "created_at", "id"),
        *listed_by("customer", "created_at", "updated_at", "name_key"),
    )

    search_text: Mapped[str] = folded("name", "email", "contact_person", "company_name", "tax_id", "phone_number")
    contacts_text: Mapped[str] = mapped_column(CodePointText, default="", server_default="", deferred=True)
    email: Mapped[str | None] = mapped_column(String(254))
    contact_person: Mapped[str | None] = mapped_column(String(100))
    phone_number: Mapped[str | None] = mapped_column(String(50))
    address: Mapped[str | None] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(10), default="individual", server_default="individual")
    user_id: Mapped[UUID | None]
    street_address: Mapped[str | None] = mapped_column(String(255))
    city: Mapped[str | None] = mapped_column(String(100))
    state: Mapped[str | None] = mapped_column(String(100))
    postal_code: Mapped[str | None] = mapped_column(String(20))
    country: Mapped[str | None] = mapped_column(String(2))
    company_name: Mapped[str | None] = mapped_column(String(255))
    business_type: Mapped[str | None] = mapped_column(String(100))
    tax_id: Mapped[str | None] = mapped_column(String(50))
    document_type: Mapped[str | None] = mapped_column(ForeignKey("document_type.code"))
    document_number: Mapped[str | None] = mapped_column(String(100))
    emergency_contact_name: Mapped[str | None] = mapped_column(String(100))
    emergency_contact_phone: Mapped[str | None] = mapped_column(String(50))
    emergency_contact_relationship: Mapped[str | None] = mapped_column(String(100))
    preferred_contact_method: Mapped[str | None] = mapped_column(String(10))
    notification_preferences: Mapped[dict[str, bool]] = mapped_column(JsonDocument, default=dict, server_default="{}")
    customer_since: Mapped[date | None] = mapped_column(Date)
    subscription_state: Mapped[str] = mapped_column(String(10), default="prospect", server_default="prospect")
    is_verified: Mapped[bool] = mapped_column(default=False, server_default=false())
    email_verified_at: Mapped[datetime | None]
    total_services: Mapped[int] = mapped_column(default=0, server_default="0")
    last_service_date: Mapped[date | None] = mapped_column(Date)
