"""Which resources are mounted, and the catalogue of permissions that follows from them."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask

from app.access.resources import (
    AssignableRoles,
    OwnPermissions,
    PermissionsOfUser,
    PoliciesOfUser,
    RoleOfUser,
    RolesOfUser,
)
from app.auth.resources import (
    ChangePassword,
    KeySet,
    Login,
    Logout,
    OneSession,
    OtherSessions,
    Refresh,
    Sessions,
    Verify,
)
from app.companies.resources import Companies
from app.config import Settings
from app.core.http import Api, Endpoint, Route
from app.core.kernel import Kernel, Permission
from app.customers.resources import Customers
from app.document_types.resources import DocumentTypeList, DocumentTypes
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
from app.organization_units.resources import Ancestors, Children, Descendants, OrganizationUnits, Tree
from app.positions.resources import Positions, PositionsOfUnit
from app.subcontractors.resources import Subcontractors
from app.system.docs import Docs, DocsAsset, OpenApiJson, OpenApiYaml
from app.system.guardian import GuardianConfig, GuardianHealth, GuardianInitDb, GuardianVersion
from app.system.resources import Config, Health, InitDb, Live, Ready, Version
from app.users.resources import Me, Users, UsersOfPosition

SYSTEM: tuple[type[Endpoint], ...] = (
    Health, Live, Ready, Version, Config, InitDb, OpenApiJson, OpenApiYaml, Docs, DocsAsset,
)  # fmt: skip
AUTH: tuple[type[Endpoint], ...] = (
    Login, Refresh, Logout, Verify, Sessions, OtherSessions, OneSession, ChangePassword, KeySet,
)  # fmt: skip
DIRECTORY: tuple[type[Endpoint], ...] = (
    Companies, Users, Me, UsersOfPosition, OrganizationUnits, Tree, Children, Descendants, Ancestors,
    Positions, PositionsOfUnit, Customers, Subcontractors, DocumentTypes, DocumentTypeList,
)  # fmt: skip
ACCESS: tuple[type[Endpoint], ...] = (
    RolesOfUser, RoleOfUser, PoliciesOfUser, PermissionsOfUser, OwnPermissions, AssignableRoles,
)  # fmt: skip
ROLES: tuple[type[Endpoint], ...] = (
    Roles, RoleComposition, PoliciesOfRole, Policies, PolicyComposition, PermissionsOfPolicy, Permissions, UserRoles,
)  # fmt: skip
GUARDIAN: tuple[type[Endpoint], ...] = (
    CheckAccess, *ROLES, GuardianHealth, GuardianVersion, GuardianConfig, GuardianInitDb,
)  # fmt: skip
PROBES: tuple[type[Endpoint], ...] = (Live, Ready)
OWN: tuple[type[Endpoint], ...] = (*SYSTEM, *AUTH, *DIRECTORY, *ACCESS)
BEYOND_ENDPOINTS = (Permission("identity", "config", "READ", platform=True),)
PREFIX = "/guardian"


def mount(app: Flask) -> None:
    """The whole service."""
    kernel: Kernel = app.extensions["identity"]
    mounted = (*OWN, *_engine(kernel.settings))
    api = Api(app)
    for endpoint in mounted:
        api.mount(endpoint)
    kernel.routes.extend(api.routes)
    kernel.catalogue.update(BEYOND_ENDPOINTS, _permissions(mounted))


def mount_engine(app: Flask) -> None:
    """The embedded engine alone: below /guardian, and where the Guardian protocol looks for it."""
    kernel: Kernel = app.extensions["identity"]
    api = Api(app)
    for endpoint in (*PROBES, *GUARDIAN):
        api.mount(endpoint)
    for endpoint in GUARDIAN:
        api.mount(endpoint, without=PREFIX)
    kernel.routes.extend(api.routes)
    kernel.catalogue.update(BEYOND_ENDPOINTS, _permissions((*OWN, *GUARDIAN)))


def _engine(settings: Settings) -> tuple[type[Endpoint], ...]:
    """Where roles are only kept for an engine that decides, nothing here answers as if it decided."""
    if settings.embedded_guardian:
        return GUARDIAN
    return ROLES if settings.keeps_roles else ()


def _permissions(endpoints: Iterable[type[Endpoint]]) -> set[Permission]:
    routes = (
        Route(endpoint, path, method)
        for endpoint in endpoints
        for path, methods in endpoint.paths()
        for method in methods
    )
    return {permission for route in routes if (permission := route.permission)}
