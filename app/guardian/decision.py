"""The decision, as one SQL query, and the transport of this service's own questions."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import bindparam, or_, select

from app.base.permission import KEY
from app.clients.policy.parsing import Reply
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import read_in_own_transaction
from app.guardian.models import PolicyPermission, Role, RolePolicy, UserRole, permission_id

REASON = "No role of the user grants this."


_HOLDS_PERMISSION = (
    select(RolePolicy.role_id)
    .join(PolicyPermission, PolicyPermission.policy_id == RolePolicy.policy_id)
    .where(RolePolicy.role_id == Role.id, PolicyPermission.permission_id == bindparam("permission_id"))
)
# Roles of the user: the Administrator, and roles that hold the permission.
_GRANTING_ROLES = TenantQuery(
    select(Role.id)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == bindparam("user_id"), or_(Role.is_system, _HOLDS_PERMISSION.exists()))
    .limit(1)
)


def decide(access_request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of POST /check-access. ``user_id`` and ``company_id`` are the authenticated subject's."""
    asked_id = permission_id(**{name: access_request[name] for name in KEY})
    values = {"user_id": UUID(access_request["user_id"]), "permission_id": asked_id}
    with tenant(UUID(access_request["company_id"])):
        granted = bool(read_in_own_transaction(_GRANTING_ROLES, values))
    return {"access_granted": granted, "reason": None if granted else REASON}


class EmbeddedTransport:
    """Passes the client's requests to the engine of this process."""

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        return Reply(200, "application/json", orjson.dumps(decide(orjson.loads(body))))
