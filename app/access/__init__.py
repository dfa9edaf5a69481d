"""Roles of users, and the policies and permissions that follow, wherever the roles are kept."""

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
