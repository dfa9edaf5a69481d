"""The tenants."""

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, synonym

from app.core.db.models import Identified, Model, Named, Timestamped, Versioned, folded
from app.core.db.tenancy import Tenanted
from app.core.files.picture import LogoOwner

ACTIVE, INACTIVE, SUSPENDED, DELETING = "active", "inactive", "suspended", "deleting"
STATUSES = (ACTIVE, INACTIVE, SUSPENDED, DELETING)
REGISTRATIONS = ("closed", "open")


class Company(Identified, Timestamped, Versioned, Named, Tenanted, LogoOwner, Model):
    """A tenant. Its ``id`` is the ``company_id`` of other tables."""

    __tablename__ = "company"
    bucket = "companies"
    __table_args__ = (
        UniqueConstraint("name_key"),
        UniqueConstraint("company_key"),
        UniqueConstraint("document_type", "document_number"),
        Index(
            "uq_company_is_platform",
            "is_platform",
            unique=True,
            postgresql_where=text("is_platform"),
            sqlite_where=text("is_platform"),
        ),
        Index("ix_company_created_at_id", "created_at", "id"),
    )

    company_id = synonym("id")
    search_text: Mapped[str] = folded("name", "business_name", "company_key", "email")
    business_name: Mapped[str | None] = mapped_column(String(500))
    description: Mapped[str | None] = mapped_column(String(255))
    website: Mapped[str | None] = mapped_column(String(255))
    phone_number: Mapped[str | None] = mapped_column(String(50))
    email: Mapped[str | None] = mapped_column(String(254))
    address: Mapped[str | None] = mapped_column(String(255))
    postal_code: Mapped[str | None] = mapped_column(String(20))
    city: Mapped[str | None] = mapped_column(String(100))
    country: Mapped[str | None] = mapped_column(String(100))
    document_type: Mapped[str | None] = mapped_column(ForeignKey("document_type.code"))
    document_number: Mapped[str | None] = mapped_column(String(100))
    company_key: Mapped[str | None] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(10), default=ACTIVE)
    customer_registration: Mapped[str] = mapped_column(String(10), default="closed")
    days_credit: Mapped[int | None]
    is_platform: Mapped[bool] = mapped_column(default=False)
    # Triggers on the policy engine's tables raise it: cached grants of another version are not used.
    policy_version: Mapped[int] = mapped_column(default=0, server_default="0")
