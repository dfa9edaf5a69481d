"""What every protocol shares: the question, and how strictly an engine's answer is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol
from uuid import UUID

from app.clients.http.transport import MAX_BODY_BYTES, Reply, unusable

ANY = "*"
"""The resource id of a question about no item in particular."""
MAX_REASON_CHARACTERS = 200

TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750 section 2.1, safe inside a cookie
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Question:
    """``within`` is the kind of the parent in a nested path: position for ``/positions/{id}/users``.

    ``roles`` are those that the caller's token states; None where it states none. ``policy_version``
    is never sent: it moves with every change of a role in the company.
    """

    user_id: UUID
    company_id: UUID
    resource_name: str
    operation: str
    within: str = ""
    service: str = "identity"
    resource_id: str = ANY
    roles: tuple[str, ...] | None = None
    policy_version: int = 0


class PolicyEngine(Protocol):
    """Returning is a grant; a refusal or a failure is raised.

    Forbidden: denied. BadGateway, Unavailable, GatewayTimeout: no usable answer. Unauthenticated: the
    token cannot be passed on.
    """

    def check(self, question: Question, *, token: str, request_id: str) -> None: ...

    def check_all(self, questions: Sequence[Question], *, token: str, request_id: str) -> None:
        """Several questions of one user: raises unless each is granted."""


class GrantAll:
    """USE_GUARDIAN_SERVICE=false, for development."""

    def check(self, question: Question, *, token: str, request_id: str) -> None:
        """Nobody is asked."""

    def check_all(self, questions: Sequence[Question], *, token: str, request_id: str) -> None:
        """Nobody is asked."""


def checked_request_id(request_id: str) -> str:
    """Raises ValueError."""
    if not REQUEST_ID.fullmatch(request_id):
        raise ValueError("The request id is malformed.")
    return request_id


def parsed(reply: Reply) -> Mapping[str, Any]:
    """The JSON object of a reply. Raises BadGateway."""
    answer = strict_json(reply, MAX_BODY_BYTES)
    if not isinstance(answer, dict):
        raise unusable("not a JSON object")
    return answer


def strict_json(reply: Reply, most: int) -> Any:
    """The JSON of a reply of at most so many bytes. Raises BadGateway."""
    if len(reply.body) > most:
        raise unusable("body too long")
    if reply.content_type and not _is_json(reply.content_type):
        raise unusable("not declared as JSON")
    try:
        return STRICT_JSON.decode(reply.body.decode())
    except (ValueError, RecursionError):
        raise unusable("not strict JSON") from None


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


def printable(text: str) -> str:
    """A reason as it may stand in our own answer: one line of at most MAX_REASON_CHARACTERS."""
    shown = "".join(each if each.isprintable() else " " for each in text[: 4 * MAX_REASON_CHARACTERS])
    return " ".join(shown.split())[:MAX_REASON_CHARACTERS].rstrip()
