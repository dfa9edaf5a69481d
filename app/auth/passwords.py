"""The change of one's own password."""

from __future__ import annotations

from sqlalchemy import select, update

from app.auth.models import AuthSession
from app.auth.sessions import revoke
from app.auth.throttle import attempt_key, forgive, reserve_attempt
from app.core.auth import Principal
from app.core.db import db, unit_of_work, utcnow
from app.core.errors import Conflict, Invalid
from app.core.kernel import kernel
from app.core.tenancy import tenant
from app.users.models import User


def change_password(me: Principal, current: str, new: str, address: str | None) -> None:
    """Raises Invalid, TooManyRequests, and Conflict when the password changed meanwhile."""
    with tenant(me.company_id), unit_of_work(writes=False):
        stored = db.session.scalar(select(User.password_hash).where(User.id == me.user_id))
    passwords = kernel().passwords
    passwords.check_acceptable(new, me.email, "new_password")
    if current == new:
        raise Invalid.field("new_password", "Must differ from the current one.")
    key = attempt_key(f"change {me.user_id}", address)
    reserve_attempt(key)
    if not passwords.verify(stored, current):
        raise Invalid.field("current_password", "Is wrong.")
    renewed = passwords.hash(new)
    with tenant(me.company_id), unit_of_work():
        forgive(key)
        _store(me, stored, renewed)
        mine = AuthSession.user_id == me.user_id
        revoke(mine if me.session_id is None else mine & (AuthSession.id != me.session_id), "password changed")


def _store(me: Principal, stored: str | None, renewed: str) -> None:
    """Only over the hash that was verified: of two changes at once the later one is refused."""
    values = {
        "password_hash": renewed,
        "password_reset_required": False,
        "last_password_change": utcnow(),
        "row_version": User.row_version + 1,
        "updated_at": utcnow(),
    }
    statement = update(User).where(User.id == me.user_id, User.password_hash == stored).values(values)
    if not db.session.execute(statement.execution_options(synchronize_session=False)).rowcount:  # type: ignore[attr-defined]
        raise Conflict()
