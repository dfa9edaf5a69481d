"""Users together with the keys by which they sign in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.core.db import add_in_order, db, fold
from app.core.errors import Conflict, Invalid
from app.core.kernel import kernel
from app.core.tenancy import current_tenant
from app.users.models import LoginKey, User

KEYS = ("email", "username")


def create_user(values: dict[str, Any]) -> User:
    """``values`` are columns of User. A taken e-mail or username surfaces as IntegrityError (409)."""
    user = User(id=uuid7(), **values)
    keys = LoginKey(company_id=current_tenant(), user_id=user.id, email_key="")
    _set_keys(keys, user)
    add_in_order([user], [keys])
    return user


def change_user(user: User, values: dict[str, Any], *, by: UUID) -> None:
    """Raises Conflict and Invalid for what users may not do to themselves or to the last administrator."""
    if user.id == by and values.get("email", user.email) != user.email:
        raise Invalid.field("email", "Your own e-mail address is changed by POST /users/me/email.")
    leaves = user.is_active and values.get("is_active") is False
    if leaves:
        _check_may_leave(user, by)
    elif any(getattr(user, name) != values[name] for name in (*KEYS, "is_active") if name in values):
        kernel().roles.check_not_above(user.id, by)
    for name, value in values.items():
        setattr(user, name, value)
    if any(name in values for name in KEYS):
        _set_keys(db.session.scalars(select(LoginKey).where(LoginKey.user_id == user.id)).one(), user)
    db.session.flush()
    if leaves:
        # The row is locked by now: a sign-in comes wholly before or after.
        kernel().end_sessions(user.id)


def check_deletable(user: User, *, by: UUID) -> None:
    """Raises Conflict."""
    _check_may_leave(user, by)


def _check_may_leave(user: User, by: UUID) -> None:
    if user.id == by:
        raise Conflict("You cannot deactivate or delete yourself.", code="OWN_ACCOUNT")
    kernel().roles.check_leaving(user.id)
    kernel().roles.check_not_above(user.id, by)


def _set_keys(keys: LoginKey, user: User) -> None:
    keys.email_key = fold(user.email)
    keys.username_key = fold(user.username) if user.username else None
