"""Roles kept by a remote Guardian: ``RoleDirectory`` over HTTP, in the caller's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

import orjson

from app.base.roles import ADMINISTRATOR, ALL, Actor, Json, permission_name
from app.clients.http.breaker import Breaker
from app.clients.policy.flight import Call, FanOut, Flight
from app.clients.policy.guardian_api import GuardianApi, unique
from app.clients.policy.parsing import StrictReader, unusable
from app.clients.policy.transport import RemoteTransport


class RemoteRoleDirectory:
    """Calls that need no answer of one another go side by side."""

    def __init__(self, transport: RemoteTransport, breaker: Breaker) -> None:
        self._transport, self._breaker = transport, breaker
        self._fan_out = FanOut(transport)

    def roles_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        engine = self._asked_by(actor)
        assignments = engine.assignments_of(user_id)
        roles = engine.roles_by_id(_role_ids(assignments))
        return [_assignment(each, user_id, roles[each.uuid("role_id")]) for each in assignments]

    def assign(self, user_id: UUID, role_id: UUID, actor: Actor) -> Json:
        engine = self._asked_by(actor)
        role = engine.role(role_id)
        body = orjson.dumps({"user_id": user_id, "role_id": role_id})
        made = engine.told(engine.done(Call("POST", "/user-roles", body), "role"))
        if made.uuid("user_id", user_id) != user_id or made.uuid("role_id", role_id) != role_id:
            raise unusable("another assignment than the one asked for")
        return _assignment(made, user_id, role)

    def assignment(self, user_id: UUID, assignment_id: UUID, actor: Actor) -> Json:
        engine = self._asked_by(actor)
        found = engine.assignment(user_id, assignment_id)
        [role] = engine.roles_by_id([found.uuid("role_id")]).values()
        return _assignment(found, user_id, role)

    def unassign(self, user_id: UUID, assignment_id: UUID, actor: Actor) -> None:
        engine = self._asked_by(actor)
        engine.assignment(user_id, assignment_id)
        engine.done(Call("DELETE", f"/user-roles/{assignment_id}"), "user_role")

    def policies_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        engine = self._asked_by(actor)
        held = engine.policies_by_role(_role_ids(engine.assignments_of(user_id)))
        return [_named(each) for each in unique(held.values())]

    def permissions_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        engine = self._asked_by(actor)
        policies, permissions = engine.holdings(_role_ids(engine.assignments_of(user_id)))
        # An administrator's role has no policies, so only those without any need a look.
        bare = engine.roles_by_id([role_id for role_id, held in policies.items() if not held])
        if any(map(_is_administrators, bare.values())):
            return _permissions(engine.listed("/permissions", "permissions"))
        return _permissions(unique(permissions.values()))

    def roles(self, actor: Actor) -> list[Json]:
        engine = self._asked_by(actor)
        roles = engine.listed("/roles", "roles")
        policies, permissions = engine.holdings([role.id for role in roles if not _is_administrators(role)])
        names = {role_id: _names(permissions[each.id] for each in held) for role_id, held in policies.items()}
        return [_assignable(role, names.get(role.id, list(ALL))) for role in roles]

    def _asked_by(self, actor: Actor) -> GuardianApi:
        return GuardianApi(self._fly, actor, self._transport.deadline())

    @contextmanager
    def _fly(self, headers: Mapping[str, str], deadline: float) -> Iterator[Flight]:
        with self._breaker.call(), self._fan_out.flight(headers, deadline) as flight:
            yield flight


def _role_ids(assignments: Iterable[StrictReader]) -> list[UUID]:
    return list(dict.fromkeys(each.uuid("role_id") for each in assignments))


def _is_administrators(role: StrictReader) -> bool:
    """Other engines may call any role of their own a system role."""
    return role.flag("is_system") and role.optional_text("code") == ADMINISTRATOR


def _assignment(told: StrictReader, user_id: UUID, role: StrictReader) -> Json:
    made = told.time("created_at")
    return {"id": told.id, "user_id": user_id, "role_id": role.id, "created_at": made, "role": _role(role)}


def _role(told: StrictReader) -> Json:
    return {**_named(told), "code": told.optional_text("code"), "is_system": told.flag("is_system")}


def _named(told: StrictReader) -> Json:
    """A role or policy."""
    return {
        "id": told.id,
        "company_id": told.uuid("company_id", None),
        "name": told.required_text("name"),
        "description": told.optional_text("description"),
        "created_at": told.time("created_at"),
        "updated_at": told.time("updated_at"),
    }


def _assignable(told: StrictReader, permissions: list[str]) -> Json:
    role = _role(told)
    return {**{name: role[name] for name in ("id", "name", "code", "description")}, "permissions": permissions}


def _permissions(told: Iterable[StrictReader]) -> list[Json]:
    shown = [_permission(each) for each in told]
    return sorted(shown, key=lambda each: (each["service"] or "", each["resource_name"], each["operation"]))


def _permission(told: StrictReader) -> Json:
    return {
        "id": told.id,
        "service": told.optional_text("service"),
        "resource_name": told.required_text("resource_name"),
        "operation": told.required_text("operation"),
        "description": told.optional_text("description"),
    }


def _names(lists: Iterable[Iterable[StrictReader]]) -> list[str]:
    shown = _permissions(unique(lists))
    return [permission_name(each["service"] or "identity", each["resource_name"], each["operation"]) for each in shown]
