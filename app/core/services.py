"""The objects that ``create_app`` builds once for all requests: settings, tokens, the policy engine …"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, cast

from flask import current_app
from prometheus_client import CollectorRegistry

from app.base.permission import Permission
from app.base.roles import RoleDirectory, TenantRoles
from app.clients.limiter import Limits
from app.clients.mailer import Mailer
from app.clients.policy.request import PolicyEngine
from app.clients.storage.interface import Storage
from app.config.settings import Settings
from app.core.files.images import Images
from app.core.security.passwords import Passwords
from app.core.security.tokens import Tokens
from app.core.web.principal import Authenticator


class DependencyHealth(Protocol):
    """Results of background checks of the service's dependencies, by name."""

    def current(self) -> Mapping[str, Any]: ...


@dataclass
class Services:
    settings: Settings
    tokens: Tokens
    passwords: Passwords
    authenticator: Authenticator
    engine: PolicyEngine
    tenant_roles: TenantRoles
    role_directory: RoleDirectory
    health: DependencyHealth
    mailer: Mailer
    limits: Limits
    storage: Storage
    images: Images
    catalogue: set[Permission] = field(default_factory=set)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    jobs: dict[str, Callable[..., None]] = field(default_factory=dict)
    recurring: dict[str, timedelta] = field(default_factory=dict)
    subscribers: dict[object, list[Callable[..., None]]] = field(default_factory=dict)
    wake: threading.Event = field(default_factory=threading.Event)


def services() -> Services:
    return cast(Services, current_app.extensions["identity"])
