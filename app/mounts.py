"""Which resources are mounted, and the catalogue of permissions that follows from them."""

from __future__ import annotations

from flask import Flask

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
from app.core.http import Api, Endpoint
from app.core.kernel import Kernel, Permission
from app.customers.resources import Customers
from app.document_types.resources import DocumentTypeList, DocumentTypes
from app.guardian.resources import CheckAccess, Permissions, Roles, UserRoles
from app.organization_units.resources import Ancestors, Children, Descendants, OrganizationUnits, Tree
from app.positions.resources import Positions, PositionsOfUnit
from app.subcontractors.resources import Subcontractors
from app.system.docs import OpenApiJson, OpenApiYaml
from app.system.resources import Config, Health, InitDb, Live, Ready, Version
from app.users.resources import Me, Users, UsersOfPosition

SYSTEM: tuple[type[Endpoint], ...] = (
    Health, Live, Ready, Version, Config, InitDb, OpenApiJson, OpenApiYaml,
)  # fmt: skip
AUTH: tuple[type[Endpoint], ...] = (
    Login, Refresh, Logout, Verify, Sessions, OtherSessions, OneSession, ChangePassword, KeySet,
)  # fmt: skip
DIRECTORY: tuple[type[Endpoint], ...] = (
    Companies, Users, Me, UsersOfPosition, OrganizationUnits, Tree, Children, Descendants, Ancestors,
    Positions, PositionsOfUnit, Customers, Subcontractors, DocumentTypes, DocumentTypeList,
)  # fmt: skip
GUARDIAN: tuple[type[Endpoint], ...] = (CheckAccess, Roles, Permissions, UserRoles)
BEYOND_ENDPOINTS = (Permission("identity", "config", "READ", platform=True),)


def mount(app: Flask) -> None:
    kernel: Kernel = app.extensions["identity"]
    api = Api(app)
    guardian = GUARDIAN if kernel.settings.embedded_guardian else ()
    for endpoint in (*SYSTEM, *AUTH, *DIRECTORY, *guardian):
        api.mount(endpoint)
    kernel.routes.extend(api.routes)
    kernel.catalogue.update(BEYOND_ENDPOINTS, _permissions(api))


def _permissions(api: Api) -> set[Permission]:
    return {permission for route in api.routes if (permission := route.permission)}
