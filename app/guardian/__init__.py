"""The embedded policy engine: roles, policies and permissions of each company, on the same database."""

from app.companies.events import on_company_created
from app.core.events import Subscription
from app.guardian.resources import (
    CheckAccess,
    PermissionOfPolicy,
    Permissions,
    PermissionsOfPolicy,
    Policies,
    PoliciesOfRole,
    PolicyComposition,
    PolicyOfRole,
    RoleComposition,
    Roles,
    UserRoles,
)
from app.guardian.service import create_default_roles

TAG = "guardian"
ROLES = (
    Roles, RoleComposition, PolicyOfRole, PoliciesOfRole, Policies, PolicyComposition, PermissionOfPolicy,
    PermissionsOfPolicy, Permissions, UserRoles,
)  # fmt: skip
ENGINE_ENDPOINTS = (CheckAccess, *ROLES)
SUBSCRIPTIONS = (Subscription(on_company_created, create_default_roles),)
