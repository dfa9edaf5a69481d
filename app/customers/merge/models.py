"""Merged customers: their survivors, and how to undo each merge."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column, synonym

from app.base.clock import utcnow
from app.core.db.models import Identified, JsonDocument, Model, same_tenant
from app.core.db.tenancy import TenantScoped


class CustomerMerge(TenantScoped, Identified, Model):
    """A merged customer and its survivor. ``undo_log`` is null once the merge cannot be undone any more."""

    __tablename__ = "customer_merge"
    # The files of a merged customer go with its survivor.
    bucket = "customers"
    __table_args__ = (
        same_tenant("customer_id", "customer"),
        Index("ix_customer_merge_company_id_customer_id", "company_id", "customer_id", "created_at", "id"),
    )

    source_id = synonym("id")
    customer_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    # No foreign key: the id stays on record when that user is deleted.
    merged_by: Mapped[UUID | None]
    undo_log: Mapped[dict[str, Any] | None] = mapped_column("kept", JsonDocument)
