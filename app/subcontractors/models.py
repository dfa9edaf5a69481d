"""The subcontractors of a company."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.models import Counted, Model, Named, TenantRecord, folded, listed_by
from app.core.files.picture import LogoOwner


class Subcontractor(TenantRecord, Named, Counted, LogoOwner, Model):
    """An external company that works for this one."""

    __tablename__ = "subcontractor"
    bucket = "subcontractors"
    __table_args__ = (*listed_by("subcontractor", "created_at", "updated_at", "name_key"),)

    search_text: Mapped[str] = folded("name", "email", "contact_person", "description")
    description: Mapped[str | None] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(254))
    contact_person: Mapped[str | None] = mapped_column(String(100))
    phone_number: Mapped[str | None] = mapped_column(String(50))
    address: Mapped[str | None] = mapped_column(String(255))
