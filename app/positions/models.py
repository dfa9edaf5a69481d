"""The positions that users hold."""

from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.models import Counted, Model, TenantRecord, folded, listed_by, same_tenant


class Position(TenantRecord, Counted, Model):
    """A place in an organization unit."""

    __tablename__ = "position"
    __table_args__ = (
        same_tenant("organization_unit_id", "organization_unit"),
        Index("ix_position_company_id_organization_unit_id", "company_id", "organization_unit_id", "created_at", "id"),
        *listed_by("position", "created_at", "title_key"),
    )

    title: Mapped[str] = mapped_column(String(100))
    title_key: Mapped[str] = folded("title")
    search_text: Mapped[str] = folded("title", "description")
    description: Mapped[str | None] = mapped_column(String(255))
    organization_unit_id: Mapped[UUID]
    level: Mapped[int | None]
