"""The table of registrations with an unverified address."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.db.models import Identified, Model


class Registration(Identified, Model):
    """A row of no tenant, because its company may not exist yet. Personal values are encrypted, or keyed hashes.

    User and company are created only when the link is followed: no unverified registration blocks or reveals one.
    ``id`` is that of the requested job, so later registrations have greater ids.
    """

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
