"""The application factory: settings, extensions, services and the mounted slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from flask import Flask
from prometheus_client import CollectorRegistry

from app.accounts.auth.service import auth_state_of
from app.base.roles import RoleDirectory
from app.cli.commands import LazyGroup
from app.clients.limiter import Limits
from app.clients.mailer import Mailer, SilentMailer, SmtpMailer
from app.clients.policy.cache import CachingEngine, Grants, whole, without_item
from app.clients.policy.guardian import GuardianClient
from app.clients.policy.metrics import MeteredEngine, PolicyCounters, policy_breaker
from app.clients.policy.request import GrantAll, PolicyEngine
from app.clients.storage.factory import storage_of
from app.config.environment import load_settings
from app.config.settings import Settings
from app.core.db import engine
from app.core.files.images import Images
from app.core.security.passwords import Passwords
from app.core.security.tokens import Tokens
from app.core.services import Services
from app.core.web import headers, logs, problems
from app.core.web.principal import Authenticator
from app.core.web.proxies import behind_proxies
from app.core.web.routing import MatchedRule
from app.extensions import Migrations
from app.guardian.decision import EmbeddedTransport
from app.guardian.directory import EmbeddedRoleDirectory, roles_of_subject
from app.guardian.service import EmbeddedTenantRoles, ExternalTenantRoles
from app.mounts import SLICES, mount, mount_engine
from app.system.health import HealthMonitor

if TYPE_CHECKING:
    from app.clients.jwks import JwksClient


class Service(Flask):
    url_rule_class = MatchedRule

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is a coroutine function, and the check costs 3 µs a hook."""
        return func


# The environment may be that of a client of this engine. Its settings for clients do not apply here.
ENGINE = {
    "GUARDIAN_SERVICE_URL": "embedded",
    "GUARDIAN_PROTOCOL": "guardian",
    "USE_GUARDIAN_SERVICE": "true",
    "COOKIE_HOST_PREFIX": "false",
    "STORAGE_BACKEND": "none",
    "USE_STORAGE_SERVICE": "",
}


def create_app(settings: Settings | None = None, slices: Iterable[ModuleType] = SLICES) -> Flask:
    """Raises SettingsError, with every fault."""
    settings = settings or load_settings()
    app = _assemble(settings, partial(mount, slices=slices))
    if settings.is_deployed and not settings.use_email_service:
        logs.log.warning("no_mail_is_sent", reason="USE_EMAIL_SERVICE=false")
    return app


def create_guardian(environ: Mapping[str, str] | None = None) -> Flask:
    """The embedded policy engine alone, for other services. Raises SettingsError, with every fault."""
    return _assemble(load_settings(environ, **ENGINE), mount_engine)


def _assemble(settings: Settings, mount_all: Callable[[Flask], None]) -> Flask:
    logs.configure(settings)
    app = Service("app", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_content_length
    app.config["MAX_JSON_LENGTH"] = min(settings.max_json_length, settings.max_content_length)
    app.config["TESTING"] = settings.flask_env == "testing"
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.cli = LazyGroup(app.name)
    engine.configure(app, settings)
    Migrations(app)
    app.extensions["identity"] = _build_services(settings, _mailer(app, settings), Limits(app, settings))
    headers.install_headers(app, settings)
    logs.install_request_log(app, settings)
    problems.install_error_handlers(app)
    mount_all(app)
    if settings.is_deployed and not settings.trusted_proxies:
        logs.log.warning("no_proxy_is_trusted", consequence="behind a proxy all clients share one address")
    if settings.trusted_proxies:
        app.wsgi_app = behind_proxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    return app


def _mailer(app: Flask, settings: Settings) -> Mailer:
    if settings.use_email_service:
        return SmtpMailer(app, settings)
    return SilentMailer("" if settings.is_deployed else settings.mail_folder)


def _build_services(settings: Settings, mailer: Mailer, limits: Limits) -> Services:
    tokens = Tokens(settings, _jwks(settings))
    metrics = CollectorRegistry()
    policy, role_directory, health = _build_policy(settings, PolicyCounters(metrics))
    if limits.redis is not None:
        health.checks["redis"] = limits.redis.ping
    if isinstance(mailer, SmtpMailer):
        health.checks["mail"] = mailer.check
    storage = storage_of(settings)
    if storage.name != "none":
        health.checks["storage"] = storage.check_health
    return Services(
        settings=settings,
        tokens=tokens,
        passwords=Passwords(settings),
        authenticator=Authenticator(settings, tokens, auth_state_of),
        engine=policy,
        tenant_roles=EmbeddedTenantRoles() if settings.keeps_roles else ExternalTenantRoles(),
        role_directory=role_directory,
        health=health,
        mailer=mailer,
        limits=limits,
        storage=storage,
        images=Images(settings.threads),
        metrics=metrics,
    )


def _build_policy(settings: Settings, counters: PolicyCounters) -> tuple[PolicyEngine, RoleDirectory, HealthMonitor]:
    if not settings.use_guardian_service:
        logs.log.warning("every_permission_is_granted", reason="USE_GUARDIAN_SERVICE=false")
        return GrantAll(), EmbeddedRoleDirectory(), HealthMonitor({})
    if settings.embedded_guardian:
        client = MeteredEngine(GuardianClient(EmbeddedTransport()), counters)
        return _with_cache(client, settings, counters), EmbeddedRoleDirectory(), HealthMonitor({})
    return _build_remote_policy(settings, counters)


def _build_remote_policy(
    settings: Settings, counters: PolicyCounters
) -> tuple[PolicyEngine, RoleDirectory, HealthMonitor]:
    """AuthZEN does not define roles, so they are embedded. libcurl costs only a service that calls out by it."""
    from app.clients.policy.factory import build_remote

    breaker = policy_breaker(counters)
    remote, role_directory, health_check = build_remote(settings, breaker, roles_of_subject)
    client = _with_cache(MeteredEngine(remote, counters, breaker), settings, counters)
    return client, role_directory or EmbeddedRoleDirectory(), HealthMonitor({"guardian": health_check})


def _jwks(settings: Settings) -> JwksClient | None:
    if not settings.jwt_jwks_url:
        return None
    from app.clients.jwks import JwksClient

    return JwksClient(settings.jwt_jwks_url)


def _with_cache(engine: PolicyEngine, settings: Settings, counters: PolicyCounters) -> PolicyEngine:
    ttl = settings.guardian_decision_ttl_seconds
    key_of = whole if settings.guardian_protocol == "authzen" else without_item
    return CachingEngine(engine, Grants(ttl), counters, key_of) if ttl else engine
