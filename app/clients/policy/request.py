"""The question and the engine's interface, shared by every protocol."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from app.base.errors import Forbidden, Unavailable
from app.base.roles import permission_name

ANY = "*"
"""The resource id of a question about no item in particular."""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """``parent_kind`` is the kind of the parent in a nested path: position for ``/positions/{id}/users``.

    ``roles`` are those of the caller's token; None where it states none. ``policy_version``
    is never sent: it moves with every change of a role in the company. ``is_platform`` tells of the company.
    """

    user_id: UUID
    company_id: UUID
    resource_name: str
    operation: str
    parent_kind: str = ""
    service: str = "identity"
    resource_id: str = ANY
    roles: tuple[str, ...] | None = None
    policy_version: int = 0
    is_platform: bool = False


def denial(question: AccessRequest, reason: str | None) -> Forbidden:
    """The answer names the permission that was missing."""
    error = Forbidden(reason)
    name = permission_name(question.service, question.resource_name, question.operation)
    error.members.update(permission=name)
    return error


class TooManyInFlight(Unavailable):
    """This process asks as much as it may; that says nothing about the engine."""


class PolicyEngine(Protocol):
    """Returning grants. Forbidden denies; BadGateway, Unavailable and GatewayTimeout are no decision."""

    def check(self, *questions: AccessRequest, token: str, request_id: str) -> None:
        """Questions of one user. Raises unless all are granted; Unauthenticated if the token cannot be passed on."""


class GrantAll:
    """USE_GUARDIAN_SERVICE=false, for development."""

    def check(self, *questions: AccessRequest, token: str, request_id: str) -> None:
        """Grant everything."""
