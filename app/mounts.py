"""Which resources are mounted, and the catalogue of permissions that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flask import Flask

from app.access.resources import (
    AssignableRoles,
    OwnPermissions,
    PermissionsOfUser,
    PoliciesOfUser,
    RoleOfUser,
    RolesOfUser,
)
from app.accounts.auth.resources import KeySet, Login, Logout, OneSession, OtherSessions, Refresh, Sessions, Verify
from app.accounts.emails import mails as email_mails
from app.accounts.emails.resources import ChangeEmail, ConfirmEmail
from app.accounts.invitations import mails as invitation_mails
from app.accounts.invitations.resources import AcceptInvitation, Invitations, Invite, ResendInvitation
from app.accounts.onboarding import mails as onboarding_mails
from app.accounts.onboarding import registration, verification, waiting
from app.accounts.onboarding.resources import AskForVerification, Register, VerifyEmail
from app.accounts.passwords import mails as password_mails
from app.accounts.passwords.resources import AdminReset, ChangePassword, ResetConfirmation, ResetRequest, VerifyPassword
from app.base.permission import Permission
from app.companies.logo import CompanyLogo
from app.companies.resources import Companies
from app.config.settings import Settings
from app.core.files import stored_file
from app.core.jobs import mail, one_time_links
from app.core.jobs.mail import Composer
from app.core.jobs.outbox import Job
from app.core.services import Services
from app.core.web.endpoint import Endpoint
from app.core.web.routing import Api, Route
from app.customers.documents.files import DownloadDocument, UploadDocument
from app.customers.documents.resources import Documents, VerifyDocument
from app.customers.errors import CustomerNotFound
from app.customers.export.resources import ExportCustomer
from app.customers.logo import CustomerLogo
from app.customers.merge import execute, redirects, undo
from app.customers.merge.resources import MergeCustomers, Merges, UndoMerge
from app.customers.parts.addresses import Addresses, VerifyAddress
from app.customers.parts.bulk_tag import BulkTag
from app.customers.parts.contacts import Contacts
from app.customers.parts.notes import Notes
from app.customers.parts.preferences import CommunicationPreferences, ConsentHistory
from app.customers.parts.services import CustomerServices
from app.customers.parts.subscriptions import SubscriptionHistory, SubscriptionState
from app.customers.parts.tags import TagOfCustomer, Tags, TagsOfCustomer
from app.customers.profile import Profile, ProfileCheck
from app.customers.resources import Customers
from app.customers.statistics import CustomerStatistics
from app.customers.verification import mails as customer_mails
from app.customers.verification.resources import SendVerification, VerifyCustomerEmail
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
from app.subcontractors.logo import SubcontractorLogo
from app.subcontractors.resources import Subcontractors
from app.system.docs import Docs, DocsAsset, OpenApiJson, OpenApiYaml
from app.system.guardian import GuardianConfig, GuardianHealth, GuardianInitDb, GuardianVersion
from app.system.resources import Config, Health, InitDb, Live, Ready, Version
from app.users.avatar import Avatar, OwnAvatar
from app.users.resources import Me, Users, UsersOfPosition

SYSTEM: tuple[type[Endpoint], ...] = (
    Health, Live, Ready, Version, Config, InitDb, OpenApiJson, OpenApiYaml, Docs, DocsAsset,
)  # fmt: skip
AUTH: tuple[type[Endpoint], ...] = (
    Login, Refresh, Logout, Verify, Sessions, OtherSessions, OneSession, KeySet,
)  # fmt: skip
PASSWORDS: tuple[type[Endpoint], ...] = (ChangePassword, ResetRequest, ResetConfirmation, AdminReset, VerifyPassword)
ACCOUNTS: tuple[type[Endpoint], ...] = (
    Register, VerifyEmail, AskForVerification, ChangeEmail, ConfirmEmail,
    Invitations, Invite, ResendInvitation, AcceptInvitation,
)  # fmt: skip
DIRECTORY: tuple[type[Endpoint], ...] = (
    Companies, Users, Me, UsersOfPosition, OrganizationUnits, Tree, Children, Descendants, Ancestors,
    Positions, PositionsOfUnit, Customers, Subcontractors, DocumentTypes, DocumentTypeList,
)  # fmt: skip
DOSSIER: tuple[type[Endpoint], ...] = (
    Addresses, VerifyAddress, Contacts, CommunicationPreferences, ConsentHistory, Notes, Tags, TagsOfCustomer,
    TagOfCustomer, BulkTag, CustomerServices, SubscriptionState, SubscriptionHistory, CustomerStatistics,
    Merges, MergeCustomers, UndoMerge, Profile, ProfileCheck, SendVerification, VerifyCustomerEmail,
    Documents, UploadDocument, DownloadDocument, VerifyDocument, ExportCustomer,
)  # fmt: skip
PICTURES: tuple[type[Endpoint], ...] = (Avatar, OwnAvatar, CompanyLogo, CustomerLogo, SubcontractorLogo)
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
OWN: tuple[type[Endpoint], ...] = (*SYSTEM, *AUTH, *PASSWORDS, *ACCOUNTS, *DIRECTORY, *PICTURES, *DOSSIER, *ACCESS)
BEYOND_ENDPOINTS = (
    Permission("identity", "config", "READ", platform=True),
    Permission("identity", Notes.permission, "DELETE"),  # asked for a note of somebody else
)
PREFIX = "/guardian"
MAILS: Mapping[str, Composer] = {
    "password_reset": password_mails.password_reset,
    "password_changed": password_mails.password_changed,
    "password_reset_by_admin": password_mails.password_reset_by_admin,
    "verify_email": onboarding_mails.verify_email,
    "already_registered": onboarding_mails.already_registered,
    "invitation": invitation_mails.invitation,
    "confirm_email": email_mails.confirm_email,
    "email_changed": email_mails.email_changed,
    "customer_email": customer_mails.customer_email,
}
JOBS: Mapping[str, Callable[[Job], None]] = {
    one_time_links.EXPIRE: one_time_links.expire,
    stored_file.REMOVE: stored_file.remove_stored,
    registration.REGISTER: registration.register,
    verification.RESEND: verification.resend,
    waiting.DISCARD: waiting.discard_expired,
    execute.FORGET: undo.forget,
}


def mount(app: Flask) -> None:
    """The whole service."""
    kernel: Services = app.extensions["identity"]
    mounted = (*OWN, *_engine(kernel.settings))
    api = Api(app)
    for endpoint in mounted:
        api.mount(endpoint)
    app.register_error_handler(CustomerNotFound, redirects.not_found)
    kernel.routes.extend(api.routes)
    kernel.catalogue.update(BEYOND_ENDPOINTS, _permissions(mounted))
    kernel.jobs.update(JOBS)
    kernel.jobs.update(mail.jobs(MAILS))


def mount_engine(app: Flask) -> None:
    """The embedded engine alone: below /guardian, and where the Guardian protocol looks for it."""
    kernel: Services = app.extensions["identity"]
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
