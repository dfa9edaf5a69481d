"""The embedded policy engine: roles, policies and permissions of each company, on the same database."""

from app.guardian.resources import (
    CheckAccess,
    Permissions,
    PermissionsOfPolicy,
    Policies,
    PoliciesOfRole,
    PolicyComposition,
    RoleComposition,
    Roles,
    UserRoles,
)

ROLES = (
    Roles, RoleComposition, PoliciesOfRole, Policies, PolicyComposition, PermissionsOfPolicy, Permissions, UserRoles,
)  # fmt: skip
ENDPOINTS = (CheckAccess, *ROLES)
