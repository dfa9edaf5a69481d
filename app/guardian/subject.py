"""A user's roles as another engine is told of them, where the roles are kept here and it decides."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from app.clients.policy.request import AccessRequest
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import read_in_own_transaction
from app.guardian.models import Role, UserRole


def roles_of(question: AccessRequest) -> list[str]:
    """Default roles by their code, a company's own by their id.

    Never by a name that people choose: a policy for the role "auditor" of one company would grant to
    whoever in another calls a role so. In a transaction of its own.
    """
    with tenant(question.company_id):
        rows = read_in_own_transaction(_ROLES, {"user_id": question.user_id})
    return sorted(row.code or str(row.id) for row in rows)


_ROLES = TenantQuery(
    select(Role.id, Role.code)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == bindparam("user_id"))
    .execution_options(single_statement=True)
)
