"""The roles of each user, and the policies and permissions that these roles grant."""

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
