"""The decision, as one SQL query, and the transport of this service's own questions."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import bindparam, or_, select

from app.base.permission import KEY, Permission
from app.clients.policy.parsing import Reply
from app.companies.models import Company
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import read_in_own_transaction
from app.core.services import services
from app.guardian.models import GuardianPermission, PolicyPermission, Role, RolePolicy, UserRole, permission_id

REASON = "No role of the user grants this."


_IS_ASKED = GuardianPermission.id == bindparam("permission_id")
_HOLDS_PERMISSION = (
    select(RolePolicy.role_id)
    .join(PolicyPermission, PolicyPermission.policy_id == RolePolicy.policy_id)
    .where(RolePolicy.role_id == Role.id, PolicyPermission.permission_id == bindparam("permission_id"))
)
# Roles of the user: the Administrator, and roles that hold the permission.
_GRANTING_ROLES = (
    select(Role.id)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == bindparam("user_id"), or_(Role.is_system, _HOLDS_PERMISSION.exists()))
    .limit(1)
)
_OWN = TenantQuery(_GRANTING_ROLES)
_IMPORTED = TenantQuery(_GRANTING_ROLES.where(select(GuardianPermission.id).where(_IS_ASKED).exists()))
_OF_PLATFORM = TenantQuery(_GRANTING_ROLES.where(select(Company.id).where(Company.is_platform).exists()))


def decide(access_request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of POST /check-access. ``user_id`` and ``company_id`` are the authenticated subject's."""
    names = {name: access_request[name] for name in KEY}
    values = {"user_id": UUID(access_request["user_id"]), "permission_id": permission_id(**names)}
    with tenant(UUID(access_request["company_id"])):
        granted = bool(read_in_own_transaction(_query_of(names), values))
    return {"access_granted": granted, "reason": None if granted else REASON}


def _query_of(names: Mapping[str, Any]) -> TenantQuery:
    """What the Administrator holds is what the catalogue has: this service's own, and what was imported."""
    catalogue = services().catalogue
    if Permission(**names) in catalogue:
        return _OWN
    return _OF_PLATFORM if Permission(**names, platform=True) in catalogue else _IMPORTED


class EmbeddedTransport:
    """Passes the client's requests to the engine of this process."""

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        return Reply(200, "application/json", orjson.dumps(decide(orjson.loads(body))))
