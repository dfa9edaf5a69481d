"""Which customers were merged into which, and what it takes to undo it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column, synonym

from app.base.clock import utcnow
from app.core.db.models import Identified, JsonDocument, Model, same_tenant
from app.core.db.tenancy import TenantScoped


class CustomerMerge(TenantScoped, Identified, Model):
    """A customer that is no more, by its own id, and the survivor who has its parts now.

    Its row is here and not among the customers, so that nothing that reads those has to leave it out. ``kept`` is
    null once the merge can no longer be undone.
    """

    __tablename__ = "customer_merge"
    # Files of the one that is no more go when its survivor does.
    bucket = "customers"
    __table_args__ = (
        same_tenant("customer_id", "customer"),
        Index("ix_customer_merge_company_id_customer_id", "company_id", "customer_id", "created_at", "id"),
    )

    source_id = synonym("id")
    customer_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    # No foreign key: who it was stays on record when that user is deleted.
    merged_by: Mapped[UUID | None]
    kept: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
