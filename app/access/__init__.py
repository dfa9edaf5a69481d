"""Who has which role, and what that allows: asked of whatever keeps the roles."""

from app.access.resources import (
    AssignableRoles,
    OwnPermissions,
    PermissionsOfUser,
    PoliciesOfUser,
    RoleOfUser,
    RolesOfUser,
)

TAG = "access"
ENDPOINTS = (RolesOfUser, RoleOfUser, PoliciesOfUser, PermissionsOfUser, OwnPermissions, AssignableRoles)
