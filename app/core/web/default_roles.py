"""Which default roles hold a permission, as endpoints declare it. The Administrator holds every one."""

from __future__ import annotations

from collections.abc import Mapping

from app.base.permission import Permission
from app.base.roles import MANAGER, VIEWER

DefaultRoles = Mapping[str, tuple[str, ...]]
"""Codes of roles, each with the operations that it may use."""

READS = ("LIST", "READ")
READ_BY_DEFAULT: DefaultRoles = {MANAGER: READS, VIEWER: READS}
"""Of a permission whose endpoints declare nothing."""
MANAGED: DefaultRoles = {MANAGER: (*READS, "CREATE", "UPDATE"), VIEWER: READS}

_declared: dict[tuple[str, str], DefaultRoles] = {}


def declare_default_roles(service: str, resource_name: str, roles: DefaultRoles) -> None:
    """For every operation of a permission. Raises TypeError for a second declaration that differs."""
    if _declared.setdefault((service, resource_name), roles) != roles:
        raise TypeError(f"The default roles of {service}:{resource_name} are declared in two ways.")


def is_held_by_default(permission: Permission, code: str) -> bool:
    """No default role but the Administrator holds what only the platform can use."""
    roles = _declared.get((permission.service, permission.resource_name), READ_BY_DEFAULT)
    return not permission.platform and permission.operation in roles.get(code, ())
