"""The table of mailed codes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.db.models import Identified, Model, belongs_to
from app.core.db.tenancy import TenantScoped


class PasswordResetOtp(TenantScoped, Identified, Model):
    """``otp_code`` is Argon2id over an HMAC of the code. ``id`` is that of the request's job."""

    __tablename__ = "password_reset_otp"
    __table_args__ = belongs_to("user", "password_reset_otp")

    user_id: Mapped[UUID]
    otp_code: Mapped[str] = mapped_column(String(255))
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
