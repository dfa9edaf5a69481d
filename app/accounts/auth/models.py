"""Sessions, their refresh tokens, and the counters of failed sign-ins."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.db.models import Identified, Model, belongs_to, same_tenant
from app.core.db.tenancy import TenantScoped

# Each hour's sweep reads the sessions that have ended since the last one, and those that nobody needs any more.
WITH_TOKENS, WITHOUT_TOKENS = text("has_tokens"), text("NOT has_tokens")
REUSE = "reuse"
"""The ``revoked_reason`` of a stolen session, which makes its network known no longer."""


class AuthSession(TenantScoped, Identified, Model):
    """One sign-in, until it expires or is revoked. The row stays while its ``network`` counts as a known one.

    ``expires_at`` of a revoked one is the time of its revocation. Ended ones lose their tokens in the sweep.
    """

    __tablename__ = "auth_session"
    __table_args__ = (
        *belongs_to("user", "auth_session"),
        Index("ix_auth_session_company_id_user_id_network", "company_id", "user_id", "network"),
        Index(
            "ix_auth_session_company_id_expires_at",
            "company_id",
            "expires_at",
            postgresql_where=WITH_TOKENS,
            sqlite_where=WITH_TOKENS,
        ),
        Index(
            "ix_auth_session_company_id_last_used_at",
            "company_id",
            "last_used_at",
            postgresql_where=WITHOUT_TOKENS,
            sqlite_where=WITHOUT_TOKENS,
        ),
    )

    user_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    last_used_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    ip: Mapped[str | None] = mapped_column(String(45))
    network: Mapped[str | None] = mapped_column(String(43))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    generation: Mapped[int] = mapped_column(default=1)
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(40))
    has_tokens: Mapped[bool] = mapped_column(default=True, server_default=true())


class RefreshToken(TenantScoped, Identified, Model):
    """``generation`` counts the rotations in the session, from 1. Only the SHA-256 of a token is stored."""

    __tablename__ = "refresh_token"
    __table_args__ = (
        same_tenant("session_id", "auth_session"),
        Index("uq_refresh_token_company_id_token_hash", "company_id", "token_hash", unique=True),
        Index("ix_refresh_token_company_id_session_id", "company_id", "session_id"),
    )

    session_id: Mapped[UUID]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    generation: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    rotated_at: Mapped[datetime | None]


class FailureCount:
    """``key`` is an HMAC. ``attempts`` are failures, and those ``in_flight`` whose outcome is not known yet."""

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    attempts: Mapped[int]
    in_flight: Mapped[int] = mapped_column(default=0, server_default="0")
    last_attempt_at: Mapped[datetime] = mapped_column(index=True)


class LoginFailure(FailureCount, Model):
    """Of an account, from one network."""

    __tablename__ = "login_failure"


class AccountFailure(FailureCount, Model):
    """Of an account, from all networks, since its last success."""

    __tablename__ = "account_failure"
