"""A gadget that a subcontractor may have built."""

from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.models import Counted, Identified, Model, Timestamped, Versioned, folded, listed_by, same_tenant
from app.core.db.tenancy import TenantScoped


class Gadget(TenantScoped, Identified, Timestamped, Versioned, Counted, Model):
    """A gadget of a company."""

    __tablename__ = "gadget"
    __table_args__ = (same_tenant("subcontractor_id", "subcontractor"), *listed_by("gadget", "created_at", "name_key"))

    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = folded("name")
    search_text: Mapped[str] = folded("name")
    subcontractor_id: Mapped[UUID | None]
