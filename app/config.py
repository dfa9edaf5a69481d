"""The one place that reads the environment: typed settings, every fault reported at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError
from marshmallow.fields import Boolean, Float, Integer
from marshmallow.fields import Field as Parser

ROOT = Path(__file__).resolve().parent.parent
VERSION = (ROOT / "VERSION").read_text().strip()

ENVIRONMENTS = ("development", "testing", "staging", "production")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MIN_SECRET_BYTES = 32
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1
PARSERS: dict[type, Parser[Any]] = {bool: Boolean(), int: Integer(), float: Float(allow_nan=False)}


class SettingsError(Exception):
    """``faults`` lists every variable that cannot be accepted, one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("The configuration is not valid:\n" + "\n".join(f"  - {f}" for f in faults))
        self.faults = faults


def setting(default: Any, meaning: str, *, secret: bool = False, choices: tuple[str, ...] = ()) -> Any:
    """A variable of the environment whose name is the attribute in upper case."""
    metadata = {"meaning": meaning, "secret": secret, "choices": choices}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting of the service. Durations carry their unit in the name or are seconds."""

    flask_env: str = setting("development", "Environment.", choices=ENVIRONMENTS)
    log_level: str = setting("INFO", "Least level that is logged.", choices=LOG_LEVELS)
    database_url: str = setting(
        "sqlite:///identity.db",
        "sqlite:///file (relative to instance/), postgresql:// or postgres://.",
        secret=True,
    )
    database_pool_size: int = setting(16, "Connections kept per process.")
    server_name_header: bool = setting(False, "Send gunicorn's Server header.")
    trusted_proxies: int = setting(0, "Number of proxies whose X-Forwarded-* headers are believed.")
    public_url: str = setting("", "URL under which browsers reach the service, for links and same-origin checks.")
    cors_origins: tuple[str, ...] = setting((), "Comma-separated origins that browsers may call from.")
    cookie_samesite: str = setting(
        "",
        "SameSite of both cookies; empty: Lax for access, Strict for refresh.",
        choices=("", "Lax", "Strict", "None"),
    )
    cookie_host_prefix: bool = setting(False, "Name the cookies __Host-access_token and __Host-refresh_token.")
    max_content_length: int = setting(16 * 1024 * 1024, "Largest request body in bytes.")
    init_token: str = setting("", "Must be sent as X-Init-Token to POST /init-db; required in production.", secret=True)
    drain_file: str = setting("", "While this file exists /health/ready answers 503.")

    jwt_secret: str = setting("", "HS256 key, at least 32 bytes in production and staging.", secret=True)
    jwt_secret_previous: str = setting("", "Former HS256 key that still verifies.", secret=True)
    jwt_private_key_file: tuple[str, ...] = setting(
        (), "Comma-separated PEM files (RSA, EC P-256, Ed25519); the first signs, all verify."
    )
    jwt_jwks_url: str = setting("", "Key set of an external auth service whose tokens are accepted.")
    jwt_issuer: str = setting(
        "identity-service", "Claim iss of our tokens and, with JWT_JWKS_URL, of the external ones."
    )
    jwt_audience: str = setting("", "Claim aud; checked and written only when set.")
    jwt_profile_claims: bool = setting(False, "Put first_name and last_name into access tokens.")
    secret_key: str = setting("", "Root of derived keys (cursors, codes); default JWT_SECRET.", secret=True)
    access_token_ttl_minutes: int = setting(15, "Life of an access token.")
    refresh_token_ttl_days: int = setting(7, "Life of a session since its last refresh.")
    session_max_days: int = setting(30, "Life of a session in all.")
    password_min_length: int = setting(8, "Fewest characters of a password.")
    argon2_memory_kib: int = setting(19456, "Argon2id memory per hash.")
    argon2_time_cost: int = setting(2, "Argon2id passes.")
    argon2_parallelism: int = setting(1, "Argon2id lanes.")

    guardian_service_url: str = setting(
        "", "Policy engine: a URL, or embedded (the default outside production and staging)."
    )
    guardian_service_timeout: float = setting(5.0, "Seconds a policy decision may take in all.")
    guardian_max_in_flight: int = setting(0, "Calls to the engine at once per process; 0: half of THREADS.")
    guardian_protocol: str = setting("guardian", "Language of the engine.", choices=("guardian", "authzen"))
    guardian_resource_names: str = setting("", "003: the resource names of document 003 are sent.", choices=("", "003"))
    guardian_decision_ttl_seconds: float = setting(
        0.0, "Seconds a grant is remembered; 0: every check reaches the engine, and nothing is ever stale."
    )
    guardian_token: str = setting("", "Bearer token sent to an AuthZEN engine.", secret=True)
    authzen_roles_claim: str = setting(
        "",
        "Claim of the access token with the roles that go to an AuthZEN engine; where a token has none of it, "
        "those of this service's own tables go.",
    )
    use_guardian_service: bool = setting(True, "false grants everything; development and testing only.")

    threads: int = setting(42, "Threads per worker process.")
    web_concurrency: int = setting(2, "Worker processes of gunicorn.")

    @property
    def is_deployed(self) -> bool:
        return self.flask_env in ("production", "staging")

    @property
    def is_postgresql(self) -> bool:
        return self.database_url.startswith("postgresql")

    @property
    def embedded_guardian(self) -> bool:
        return self.guardian_service_url == "embedded"

    @property
    def keeps_roles(self) -> bool:
        """Whether roles are kept here: in the tables of the embedded engine, whoever decides by them."""
        return self.embedded_guardian or self.guardian_protocol == "authzen"

    @property
    def max_in_flight(self) -> int:
        return self.guardian_max_in_flight or max(1, self.threads // 2)


def load_settings(environ: Mapping[str, str] | None = None, **fixed: str) -> Settings:
    """What is ``fixed`` wins over the environment. Raises SettingsError."""
    values, faults = _read({**(os.environ if environ is None else environ), **fixed})
    found = Settings(**_completed(values))
    faults += _faults(found)
    if faults:
        raise SettingsError(faults)
    return found


def declared() -> list[Field[Any]]:
    """The settings in the order of their declaration; ``metadata`` has the meaning."""
    return list(fields(Settings))


def default_of(each: Field[Any]) -> Any:
    factory = each.default_factory
    return factory() if callable(factory) else each.default


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults: list[str] = []
    for each in declared():
        name, default = each.name.upper(), default_of(each)
        raw = environ.get(name, "")
        values[each.name] = default
        if raw == "":
            continue
        try:
            value = _parsed(raw, default)
        except ValidationError as error:
            faults.append(f"{name}: {' '.join(error.messages)}")
            continue
        choices = each.metadata["choices"]
        if choices and value not in choices:
            faults.append(f'{name} must be one of {", ".join(c or "(empty)" for c in choices)}, not "{raw}".')
            continue
        values[each.name] = value
    return values, faults


def _parsed(raw: str, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(item.strip() for item in raw.split(",") if item.strip())
    parser = PARSERS.get(type(default))
    return parser.deserialize(raw.strip()) if parser else raw.strip()


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the defaults that depend on other settings."""
    for scheme in ("postgres://", "postgresql://"):
        if values["database_url"].startswith(scheme):
            values["database_url"] = "postgresql+psycopg://" + values["database_url"][len(scheme) :]
    deployed = values["flask_env"] in ("production", "staging")
    values["guardian_service_url"] = values["guardian_service_url"] or ("" if deployed else "embedded")
    values["secret_key"] = values["secret_key"] or values["jwt_secret"]
    return values


def _faults(found: Settings) -> list[str]:
    checks = (*_secret_faults(found), *_number_faults(found), *_url_faults(found), *_policy_faults(found))
    return [fault for fault in checks if fault]


def _secret_faults(found: Settings) -> list[str]:
    faults = []
    if not found.jwt_secret and not found.jwt_private_key_file:
        faults.append("JWT_SECRET or JWT_PRIVATE_KEY_FILE is required.")
    if not found.secret_key:
        faults.append("SECRET_KEY is required when JWT_SECRET is not set.")
    for path in found.jwt_private_key_file:
        if not Path(path).is_file():
            faults.append(f"JWT_PRIVATE_KEY_FILE: {path} is not a file.")
    if not found.is_deployed:
        return faults
    names = ["jwt_secret", "jwt_secret_previous"]
    if found.secret_key != found.jwt_secret:
        names.append("secret_key")
    for name in names:
        value = getattr(found, name)
        if value and is_weak(value):
            faults.append(f"{name.upper()} must have at least {MIN_SECRET_BYTES} bytes and not be a placeholder.")
    if found.flask_env == "production" and not found.init_token:
        faults.append("INIT_TOKEN is required in production.")
    if not found.use_guardian_service:
        faults.append("USE_GUARDIAN_SERVICE=false is refused in production and staging.")
    elif not found.guardian_service_url:
        faults.append("GUARDIAN_SERVICE_URL is required in production and staging (a URL, or embedded).")
    return faults


def is_weak(secret: str) -> bool:
    """True for fewer than 32 bytes, fewer than 8 distinct characters, or an example's text."""
    lowered = secret.lower()
    placeholder = any(word in lowered for word in ("change-me", "changeme", "your_jwt_secret", "your-secret"))
    return len(secret.encode()) < MIN_SECRET_BYTES or len(set(secret)) < 8 or placeholder


POSITIVE = (
    "database_pool_size", "max_content_length", "access_token_ttl_minutes", "refresh_token_ttl_days",
    "session_max_days", "argon2_time_cost", "argon2_parallelism", "guardian_service_timeout", "threads",
    "web_concurrency",
)  # fmt: skip


# Tokens are refused beyond 24 hours.
MOST = {"access_token_ttl_minutes": 24 * 60, "refresh_token_ttl_days": 3650, "session_max_days": 3650}


def _number_faults(found: Settings) -> list[str]:
    faults = [f"{name.upper()} must be greater than 0." for name in POSITIVE if getattr(found, name) <= 0]
    faults += [f"{name.upper()} must be at most {most}." for name, most in MOST.items() if getattr(found, name) > most]
    if found.trusted_proxies < 0:
        faults.append("TRUSTED_PROXIES must not be negative.")
    if found.guardian_max_in_flight < 0:
        faults.append("GUARDIAN_MAX_IN_FLIGHT must not be negative.")
    elif found.threads > 1 and found.guardian_max_in_flight >= found.threads:
        faults.append("GUARDIAN_MAX_IN_FLIGHT must be below THREADS, or a hanging engine takes every thread.")
    if not 8 <= found.password_min_length <= 128:
        faults.append("PASSWORD_MIN_LENGTH must be between 8 and 128.")
    if found.argon2_memory_kib < 8 * found.argon2_parallelism:
        faults.append("ARGON2_MEMORY_KIB must be at least 8 per lane.")
    return faults


def _policy_faults(found: Settings) -> list[str]:
    faults, url = [], found.guardian_service_url
    if url and not found.embedded_guardian and not _is_http(url):
        faults.append("GUARDIAN_SERVICE_URL must be an http(s) URL or embedded.")
    if found.guardian_protocol == "authzen" and found.use_guardian_service and not _is_http(url):
        faults.append("GUARDIAN_PROTOCOL=authzen needs the engine's http(s) URL in GUARDIAN_SERVICE_URL.")
    if found.guardian_decision_ttl_seconds < 0:
        faults.append("GUARDIAN_DECISION_TTL_SECONDS must not be negative.")
    if found.guardian_token and not BEARER_TOKEN.fullmatch(found.guardian_token):
        faults.append("GUARDIAN_TOKEN must be a bearer token: letters, digits and -._~+/= only.")
    return faults


def _url_faults(found: Settings) -> list[str]:
    faults = []
    if not found.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
        faults.append("DATABASE_URL must start with sqlite:///, postgresql:// or postgres://.")
    elif found.database_url in ("sqlite:///", "sqlite:///:memory:"):
        faults.append("DATABASE_URL must name a file: every connection would have a database of its own.")
    for name in ("jwt_jwks_url", "public_url"):
        value = getattr(found, name)
        if value and not _is_http(value):
            faults.append(f"{name.upper()} must be an http(s) URL.")
    for origin in found.cors_origins:
        if not _is_http(origin) or any(urlsplit(origin)[2:]):
            faults.append(f'CORS_ORIGINS: "{origin}" is not an origin such as https://app.example.com.')
    if found.cookie_samesite == "None" and not found.is_deployed:
        faults.append("COOKIE_SAMESITE=None needs Secure cookies, which only staging and production set.")
    if found.cookie_host_prefix and not found.is_deployed:
        faults.append("COOKIE_HOST_PREFIX needs Secure cookies, which only staging and production set.")
    return faults


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
