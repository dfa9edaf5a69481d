"""Registrations whose address is not verified yet."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Identified, Model, same_tenant, utcnow
from app.core.tenancy import TenantScoped


class Registration(TenantScoped, Identified, Model):
    """Its user exists and is not active. ``founded_company``: the company came with it, and goes with it.

    ``password_hash`` becomes the user's when the link is followed: a sign-in that tells a right password from a wrong
    one before would tell a stranger, who chose it, that the address was free."""

    __tablename__ = "registration"
    __table_args__ = (
        same_tenant("user_id", "user"),
        Index("uq_registration_company_id_user_id", "company_id", "user_id", unique=True),
    )

    user_id: Mapped[UUID]
    password_hash: Mapped[str] = mapped_column(String(255))
    founded_company: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
