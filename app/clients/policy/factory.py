"""A remote engine by the settings, and the directory of its roles."""

from collections.abc import Callable

from app.clients.http.breaker import Breaker
from app.clients.policy.authzen import AuthZenClient, RolesOf
from app.clients.policy.guardian import NAMES_003, GuardianClient
from app.clients.policy.remote_roles import RemoteRoleDirectory
from app.clients.policy.transport import RemoteTransport
from app.config.settings import Settings


def build_guardian(settings: Settings, breaker: Breaker) -> tuple[GuardianClient, RemoteRoleDirectory]:
    names = NAMES_003 if settings.guardian_resource_names == "003" else {}
    transport = _transport(settings, settings.max_in_flight)
    return GuardianClient(transport, names), RemoteRoleDirectory(transport, breaker)


def build_authzen(settings: Settings, roles_of: RolesOf) -> AuthZenClient:
    return _authzen(settings, settings.max_in_flight, roles_of)


def health_check(settings: Settings, roles_of: RolesOf) -> Callable[[], None]:
    """With a connection of its own."""
    if settings.guardian_protocol == "authzen":
        return _authzen(settings, 1, roles_of).check_health
    return GuardianClient(_transport(settings, 1)).check_health


def _authzen(settings: Settings, max_in_flight: int, roles_of: RolesOf) -> AuthZenClient:
    url, timeout = settings.guardian_service_url, settings.guardian_service_timeout
    return AuthZenClient(url, timeout, max_in_flight, roles_of=roles_of, secret=settings.guardian_token)


def _transport(settings: Settings, max_in_flight: int) -> RemoteTransport:
    return RemoteTransport(settings.guardian_service_url, settings.guardian_service_timeout, max_in_flight)
