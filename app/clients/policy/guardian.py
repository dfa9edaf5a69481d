"""The Guardian protocol: one question in a call, and nothing but a strict grant is believed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import orjson

from app.base.errors import BadGateway
from app.clients.policy import parsing
from app.clients.policy.request import AccessRequest, denial

GRANTS = ("access_granted", "granted", "allowed", "decision")
REASONS = ("reason", "message", "detail", "error")
DENIALS = (400, 403, 404)

Names = Mapping[tuple[str, str], str]
"""(kind of the parent in the path, or empty for any; resource_name) → the name that is sent."""

NAMES_003: Names = MappingProxyType(
    {
        ("", "user_role"): "user_roles",
        ("", "user_policy"): "user_policies",
        ("", "user_permission"): "user_permissions",
        ("", "user_account"): "admin_password_reset",
        ("position", "user"): "user_position",
        ("organization_unit", "organization_unit"): "organization_unit_children",
        ("organization_unit", "position"): "organization_unit_positions",
    }
)


class TokenRefused(BadGateway):
    """The engine does not accept a token that we verified: the two disagree about keys, or clocks."""


class Transport(Protocol):
    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> parsing.Reply:
        """Raises BadGateway, Unavailable or GatewayTimeout when there is no whole reply."""


class GuardianClient:
    """Judges the answers of every transport."""

    def __init__(self, transport: Transport, names: Names = MappingProxyType({})) -> None:
        self._transport = transport
        self._names = names

    def check(self, *questions: AccessRequest, token: str, request_id: str) -> None:
        """One call per question, up to the first denial. Raises as PolicyEngine: the protocol has no batches."""
        headers = parsing.json_headers(request_id, parsing.token_cookie(token))
        for question in questions:
            _judge(question, self._transport.send("POST", "/check-access", self._body(question), headers))

    def check_health(self) -> None:
        """Raises unless the engine answers its health endpoint with success."""
        reply = self._transport.send("GET", "/health", b"", parsing.ACCEPT)
        if not 200 <= reply.status < 300:
            raise parsing.unusable(f"status {reply.status}")

    def _body(self, question: AccessRequest) -> bytes:
        return orjson.dumps(
            {
                "user_id": question.user_id,
                "company_id": question.company_id,
                "service": question.service,
                "resource_name": self._name(question),
                "operation": question.operation,
            }
        )

    def _name(self, question: AccessRequest) -> str:
        plain = question.resource_name
        nested = self._names.get((question.parent_kind, plain))
        return nested or self._names.get(("", plain), plain)


def _judge(question: AccessRequest, reply: parsing.Reply) -> None:
    parsing.check_status(reply, (200, *DENIALS), TokenRefused)
    answer = parsing.parse_object(reply)
    if reply.status != 200 or not _is_granted(answer):
        raise denial(question, reason_of(answer))


def _is_granted(answer: Mapping[str, Any]) -> bool:
    """One spelling that is not true outweighs any that are."""
    verdicts = [answer[name] for name in GRANTS if name in answer]
    if not verdicts or not all(isinstance(verdict, bool) for verdict in verdicts):
        raise parsing.unusable("no boolean decision")
    return all(verdicts)


def reason_of(answer: Mapping[str, Any]) -> str | None:
    texts = (parsing.printable(answer[name]) for name in REASONS if isinstance(answer.get(name), str))
    return next(filter(None, texts), None)
