"""What create_app builds once and every request finds: settings, tokens, passwords, the policy engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol, cast
from uuid import UUID

from flask import current_app
from prometheus_client import CollectorRegistry

from app.base.permission import Permission
from app.base.role_data import RoleData
from app.clients.limiter import Limits
from app.clients.mailer import Mailer
from app.clients.policy.request import PolicyEngine
from app.clients.storage.interface import Storage
from app.config.settings import Settings
from app.core.files.images import Images
from app.core.jobs.job import JobHandler
from app.core.security.passwords import Passwords
from app.core.security.tokens import Tokens
from app.core.web.principal import Authenticator


class Watch(Protocol):
    """Looks at what the service depends on, in the background."""

    def current(self) -> Mapping[str, Any]: ...


class Roles(Protocol):
    """What only an engine that keeps its roles here can do; inside the tenant's unit of work."""

    def company_made(self) -> None:
        """Give the bound tenant the default roles."""

    def give(self, user_id: UUID, code: str) -> None:
        """A default role, if the bound tenant still has it."""

    def check_not_above(self, user_id: UUID, by: UUID) -> None:
        """Raises Forbidden if the user has a role that holds what ``by`` lacks: whoever takes over an
        account has its permissions."""

    def check_leaving(self, user_id: UUID) -> None:
        """Raises Conflict if the user is the last active administrator of the bound tenant."""


@dataclass
class Services:
    settings: Settings
    tokens: Tokens
    passwords: Passwords
    authenticator: Authenticator
    engine: PolicyEngine
    roles: Roles
    role_data: RoleData
    watch: Watch
    mailer: Mailer
    limits: Limits
    storage: Storage
    images: Images
    catalogue: set[Permission] = field(default_factory=set)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    jobs: dict[str, JobHandler] = field(default_factory=dict)
    subscribers: dict[object, list[Callable[..., None]]] = field(default_factory=dict)
    wake: Event = field(default_factory=Event)


def services() -> Services:
    return cast(Services, current_app.extensions["identity"])
