"""Questions to the policy engine in the caller's name, each once per request."""

from collections.abc import Iterable

from flask import g

from app.base.permission import Permission
from app.base.text import CANONICAL_UUID
from app.clients.policy.request import ANY, AccessRequest
from app.core.services import services
from app.core.web.principal import principal


def require(
    resource_name: str, operation: str, *, service: str = "identity", parent_kind: str = "", resource_id: str = ANY
) -> None:
    """Raises Forbidden, and the errors of the engine's client."""
    _check_all([_access_request((resource_name, operation), service, parent_kind, resource_id)])


def require_all(permissions: Iterable[tuple[str, str]]) -> None:
    """Require each ``(resource_name, operation)``, in as few calls as the engine's protocol allows."""
    _check_all([_access_request(permission) for permission in permissions])


def is_granted(permission: Permission, resource_id: str = ANY) -> bool:
    """Whether this request has required the permission, with success."""
    names = (permission.resource_name, permission.operation)
    return _access_request(names, permission.service, resource_id=resource_id) in g.get("granted", ())


def resource_id_of(text: str | None) -> str:
    """A part of a path, or ``ANY`` unless it is an id. ``dispatch_request`` refuses malformed ids afterwards."""
    return text.lower() if text and CANONICAL_UUID.fullmatch(text) else ANY


def _access_request(
    permission: tuple[str, str], service: str = "identity", parent_kind: str = "", resource_id: str = ANY
) -> AccessRequest:
    caller = principal()
    ids, roles = (caller.user_id, caller.company_id), (caller.claimed_roles, caller.policy_version)
    return AccessRequest(*ids, *permission, parent_kind, service, resource_id, *roles, caller.is_platform)


def _check_all(access_requests: list[AccessRequest]) -> None:
    granted: set[AccessRequest] = g.setdefault("granted", set())
    new = [item for item in dict.fromkeys(access_requests) if item not in granted]
    engine, token = services().engine, principal().token
    if new:
        engine.check(*new, token=token, request_id=g.request_id)
    granted.update(new)
