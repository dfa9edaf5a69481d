"""The application factory: settings, extensions, and every slice mounted; nothing else."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import cli
from app.auth.service import standing_of
from app.clients.guardian import NAMES_003, GrantAll, GuardianClient, HttpTransport
from app.clients.jwks import JwksClient
from app.config import Settings, load_settings
from app.core import db as database
from app.core import errors, http, logs
from app.core.auth import Authenticator
from app.core.kernel import Kernel, PolicyEngine
from app.core.passwords import Passwords
from app.core.tokens import Tokens
from app.extensions import db, migrate
from app.guardian.decision import EmbeddedTransport
from app.guardian.service import EmbeddedRoles, ExternalRoles
from app.mounts import mount
from app.system.health import Watch


def create_app(settings: Settings | None = None) -> Flask:
    """Raises SettingsError, with every fault, and UnsafeRole (production, staging) for a database role that bypasses row-level security."""
    settings = settings or load_settings()
    logs.configure(settings)
    app = Flask("app", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_content_length
    app.config["TESTING"] = settings.flask_env == "testing"
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    database.configure(app, settings)
    migrate.init_app(app, db, render_as_batch=False)
    app.extensions["identity"] = _kernel(settings)
    http.install(app, settings)
    logs.install(app, settings)
    errors.install(app)
    mount(app)
    cli.install(app)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count)  # type: ignore[method-assign]
    return app


def _kernel(settings: Settings) -> Kernel:
    tokens = Tokens(settings, JwksClient(settings.jwt_jwks_url) if settings.jwt_jwks_url else None)
    engine, watch = _policy(settings)
    return Kernel(
        settings=settings,
        tokens=tokens,
        passwords=Passwords(settings),
        authenticator=Authenticator(settings, tokens, standing_of),
        engine=engine,
        roles=EmbeddedRoles() if settings.embedded_guardian else ExternalRoles(),
        watch=watch,
    )


def _policy(settings: Settings) -> tuple[PolicyEngine, Watch]:
    if not settings.use_guardian_service:
        logs.log.warning("every_permission_is_granted", reason="USE_GUARDIAN_SERVICE=false")
        return GrantAll(), Watch({})
    if settings.embedded_guardian:
        return GuardianClient(EmbeddedTransport()), Watch({})
    timeout = settings.guardian_service_timeout
    transport = HttpTransport(settings.guardian_service_url, timeout, settings.max_in_flight)
    client = GuardianClient(transport, NAMES_003 if settings.guardian_resource_names == "003" else {})
    probe = GuardianClient(HttpTransport(settings.guardian_service_url, timeout, 1))
    return client, Watch({"guardian": probe.check_health})
