"""Interfaces to roles, wherever they are kept: those of a tenant as a whole, and those of one user."""

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Actor:
    """The user and company on whose behalf roles are read and changed."""

    user_id: UUID
    company_id: UUID
    token: str
    request_id: str


class TenantRoles(Protocol):
    """Roles of the bound tenant, inside its unit of work; without effect where another service keeps the roles."""

    def create_defaults(self) -> None:
        """Create the default roles."""

    def assign_default(self, user_id: UUID, code: str) -> None:
        """Assign a default role, unless the tenant has removed it."""

    def check_not_above(self, user_id: UUID, by: UUID) -> None:
        """Raises Forbidden if a role of the user holds a permission that ``by`` lacks."""

    def check_not_last_administrator(self, user_id: UUID) -> None:
        """Raises Conflict if the user is the last active administrator."""


class RoleDirectory(Protocol):
    """Role assignments of the company's users, and what follows from them; outside any transaction.

    Raises Forbidden, NotFound and Conflict on a refusal, and BadGateway, Unavailable or GatewayTimeout
    without a usable answer. Lists are complete or an error: a failed part never shortens one.
    """

    def roles_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        """Assignments, each with its ``role``."""

    def assign(self, user_id: UUID, role_id: UUID, actor: Actor) -> Json:
        """The new assignment with its ``role``."""

    def assignment(self, user_id: UUID, assignment_id: UUID, actor: Actor) -> Json:
        """With its ``role``."""

    def unassign(self, user_id: UUID, assignment_id: UUID, actor: Actor) -> None: ...

    def policies_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        """Each once."""

    def permissions_of(self, user_id: UUID, actor: Actor) -> list[Json]:
        """Each once; all of the catalogue for an administrator."""

    def roles(self, actor: Actor) -> list[Json]:
        """Roles of the company, each with its ``permissions``, written by ``permission_name``, or ALL."""


ALL = ("all",)
"""The permissions of an administrator's role."""
ADMINISTRATOR, MANAGER, VIEWER, CUSTOMER = "administrator", "manager", "viewer", "customer"
"""The codes of the default roles. Customers who register get the last one."""


def permission_name(service: str, resource_name: str, operation: str) -> str:
    """``customer:READ``, and ``storage:file:READ`` for another service's."""
    name = f"{resource_name}:{operation}"
    return name if service == "identity" else f"{service}:{name}"
