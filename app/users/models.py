"""Users, and the global keys by which they sign in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.models import CodePointText, Counted, IsSet, Model, TenantRecord, folded, listed_by, same_tenant
from app.core.db.tenancy import GLOBAL_TABLES

LANGUAGES = ("en", "fr")


class User(TenantRecord, Counted, Model):
    """A person who can sign in. ``password_hash`` is null until a first password is set."""

    __tablename__ = "user"
    bucket = "users"
    __table_args__ = (
        same_tenant("position_id", "position"),
        Index("ix_user_company_id_position_id", "company_id", "position_id", "created_at", "id"),
        *listed_by("user", "created_at", "updated_at", "email", "last_name_key", "last_login_at"),
    )

    email: Mapped[str] = mapped_column(String(254).with_variant(String(254, collation="C"), "postgresql"))
    username: Mapped[str | None] = mapped_column(String(100))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    first_name: Mapped[str | None] = mapped_column(String(50))
    last_name: Mapped[str | None] = mapped_column(String(50))
    last_name_key: Mapped[str | None] = folded("last_name")
    search_text: Mapped[str] = folded("email", "username", "first_name", "last_name")
    language: Mapped[str] = mapped_column(String(2), default="en")
    phone_number: Mapped[str | None] = mapped_column(String(50))
    address: Mapped[str | None] = mapped_column(String(255))
    document_type: Mapped[str | None] = mapped_column(ForeignKey("document_type.code"))
    document_number: Mapped[str | None] = mapped_column(String(100))
    position_id: Mapped[UUID | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    is_verified: Mapped[bool] = mapped_column(default=False)
    avatar_file_id: Mapped[UUID | None]
    password_reset_required: Mapped[bool] = mapped_column(default=False)
    last_password_change: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    has_avatar = IsSet("avatar_file_id")


class LoginKey(Model):
    """Finds a user without a tenant, and makes addresses unique. It holds the folded keys only."""

    __tablename__ = "login_key"
    __table_args__ = (
        ForeignKeyConstraint(["company_id", "user_id"], ["user.company_id", "user.id"]),
        UniqueConstraint("email_key"),
        UniqueConstraint("username_key"),
    )

    company_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    email_key: Mapped[str] = mapped_column(CodePointText, info={"stands_for": "email"})
    username_key: Mapped[str | None] = mapped_column(CodePointText, info={"stands_for": "username"})


GLOBAL_TABLES.add(LoginKey.__tablename__)
