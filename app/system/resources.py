"""/health, /version, /config, /init-db"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar

from flask import Response, current_app, request
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.base.clock import utcnow
from app.base.errors import ApiError, Unauthenticated
from app.base.permission import Permission
from app.companies.resources import Companies
from app.companies.service import AlreadyInitialized
from app.config.settings import VERSION, Settings
from app.core.crud.crud import Crud
from app.core.db.transaction import unit_of_work
from app.core.services import services
from app.core.web.body import answer, json_body
from app.core.web.declaration import CREATED, declare
from app.core.web.endpoint import Endpoint
from app.core.web.permission import require
from app.core.web.principal import principal
from app.organization_units.resources import OrganizationUnits
from app.positions.resources import Positions
from app.system import schemas
from app.system.health import CheckResult, check_database, check_migrated, is_draining, run_check
from app.system.service import initialize, is_initialized
from app.users.models import LANGUAGES
from app.users.resources import Users


class Health(Endpoint):
    """Check the health of the service and of its dependencies."""

    access, path = "public", "/health"
    name: ClassVar[str] = "identity_service"

    @declare("getHealth", answer=schemas.HealthSchema(), also=(503,))
    def get(self) -> Response:
        checks = {"database": run_check(check_database), **self.other_checks()}
        usable = checks["database"].healthy
        degraded = not all(result.healthy for result in checks.values())
        report = {
            "status": "unhealthy" if not usable else "degraded" if degraded else "healthy",
            "service": self.name,
            "version": VERSION,
            "environment": services().settings.flask_env,
            "timestamp": utcnow(),
            "checks": {name: asdict(result) for name, result in checks.items()},
        }
        return answer(report, 200 if usable else 503)

    def other_checks(self) -> Mapping[str, CheckResult]:
        """Hook: the checks that degrade the service without making it unusable."""
        return services().health.current()


class AuthHealth(Health):
    """Check the health of the service, as clients of a separate auth service do."""

    path = "/auth/health"
    operation_ids = {"GET": "getAuthHealth"}


class Live(Endpoint):
    """Check that the process is up."""

    access, path = "public", "/health/live"

    @declare("getLiveness", answer=schemas.StatusSchema())
    def get(self) -> Response:
        return answer({"status": "alive"})


class Ready(Endpoint):
    """Check that the service takes requests. Its database is reachable and migrated, and it is not draining."""

    access, path = "public", "/health/ready"

    @declare("getReadiness", answer=schemas.StatusSchema(), also=(503,))
    def get(self) -> Response:
        if is_draining(services().settings.drain_file):
            return answer({"status": "draining"}, 503)
        if not run_check(check_migrated).healthy:
            return answer({"status": "database not ready"}, 503)
        return answer({"status": "ready"})


class Version(Endpoint):
    """Get the version of the service."""

    access, path, own_transaction = "self", "/version", True

    @declare("getVersion", answer=schemas.VersionSchema())
    def get(self) -> Response:
        return answer({"version": VERSION})


class AuthVersion(Version):
    """Get the version of the service, as clients of a separate auth service do."""

    access, path = "public", "/auth/version"
    operation_ids = {"GET": "getAuthVersion"}


class Config(Endpoint):
    """Get the configuration of a browser application. A token with the permission config READ sees all settings."""

    access, path = "public", "/config"
    also_required = (Permission("identity", "config", "READ", platform=True),)

    @declare("getConfig", answer=schemas.ConfigSchema())
    def get(self) -> Response:
        settings = services().settings
        config: dict[str, Any] = {
            "env": settings.flask_env,
            "debug": bool(current_app.debug),
            "version": VERSION,
            "features": features(settings),
            "password_policy": services().passwords.policy(),
            "max_avatar_size_mb": settings.max_avatar_size_mb,
            "languages": list(LANGUAGES),
        }
        if _may_read_settings():
            config["settings"] = effective(settings)
        return answer(config)


class AuthConfig(Config):
    """Get the configuration of a browser application, as clients of a separate auth service do."""

    path = "/auth/config"
    operation_ids = {"GET": "getAuthConfig"}


def _may_read_settings() -> bool:
    """False on any error, because the public part of the configuration is for everybody."""
    authenticator = services().authenticator
    try:
        if authenticator.token_of(request) is None:
            return False
        if authenticator.authenticate().password_reset_required:
            return False
        require("config", "READ")
    except (ApiError, SQLAlchemyError):
        return False
    return principal().is_platform


def features(settings: Settings) -> dict[str, bool]:
    return {
        "guardian": settings.use_guardian_service,
        "embedded_guardian": settings.use_guardian_service and settings.embedded_guardian,
        "storage": settings.storage_backend != "none",
        "email": settings.use_email_service,
        "registration": settings.registration == "open",
    }


def effective(settings: Settings) -> dict[str, Any]:
    """All settings, without passwords in URLs; a secret is only set or not set."""
    values: dict[str, Any] = {}
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if field.name == "database_url":
            value = _without_password(value)
        elif field.metadata["secret"]:
            value = "set" if value else "not set"
        elif isinstance(value, str):
            value = re.sub(r"//[^/?#]*@", "//***@", value)
        values[field.name] = value
    return values


def _without_password(text: str) -> str:
    """Hide the password before the host, and those in the query."""
    url = make_url(text)
    masked = {name: "***" for name in url.query if "password" in name.lower()}
    return url.update_query_dict(masked).render_as_string(hide_password=True)


class InitDb(Endpoint):
    """The first company and its administrator."""

    access, path = "public", "/init-db"

    @declare("getInitialization", answer=schemas.InitializedSchema())
    def get(self) -> Response:
        """Check whether the service is initialized."""
        return answer({"initialized": is_initialized()})

    @declare("initialize", body=schemas.InitSchema(), answer=schemas.FoundedSchema(), errors=(401, 403), **CREATED)
    def post(self) -> Response:
        """Initialize the service. Creates the platform company, its first unit, position and administrator."""
        check_init_token()
        if is_initialized():
            raise AlreadyInitialized()
        values = _load_body()
        passwords, password = services().passwords, values["user"].pop("password")
        passwords.check_acceptable(password, values["user"]["email"])
        new_company = initialize(values["company"], values["user"] | {"password_hash": passwords.hash(password)})
        company = _row(Companies, new_company.company) | {
            "total_users": 1,
            "total_active_users": int(new_company.user.is_active),
        }
        rows = {
            "company": company,
            "organization_unit": _row(OrganizationUnits, new_company.organization_unit),
            "position": _row(Positions, new_company.position),
            "user": _row(Users, new_company.user),
        }
        return answer(rows, 201, {"Location": f"{request.script_root}/companies/{new_company.company.id}"})


def _load_body() -> dict[str, Any]:
    """The body of a first initialization. Raises Invalid."""
    schema = schemas.InitSchema()
    values = schema.checked(json_body())
    with unit_of_work(writes=False) as session:
        schema.check_refs(session, values)
    return values


def _row(crud: type[Crud], row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in crud.columns}


def check_init_token() -> None:
    """Raises Unauthenticated."""
    expected = services().settings.init_token
    token = request.headers.get("X-Init-Token", "")
    if expected and not hmac.compare_digest(token.encode("utf-8", "replace"), expected.encode()):
        raise Unauthenticated("The X-Init-Token header is missing or wrong.")
