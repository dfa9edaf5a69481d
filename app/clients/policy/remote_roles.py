"""Roles kept by a remote Guardian: ``RoleDirectory`` over HTTP, in the caller's name."""

from collections.abc import Iterable
from uuid import UUID

import orjson

from app.base.roles import ADMINISTRATOR, ALL, Actor, Json, permission_name
from app.clients.http.breaker import Breaker
from app.clients.policy.guardian_api import GuardianApi, unique
from app.clients.policy.parsing import Fields, StrictReader, unusable
from app.clients.policy.transport import RemoteTransport

POLICY: Fields = {
    "id": StrictReader.uuid,
    "company_id": lambda item, name: item.uuid(name, None),
    "name": StrictReader.required_text,
    "description": StrictReader.optional_text,
    "created_at": StrictReader.time,
    "updated_at": StrictReader.time,
}
ROLE: Fields = {**POLICY, "code": StrictReader.optional_text, "is_system": StrictReader.flag}
PERMISSION: Fields = {
    "id": StrictReader.uuid,
    "service": StrictReader.optional_text,
    "resource_name": StrictReader.required_text,
    "operation": StrictReader.required_text,
    "description": StrictReader.optional_text,
}


class RemoteRoleDirectory:
    """Calls go in rounds, side by side in each: assignments, policies, permissions."""

    def __init__(self, transport: RemoteTransport, breaker: Breaker) -> None:
        self._transport, self._breaker = transport, breaker

    def roles_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        engine = self._api(actor)
        assignments = engine.assignments_of(user_id)
        roles = engine.roles_by_id(_role_ids(assignments))
        return [_assignment(item, user_id, roles[item.uuid("role_id")]) for item in assignments]

    def assign(self, user_id: UUID, role_id: UUID, actor: Actor) -> Json:
        engine = self._api(actor)
        role = engine.role(role_id)
        body = orjson.dumps({"user_id": user_id, "role_id": role_id})
        assignment = engine.reader_of(engine.execute("POST", "/user-roles", "role", body))
        if assignment.uuid("user_id", user_id) != user_id or assignment.uuid("role_id", role_id) != role_id:
            raise unusable("another assignment than the one asked for")
        return _assignment(assignment, user_id, role)

    def assignment(self, user_id: UUID, assignment_id: UUID, actor: Actor) -> Json:
        engine = self._api(actor)
        assignment = engine.assignment(user_id, assignment_id)
        [role] = engine.roles_by_id([assignment.uuid("role_id")]).values()
        return _assignment(assignment, user_id, role)

    def unassign(self, user_id: UUID, assignment_id: UUID, actor: Actor) -> None:
        engine = self._api(actor)
        engine.assignment(user_id, assignment_id)
        engine.execute("DELETE", f"/user-roles/{assignment_id}", "user_role")

    def policies_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        engine = self._api(actor)
        held = engine.policies_by_role(_role_ids(engine.assignments_of(user_id)))
        return [policy.read(POLICY) for policy in unique(held.values())]

    def permissions_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        engine = self._api(actor)
        policies, permissions = engine.holdings(_role_ids(engine.assignments_of(user_id)))
        # An administrator's role has no policies, so only those without any need a look.
        bare = engine.roles_by_id([role_id for role_id, held in policies.items() if not held])
        if any(map(_is_administrators, bare.values())):
            return _permissions(engine.read_list("/permissions", "permissions"))
        return _permissions(unique(permissions.values()))

    def roles(self, actor: Actor) -> list[Json]:
        engine = self._api(actor)
        roles = engine.read_list("/roles", "roles")
        policies, permissions = engine.holdings([role.id for role in roles if not _is_administrators(role)])
        names = {role_id: _names(permissions[policy.id] for policy in held) for role_id, held in policies.items()}
        return [_assignable(role, names.get(role.id, list(ALL))) for role in roles]

    def _api(self, actor: Actor) -> GuardianApi:
        return GuardianApi(self._transport, self._breaker, actor)


def _role_ids(assignments: Iterable[StrictReader]) -> list[UUID]:
    return list(dict.fromkeys(assignment.uuid("role_id") for assignment in assignments))


def _is_administrators(role: StrictReader) -> bool:
    """Other engines may call any role of their own a system role."""
    return role.flag("is_system") and role.optional_text("code") == ADMINISTRATOR


def _assignment(item: StrictReader, user_id: UUID, role: StrictReader) -> Json:
    created_at = item.time("created_at")
    return {"id": item.id, "user_id": user_id, "role_id": role.id, "created_at": created_at, "role": role.read(ROLE)}


def _assignable(item: StrictReader, permissions: list[str]) -> Json:
    role = item.read(ROLE)
    return {**{name: role[name] for name in ("id", "name", "code", "description")}, "permissions": permissions}


def _permissions(items: Iterable[StrictReader]) -> list[Json]:
    permissions = [item.read(PERMISSION) for item in items]
    return sorted(permissions, key=lambda row: (row["service"] or "", row["resource_name"], row["operation"]))


def _names(lists: Iterable[Iterable[StrictReader]]) -> list[str]:
    return [
        permission_name(permission["service"] or "identity", permission["resource_name"], permission["operation"])
        for permission in _permissions(unique(lists))
    ]
