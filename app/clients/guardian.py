"""The policy engine's client: asks one question over one transport and believes a strict grant only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn, Protocol
from uuid import UUID

import orjson

from app.clients.transport import MAX_BODY_BYTES, Reply, busy, unusable
from app.core.errors import Forbidden, Unauthenticated

MAX_REASON_CHARACTERS = 200

GRANTS = ("access_granted", "granted", "allowed", "decision")
REASONS = ("reason", "message", "detail", "error")
DENIALS = (400, 403, 404)

TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750 section 2.1, safe inside a cookie
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

Names = Mapping[tuple[str, str], str]
"""(kind of the parent in the path, or empty for any; resource_name) → the name that is sent."""

NAMES_003: Names = MappingProxyType(
    {
        ("", "user_role"): "user_roles",
        ("", "user_policy"): "user_policies",
        ("", "user_permission"): "user_permissions",
        ("position", "user"): "user_position",
        ("organization_unit", "organization_unit"): "organization_unit_children",
        ("organization_unit", "position"): "organization_unit_positions",
    }
)


@dataclass(frozen=True, slots=True)
class Question:
    """``within`` is the kind of the parent in a nested path: position for ``/positions/{id}/users``."""

    user_id: UUID
    company_id: UUID
    resource_name: str
    operation: str
    within: str = ""
    service: str = "identity"


class Transport(Protocol):
    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Raises BadGateway, Unavailable or GatewayTimeout when there is no whole reply."""


class GrantAll:
    """USE_GUARDIAN_SERVICE=false, for development."""

    def check(self, question: Question, *, token: str, request_id: str) -> None:
        """Nobody is asked."""


class GuardianClient:
    """The only reader of answers, whatever transport they came by."""

    def __init__(self, transport: Transport, names: Names = MappingProxyType({})) -> None:
        self._transport = transport
        self._names = names

    def check(self, question: Question, *, token: str, request_id: str) -> None:
        """Raises Forbidden, BadGateway, Unavailable, GatewayTimeout or Unauthenticated unless granted."""
        headers = _headers(token, request_id)
        _judge(self._transport.send("POST", "/check-access", self._asked(question), headers))

    def check_health(self) -> None:
        """Raises unless the engine answers its health endpoint with success."""
        reply = self._transport.send("GET", "/health", b"", {"Accept": "application/json"})
        if not 200 <= reply.status < 300:
            raise unusable(f"status {reply.status}")

    def _asked(self, question: Question) -> bytes:
        return orjson.dumps(
            {
                "user_id": question.user_id,
                "company_id": question.company_id,
                "service": question.service,
                "resource_name": self._name(question),
                "operation": question.operation,
            }
        )

    def _name(self, question: Question) -> str:
        plain = question.resource_name
        nested = self._names.get((question.within, plain))
        return nested or self._names.get(("", plain), plain)


def _headers(token: str, request_id: str) -> dict[str, str]:
    """Raises Unauthenticated: a verified token may still carry junk, as base64 decoders skip it."""
    if not TOKEN.fullmatch(token):
        raise Unauthenticated("The access token is malformed.")
    if not REQUEST_ID.fullmatch(request_id):
        raise ValueError("The request id is malformed.")
    return {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Cookie": f"access_token={token}",
        "X-Request-ID": request_id,
    }


def _judge(reply: Reply) -> None:
    if reply.status == 429:
        raise busy("status 429")
    if reply.status != 200 and reply.status not in DENIALS:
        raise unusable(f"status {reply.status}")
    answer = _parsed(reply)
    if reply.status != 200 or not _is_granted(answer):
        raise Forbidden(_reason(answer))


def _is_granted(answer: Mapping[str, Any]) -> bool:
    """One spelling that is not true outweighs any that are."""
    verdicts = [answer[name] for name in GRANTS if name in answer]
    if not verdicts or not all(isinstance(verdict, bool) for verdict in verdicts):
        raise unusable("no boolean decision")
    return all(verdicts)


def _parsed(reply: Reply) -> Mapping[str, Any]:
    if len(reply.body) > MAX_BODY_BYTES:
        raise unusable("body too long")
    if reply.content_type and not _is_json(reply.content_type):
        raise unusable("not declared as JSON")
    try:
        answer = STRICT_JSON.decode(reply.body.decode())
    except (ValueError, RecursionError):
        raise unusable("not strict JSON") from None
    if not isinstance(answer, dict):
        raise unusable("not a JSON object")
    return answer


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# orjson keeps the last of two equal keys and cannot be told not to.
STRICT_JSON = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_constant)


def _reason(answer: Mapping[str, Any]) -> str | None:
    texts = (_printable(answer[name]) for name in REASONS if isinstance(answer.get(name), str))
    return next(filter(None, texts), None)


def _printable(text: str) -> str:
    shown = "".join(each if each.isprintable() else " " for each in text[: 4 * MAX_REASON_CHARACTERS])
    return " ".join(shown.split())[:MAX_REASON_CHARACTERS].rstrip()
