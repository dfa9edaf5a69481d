"""The table of open invitations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, select
from sqlalchemy.orm import Mapped, column_property

from app.core.db.models import Identified, Model, Timestamped, listed_by, same_tenant
from app.core.db.tenancy import TenantScoped
from app.users.models import User


class Invitation(TenantScoped, Identified, Timestamped, Model):
    """Its user exists, inactive and without a password. Acceptance removes the row; revocation removes both."""

    __tablename__ = "invitation"
    __table_args__ = (
        same_tenant("user_id", "user"),
        same_tenant("invited_by", "user"),
        Index("uq_invitation_company_id_user_id", "company_id", "user_id", unique=True),
        Index("ix_invitation_company_id_invited_by", "company_id", "invited_by"),
        *listed_by("invitation", "created_at", "updated_at"),
    )

    user_id: Mapped[UUID]
    invited_by: Mapped[UUID | None]
    expires_at: Mapped[datetime]


def _of_user(column: Any) -> Any:
    invited = (User.company_id == Invitation.company_id, User.id == Invitation.user_id)
    return column_property(select(column).where(*invited).correlate(Invitation).scalar_subquery(), deferred=True)


OF_USER = ("email", "first_name", "last_name", "position_id")
for _name in OF_USER:
    setattr(Invitation, _name, _of_user(getattr(User, _name)))
