"""The default roles of permissions, as endpoints declare them. The Administrator holds every permission."""

from collections.abc import Mapping

from app.base.permission import Permission
from app.base.roles import MANAGER, VIEWER

DefaultRoles = Mapping[str, tuple[str, ...]]
"""Codes of roles, each with its operations."""

READS = ("LIST", "READ")
READ_BY_DEFAULT: DefaultRoles = {MANAGER: READS, VIEWER: READS}
"""The default roles of a permission whose endpoints declare none."""
MANAGED: DefaultRoles = {MANAGER: (*READS, "CREATE", "UPDATE"), VIEWER: READS}

_declared: dict[tuple[str, str], DefaultRoles] = {}


def declare_default_roles(service: str, resource_name: str, roles: DefaultRoles) -> None:
    """For all operations of a permission. Raises TypeError for a second, different declaration."""
    if _declared.setdefault((service, resource_name), roles) != roles:
        raise TypeError(f"The default roles of {service}:{resource_name} are declared in two ways.")


def is_held_by_default(permission: Permission, code: str) -> bool:
    """Whether a default role holds a permission. Only the Administrator holds those of the platform."""
    roles = _declared.get((permission.service, permission.resource_name), READ_BY_DEFAULT)
    return not permission.platform and permission.operation in roles.get(code, ())
