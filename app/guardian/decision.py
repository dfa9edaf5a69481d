"""The decision, as one SQL query, and the transport by which this service asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import bindparam, or_, select

from app.clients.policy.parsing import Reply
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import read_in_own_transaction
from app.guardian.models import PolicyPermission, Role, RolePolicy, UserRole, permission_id

REASON = "No role of the user grants this."


def is_granted(user_id: UUID, service: str, resource_name: str, operation: str) -> bool:
    """In a transaction of its own, inside the tenant."""
    wanted = {"user_id": user_id, "wanted": permission_id(service, resource_name, operation)}
    return bool(read_in_own_transaction(_GRANTING, wanted))


_HOLDING = (
    select(RolePolicy.role_id)
    .join(PolicyPermission, PolicyPermission.policy_id == RolePolicy.policy_id)
    .where(RolePolicy.role_id == Role.id, PolicyPermission.permission_id == bindparam("wanted"))
)
# A role of the user that is the Administrator or holds the permission.
_GRANTING = TenantQuery(
    select(Role.id)
    .join(UserRole, UserRole.role_id == Role.id)
    .where(UserRole.user_id == bindparam("user_id"), or_(Role.is_system, _HOLDING.exists()))
    .limit(1)
    .execution_options(single_statement=True)
)


def answer_to(question: Mapping[str, Any]) -> dict[str, Any]:
    """What POST /check-access says. The question's ids are the authenticated subject's."""
    with tenant(UUID(question["company_id"])):
        granted = is_granted(
            UUID(question["user_id"]), question["service"], question["resource_name"], question["operation"]
        )
    return {"access_granted": granted, "reason": None if granted else REASON}


class EmbeddedTransport:
    """Carries the client's questions to this process's own engine."""

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        return Reply(200, "application/json", orjson.dumps(answer_to(orjson.loads(body))))
