"""The decision, as one SQL query, and the transport by which this service asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, or_, select

from app.clients.guardian import Reply
from app.core.db import db, unit_of_work
from app.core.tenancy import tenant
from app.guardian.models import PolicyPermission, Role, RolePolicy, UserRole, permission_id

REASON = "No role of the user grants this."


def is_granted(user_id: UUID, service: str, resource_name: str, operation: str) -> bool:
    """Inside the tenant's unit of work."""
    wanted = permission_id(service, resource_name, operation)
    return db.session.execute(_granting(user_id, wanted)).first() is not None


def _granting(user_id: UUID, wanted: UUID) -> Select[Any]:
    """A role of the user that is the Administrator or holds the permission."""
    holds = (
        select(RolePolicy.role_id)
        .join(PolicyPermission, PolicyPermission.policy_id == RolePolicy.policy_id)
        .where(RolePolicy.role_id == Role.id, PolicyPermission.permission_id == wanted)
    )
    return (
        select(Role.id)
        .join(UserRole, UserRole.role_id == Role.id)
        .where(UserRole.user_id == user_id, or_(Role.is_system, holds.exists()))
        .limit(1)
    )


def answer_to(question: Mapping[str, Any]) -> dict[str, Any]:
    """What POST /check-access says. The question's ids are the authenticated subject's."""
    with tenant(UUID(question["company_id"])), unit_of_work(writes=False):
        granted = is_granted(
            UUID(question["user_id"]), question["service"], question["resource_name"], question["operation"]
        )
    return {"access_granted": granted, "reason": None if granted else REASON}


class EmbeddedTransport:
    """Carries the client's questions to this process's own engine."""

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        return Reply(200, "application/json", orjson.dumps(answer_to(orjson.loads(body))))
