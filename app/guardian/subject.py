"""The roles of a subject for an external engine that decides by the roles of this service."""

from sqlalchemy import bindparam, select

from app.clients.policy.request import AccessRequest
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import read_in_own_transaction
from app.guardian.models import Role, UserRole


def roles_of(access_request: AccessRequest) -> list[str]:
    """Codes of default roles and ids of other roles, in a transaction of its own.

    Names are not sent: a policy for the role "auditor" of one company would grant to any company's "auditor".
    """
    with tenant(access_request.company_id):
        rows = read_in_own_transaction(_ROLES, {"user_id": access_request.user_id})
    return sorted(row.code or str(row.id) for row in rows)


_ROLES = TenantQuery(
    select(Role.id, Role.code)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == bindparam("user_id"))
    .execution_options(single_statement=True)
)
