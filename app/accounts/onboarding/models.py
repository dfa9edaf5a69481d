"""Registrations whose address is not verified yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.db.models import Identified, Model


class Registration(Identified, Model):
    """No tenant's, since its company may not exist yet: everything personal in it is sealed or a keyed hash.

    Nothing else is there before the link is followed, so that it is in nobody's way and tells nobody anything.
    ``id`` is that of the job that was asked for: the later wish has the greater."""

    __tablename__ = "registration"
    __table_args__ = (
        Index("ix_registration_address_hash_id", "address_hash", "id"),
        Index("uq_registration_token_hash", "token_hash", unique=True),
    )

    address_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    wish: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
