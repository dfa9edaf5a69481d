"""A remote Guardian's role data on the socket of FakeGuardian, with a fault wherever a test wants one."""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from tests.fakes.guardian import Behaviour, Exchange, answer

Json = dict[str, Any]
Shape = Callable[[str, list[Json]], Any]


def bare(_name: str, items: list[Json]) -> Any:
    return items


def named(name: str, items: list[Json]) -> Any:
    return {name: items, "total": len(items)}


def as_data(_name: str, items: list[Json]) -> Any:
    return {"data": items}


@dataclass
class FakeRoles:
    """Grants every check. ``faults`` maps a beginning of ``METHOD /path`` to what happens instead."""

    company_id: str
    latency: float = 0.0
    shape: Shape = bare
    faults: dict[str, Behaviour] = field(default_factory=dict)
    assignments: list[Json] = field(default_factory=list)
    roles: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, list[Json]] = field(default_factory=dict)
    permissions: dict[str, list[Json]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # What there is

    def role(self, name: str = "Role", **more: Any) -> str:
        role_id = str(uuid4())
        self.roles[role_id] = {"id": role_id, "name": name, "company_id": self.company_id, **more}
        self.policies[role_id] = []
        return role_id

    def policy(self, *role_ids: str, **more: Any) -> str:
        policy = {"id": str(uuid4()), "name": "Policy", "company_id": self.company_id, **more}
        for role_id in role_ids:
            self.policies[role_id].append(policy)
        self.permissions[policy["id"]] = []
        return str(policy["id"])

    def permission(self, policy_id: str, resource_name: str = "customer", operation: str = "READ") -> Json:
        found = {"id": str(uuid4()), "service": "identity", "resource_name": resource_name, "operation": operation}
        self.permissions[policy_id].append(found)
        return found

    def assign(self, user_id: str, role_id: str, **more: Any) -> Json:
        made = {"id": str(uuid4()), "user_id": user_id, "role_id": role_id, "company_id": self.company_id, **more}
        self.assignments.append(made)
        return made

    # How it answers

    def __call__(self, exchange: Exchange) -> bool:
        asked = f"{exchange.seen.method} {exchange.seen.path}"
        with self._lock:
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.latency and exchange.stopped.wait(self.latency):
                return False
        finally:
            # Before the answer: whoever reads it may ask again at once.
            with self._lock:
                self._at_once -= 1
        fault = next((each for start, each in self.faults.items() if asked.startswith(start)), None)
        return (fault or self._answer)(exchange)

    def _answer(self, exchange: Exchange) -> bool:
        status, body = self._said(exchange.seen.method, exchange.seen.path, exchange.seen.body)
        exchange.socket.sendall(b"HTTP/1.1 204 Reason\r\n\r\n" if status == 204 else answer(status, body))
        return True

    def _said(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        if parts.path == "/check-access":
            return 200, {"access_granted": True}
        if method == "POST":
            wanted = json.loads(body)
            return 201, self.assign(wanted["user_id"], wanted["role_id"])
        if match := re.fullmatch(r"/user-roles/([^/]+)", parts.path):
            return self._one_assignment(method, match[1])
        return self._read(parts.path, parse_qs(parts.query))

    def _one_assignment(self, method: str, assignment_id: str) -> tuple[int, Any]:
        found = next((each for each in self.assignments if each["id"] == assignment_id), None)
        if found is None:
            return 404, {"message": "Not found"}
        if method == "DELETE":
            self.assignments.remove(found)
            return 204, None
        return 200, found

    def _read(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if path == "/user-roles":
            wanted = [each for each in self.assignments if each["user_id"] == query["user_id"][0]]
            return 200, self.shape("user_roles", wanted)
        if path == "/roles":
            return 200, self.shape("roles", list(self.roles.values()))
        if path == "/permissions":
            every = [each for held in self.permissions.values() for each in held]
            return 200, self.shape("permissions", every)
        kind, item_id, *rest = path.strip("/").split("/")
        if rest:
            held = (self.policies if kind == "roles" else self.permissions).get(item_id)
            return (404, {"message": "Not found"}) if held is None else (200, self.shape(rest[0], held))
        role = self.roles.get(item_id)
        return (404, {"message": "Not found"}) if role is None else (200, role)


def wide(latency: float, company_id: str, user_id: str, roles: int, policies: int) -> FakeRoles:
    """A user with so many roles of so many policies, each with a permission of its own."""
    found = FakeRoles(company_id, latency)
    for n in range(roles):
        role_id = found.role(f"Role {n}")
        found.assign(user_id, role_id)
        for m in range(policies):
            found.permission(found.policy(role_id), f"thing_{n}_{m}")
    return found


def slowly(seconds: float, then: Behaviour) -> Behaviour:
    def behave(exchange: Exchange) -> bool:
        time.sleep(seconds)
        return then(exchange)

    return behave
