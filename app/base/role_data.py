"""One interface to role assignments and what follows from them, wherever the roles are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asker:
    """In whose name role data is read and changed, and in whose company."""

    user_id: UUID
    company_id: UUID
    token: str
    request_id: str


class RoleData(Protocol):
    """Outside any transaction, and about users that the company has.

    Everything is found or something is raised: Forbidden, NotFound and Conflict where the roles are kept
    says so; BadGateway, Unavailable or GatewayTimeout where it does not say anything usable. A list is
    never shorter because a part of it failed.
    """

    def roles_of(self, user_id: UUID, asker: Asker) -> list[Json]:
        """Assignments, each with its ``role``."""

    def assign(self, user_id: UUID, role_id: UUID, asker: Asker) -> Json:
        """The new assignment with its ``role``."""

    def assignment(self, user_id: UUID, assignment_id: UUID, asker: Asker) -> Json:
        """With its ``role``."""

    def unassign(self, user_id: UUID, assignment_id: UUID, asker: Asker) -> None: ...

    def policies_of(self, user_id: UUID, asker: Asker) -> list[Json]:
        """Each once."""

    def permissions_of(self, user_id: UUID, asker: Asker) -> list[Json]:
        """Each once; an administrator's are all that there are."""

    def roles(self, asker: Asker) -> list[Json]:
        """Those of the company, each with its ``permissions`` as ``permission_name`` writes them, or ALL."""


ALL = ("all",)
"""What an administrator's role holds."""
ADMINISTRATOR, MANAGER, VIEWER, CUSTOMER = "administrator", "manager", "viewer", "customer"
"""The codes of the default roles. Customers who register get the last one."""


def permission_name(service: str, resource_name: str, operation: str) -> str:
    """``customer:READ``, and ``storage:file:READ`` for another service's."""
    name = f"{resource_name}:{operation}"
    return name if service == "identity" else f"{service}:{name}"
