"""Users together with the keys by which they sign in."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, func, null, select
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.base.errors import Conflict, Invalid
from app.base.text import fold
from app.core.crud.erase import erase, release
from app.core.db.lookup import lock, lock_row
from app.core.db.models import UtcDateTime, add_in_order, db
from app.core.db.tenancy import current_tenant
from app.core.jobs.one_time_links import revoke_all
from app.core.services import services
from app.users.control import changes_account, check_control
from app.users.events import (
    on_email_assigned,
    on_email_changed,
    on_user_activated,
    on_user_deactivated,
    on_user_deleting,
)
from app.users.models import LoginKey, User

KEYS = ("email", "username")


class OwnAccount(Conflict):
    code, message = "OWN_ACCOUNT", "You cannot deactivate or delete yourself."


USABLE_HASH: ColumnElement[str | None] = case(
    (
        User.password_reset_required
        & (func.coalesce(User.last_password_change, User.created_at) <= bindparam("ended_", type_=UtcDateTime)),
        null(),
    ),
    else_=User.password_hash,
).label("password_hash")
"""The hash of the password; null after the end of a temporary one. Its parameters are those of ``time_of_end``."""


def time_of_end() -> dict[str, Any]:
    return {"ended_": utcnow() - timedelta(hours=services().settings.temporary_password_ttl_hours)}


def hash_password(values: dict[str, Any]) -> dict[str, Any]:
    """The columns of a new user, outside the transaction: hashing takes long. Raises Invalid."""
    passwords, password = services().passwords, values.pop("password")
    passwords.check_acceptable(password, values["email"])
    return values | {"password_hash": passwords.hash(password)}


def create_user(values: dict[str, Any]) -> User:
    """``values`` are columns of User. A taken e-mail or username surfaces as IntegrityError (409)."""
    user = User(**{"id": uuid7()} | values)
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
        check_may_leave(user, by=by)
    elif changes_account(user, values):
        check_control(user.id, by=by)
    was_active, former = user.is_active, user.email
    set_values(user, {"is_verified": False} | values if values.get("email", user.email) != user.email else values)
    if user.email != former:
        on_email_assigned.emit(user.id, former)
    if leaves:
        on_user_deactivated.emit(user.id)
    if user.is_active and not was_active:
        on_user_activated.emit(user.id)


def set_values(user: User, values: dict[str, Any]) -> None:
    """Set columns, and the keys that follow from them. A taken e-mail or username surfaces as IntegrityError (409)."""
    former = user.email
    for name, value in values.items():
        setattr(user, name, value)
    if any(name in values for name in KEYS):
        _set_keys(db.session.scalars(select(LoginKey).where(LoginKey.user_id == user.id)).one(), user)
    db.session.flush()
    # The row is locked by now: a sign-in, or the use of a link, comes wholly before or after.
    if user.email != former:
        on_email_changed.emit(user.id, former)


def lock_user(user_id: UUID) -> User | None:
    """The row as it is now. Writers of a user's links wait for each other under this lock, without deadlocks."""
    user: User | None = lock_row(User, user_id)
    return user


def login_of(email: str) -> tuple[UUID, UUID] | None:
    """The ids of the company and the user of an address, whatever tenant is bound."""
    keys = select(LoginKey.company_id, LoginKey.user_id).where(LoginKey.email_key == fold(email))
    row = db.session.execute(keys).one_or_none()
    return None if row is None else (row.company_id, row.user_id)


def delete_user(user: User, *, by: UUID) -> None:
    """Raises Conflict and Forbidden."""
    check_may_leave(user, by=by)
    # The version that If-Match was compared with stays in the session.
    lock(User, user.id)
    _announce_deletion(user.id)
    release(User, User.id == user.id)
    db.session.delete(user)
    db.session.flush()


def erase_user(user_id: UUID) -> None:
    """With all rows that refer to nobody else, links included. The caller holds the lock of the user's row."""
    _announce_deletion(user_id)
    erase(User, User.id == user_id)


def _announce_deletion(user_id: UUID) -> None:
    """The user's row is locked, and its dependents are still there."""
    revoke_all(user_id)
    on_user_deleting.emit(user_id)


def check_may_leave(user: User, *, by: UUID) -> None:
    """Raises Conflict and Forbidden where ``by`` cannot deactivate or delete the user."""
    if user.id == by:
        raise OwnAccount()
    services().tenant_roles.check_not_last_administrator(user.id)
    check_control(user.id, by=by)


def _set_keys(keys: LoginKey, user: User) -> None:
    keys.email_key = fold(user.email)
    keys.username_key = fold(user.username) if user.username else None
