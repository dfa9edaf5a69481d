"""Control of another user's account: their sign-in, activity, password, sessions and roles."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, select

from app.base.errors import Conflict
from app.base.permission import Permission
from app.core.db.lookup import get_row, not_found
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import company_transaction, read_in_own_transaction
from app.core.services import services
from app.core.web.permission import is_granted, require
from app.core.web.principal import principal
from app.users.models import User

CONTROL = Permission("identity", "user_account", "UPDATE")
"""What this control needs besides the endpoint's own permission."""
ACCOUNT = ("email", "username", "is_active")


_ACCOUNT = TenantQuery(select(*(getattr(User, name) for name in ACCOUNT)).where(User.id == bindparam("user_id")))


def account_of(user_id: UUID) -> Row[Any]:
    """The columns of ``ACCOUNT``, read in a transaction of their own. Raises NotFound."""
    with tenant(principal().company_id):
        rows = read_in_own_transaction(_ACCOUNT, {"user_id": user_id})
    if not rows:
        raise not_found(User)
    return rows[0]


def changes_account(user: Any, values: dict[str, Any]) -> bool:
    """Whether the values change what ``user``, an entity or a row of ``account_of``, has."""
    return any(getattr(user, name) != values[name] for name in ACCOUNT if name in values)


def require_control(*user_ids: UUID) -> None:
    """Ask the policy engine, outside of transactions, about users other than the caller. Raises Forbidden."""
    for user_id in user_ids:
        if user_id != principal().user_id:
            require(CONTROL.resource_name, CONTROL.operation, resource_id=str(user_id))


def require_control_to_change(user_id: UUID, values: dict[str, Any]) -> None:
    """``require_control``, if the values change the account. Raises NotFound too."""
    is_own = user_id == principal().user_id
    if not is_own and not values.keys().isdisjoint(ACCOUNT) and changes_account(account_of(user_id), values):
        require_control(user_id)


def user_of(model: Any, id: UUID) -> UUID:
    """The ``user_id`` of a row, read in a transaction of its own. Raises NotFound."""
    with company_transaction(principal().company_id, writes=False):
        user_id: UUID = get_row(model, id).user_id
    return user_id


def check_control(user_id: UUID, *, by: UUID) -> None:
    """Inside the transaction. Raises Forbidden for a user with more rights, and Conflict without ``require_control``.

    What is changed can become another user's account between the question and the transaction.
    """
    if user_id == by:
        return
    if not is_granted(CONTROL, str(user_id)):
        raise Conflict()
    services().tenant_roles.check_not_above(user_id, by)
