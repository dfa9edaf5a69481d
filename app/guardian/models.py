"""Roles, their policies, the permissions of these, and the roles of users."""

from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.db.models import Identified, Model, Named, TenantRecord, listed_by, same_tenant
from app.core.db.tenancy import TenantScoped

CATALOGUE = uuid5(NAMESPACE_URL, "urn:guardian:permission")


def permission_id(service: str, resource_name: str, operation: str) -> UUID:
    """The same id in every database, so that a decision needs no look-up."""
    return uuid5(CATALOGUE, f"{service}\n{resource_name}\n{operation}")


class GuardianPermission(Model):
    """An entry of the catalogue, global and read-only."""

    __tablename__ = "permission"
    __table_args__ = (UniqueConstraint("service", "resource_name", "operation"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(String(50))
    resource_name: Mapped[str] = mapped_column(String(100))
    operation: Mapped[str] = mapped_column(String(50))
    description: Mapped[str | None] = mapped_column(String(255))


class Role(TenantRecord, Named, Model):
    """The role with ``is_system`` is the Administrator. It holds every permission."""

    __tablename__ = "role"
    __table_args__ = (UniqueConstraint("company_id", "name_key"), *listed_by("role", "created_at"))

    code: Mapped[str | None] = mapped_column(String(50))
    description: Mapped[str | None] = mapped_column(String(255))
    is_system: Mapped[bool] = mapped_column(default=False)


class Policy(TenantRecord, Named, Model):
    """A named set of permissions."""

    __tablename__ = "policy"
    __table_args__ = (UniqueConstraint("company_id", "name_key"), *listed_by("policy", "created_at"))

    description: Mapped[str | None] = mapped_column(String(255))


class RolePolicy(TenantScoped, Model):
    __tablename__ = "role_policy"
    __table_args__ = (
        same_tenant("role_id", "role"),
        same_tenant("policy_id", "policy"),
        Index("ix_role_policy_company_id_policy_id", "company_id", "policy_id"),
    )

    role_id: Mapped[UUID] = mapped_column(primary_key=True)
    policy_id: Mapped[UUID] = mapped_column(primary_key=True)


class PolicyPermission(TenantScoped, Model):
    __tablename__ = "policy_permission"
    __table_args__ = (same_tenant("policy_id", "policy"),)

    policy_id: Mapped[UUID] = mapped_column(primary_key=True)
    permission_id: Mapped[UUID] = mapped_column(ForeignKey("permission.id"), primary_key=True)


class UserRole(TenantScoped, Identified, Model):
    """An assignment of a role to a user."""

    __tablename__ = "user_role"
    __table_args__ = (
        same_tenant("user_id", "user"),
        same_tenant("role_id", "role"),
        UniqueConstraint("company_id", "user_id", "role_id"),
        Index("ix_user_role_company_id_role_id", "company_id", "role_id"),
    )

    user_id: Mapped[UUID]
    role_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
