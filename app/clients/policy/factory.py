"""A remote engine by the settings, its health check, and the directory of its roles."""

from collections.abc import Callable
from functools import partial

from app.base.roles import RoleDirectory
from app.clients.http.breaker import Breaker
from app.clients.policy.authzen import AuthZenClient, RolesOf
from app.clients.policy.guardian import NAMES_003, GuardianClient
from app.clients.policy.remote_roles import RemoteRoleDirectory
from app.clients.policy.request import PolicyEngine
from app.clients.policy.transport import RemoteTransport
from app.config.settings import Settings

Remote = tuple[PolicyEngine, RoleDirectory | None, Callable[[], None]]
"""The engine, the directory of its roles if it has one, and the health check, with a connection of its own."""


def build_remote(settings: Settings, breaker: Breaker, roles_of: RolesOf) -> Remote:
    url, timeout, most = settings.guardian_service_url, settings.guardian_service_timeout, settings.max_in_flight
    if settings.guardian_protocol == "authzen":
        build = partial(AuthZenClient, url, timeout, roles_of=roles_of, secret=settings.guardian_token)
        return build(most), None, build(1).check_health
    transport = RemoteTransport(url, timeout, most)
    names = NAMES_003 if settings.guardian_resource_names == "003" else {}
    health_check = GuardianClient(RemoteTransport(url, timeout, 1)).check_health
    return GuardianClient(transport, names), RemoteRoleDirectory(transport, breaker), health_check
