"""Faults of settings, alone or in combination, one sentence each."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from app.config.settings import Settings

DATABASES = ("sqlite:///", "postgresql+psycopg://")
MIN_SECRET_BYTES = MIN_TOKEN_LENGTH = 32
TOKENS = ("init_token", "internal_auth_token", "guardian_token")
MOST_REMOTE_MB = 60
"""A little less than the largest answer of a storage (``clients/storage/exchange.MAX_BYTES``)."""
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1


def faults_of(settings: Settings) -> list[str]:
    checks = (_secret_faults, _number_faults, _url_faults, _policy_faults, _mail_faults, _storage_faults)
    return [fault for check in checks for fault in check(settings)]


def _secret_faults(settings: Settings) -> Iterator[str]:
    if not settings.jwt_secret and not settings.jwt_private_key_file:
        yield "JWT_SECRET or JWT_PRIVATE_KEY_FILE is required."
    if not settings.secret_key:
        yield "SECRET_KEY is required when JWT_SECRET is not set."
    for path in settings.jwt_private_key_file:
        if not Path(path).is_file():
            yield f"JWT_PRIVATE_KEY_FILE: {path} is not a file."
    if settings.is_deployed:
        yield from _deployment_faults(settings)


def _deployment_faults(settings: Settings) -> Iterator[str]:
    names = ("secret_key_previous", "secret_key", "jwt_secret_previous", "jwt_secret")
    # A default repeats the value of another setting; the fault is named once, with that setting.
    for value, name in {getattr(settings, name): name for name in names}.items():
        if value and is_weak(value):
            yield f"{name.upper()} must have at least {MIN_SECRET_BYTES} bytes and not be a placeholder."
    for name in TOKENS:
        if 0 < len(getattr(settings, name)) < MIN_TOKEN_LENGTH:
            yield f"{name.upper()} must have at least {MIN_TOKEN_LENGTH} characters."
    if settings.flask_env == "production" and not settings.init_token:
        yield "INIT_TOKEN is required in production."
    if not settings.use_guardian_service:
        yield "USE_GUARDIAN_SERVICE=false is refused in production and staging."
    elif not settings.guardian_service_url:
        yield "GUARDIAN_SERVICE_URL is required in production and staging (a URL, or embedded)."


def is_weak(secret: str) -> bool:
    """True for fewer than 32 bytes, fewer than 8 distinct characters, or an example's text."""
    lowered = secret.lower()
    is_placeholder = any(word in lowered for word in ("change-me", "changeme", "your_jwt_secret", "your-secret"))
    return len(secret.encode()) < MIN_SECRET_BYTES or len(set(secret)) < 8 or is_placeholder


POSITIVE = (
    "database_pool_size", "max_content_length", "max_json_length", "access_token_ttl_minutes", "refresh_token_ttl_days",
    "session_max_days", "argon2_time_cost", "argon2_parallelism", "guardian_service_timeout", "threads",
    "web_concurrency", "password_reset_otp_ttl_minutes", "password_reset_otp_max_attempts", "mail_port",
    "mail_max_emails", "storage_request_timeout", "max_avatar_size_mb", "max_document_size_mb", "document_quota_mb",
    "temporary_password_ttl_hours",
)  # fmt: skip
# Tokens are refused beyond 24 hours.
MAXIMA = {
    "access_token_ttl_minutes": 24 * 60, "refresh_token_ttl_days": 3650, "session_max_days": 3650,
    "temporary_password_ttl_hours": 24 * 365, "password_reset_otp_ttl_minutes": 24 * 60,
    "password_reset_otp_max_attempts": 10, "mail_port": 65535, "max_avatar_size_mb": 100, "max_document_size_mb": 1024,
    # Stored hashes of more cost verify nothing.
    "argon2_memory_kib": 256 * 1024, "argon2_time_cost": 10, "argon2_parallelism": 64, "failed_login_seconds": 5,
}  # fmt: skip


def _number_faults(settings: Settings) -> Iterator[str]:
    for name in POSITIVE:
        if getattr(settings, name) <= 0:
            yield f"{name.upper()} must be greater than 0."
    for name, most in MAXIMA.items():
        if getattr(settings, name) > most:
            yield f"{name.upper()} must be at most {most}."
    if settings.trusted_proxies < 0:
        yield "TRUSTED_PROXIES must not be negative."
    if settings.failed_login_seconds < 0:
        yield "FAILED_LOGIN_SECONDS must not be negative."
    if settings.guardian_max_in_flight < 0:
        yield "GUARDIAN_MAX_IN_FLIGHT must not be negative."
    elif settings.threads > 1 and settings.guardian_max_in_flight >= settings.threads:
        yield "GUARDIAN_MAX_IN_FLIGHT must be below THREADS, or a hanging engine takes every thread."
    if not 8 <= settings.password_min_length <= 128:
        yield "PASSWORD_MIN_LENGTH must be between 8 and 128."
    if settings.argon2_memory_kib < 8 * settings.argon2_parallelism:
        yield "ARGON2_MEMORY_KIB must be at least 8 per lane."


def _policy_faults(settings: Settings) -> Iterator[str]:
    url = settings.guardian_service_url
    if url and not settings.embedded_guardian and not _is_plain_http(url):
        yield "GUARDIAN_SERVICE_URL must be embedded or an http(s) URL in ASCII without credentials or a query."
    is_remote = bool(url) and not settings.embedded_guardian
    if settings.guardian_protocol == "authzen" and settings.use_guardian_service and not is_remote:
        yield "GUARDIAN_PROTOCOL=authzen needs the engine's http(s) URL in GUARDIAN_SERVICE_URL."
    if settings.guardian_decision_ttl_seconds < 0:
        yield "GUARDIAN_DECISION_TTL_SECONDS must not be negative."
    if settings.guardian_token and not BEARER_TOKEN.fullmatch(settings.guardian_token):
        yield "GUARDIAN_TOKEN must be a bearer token: letters, digits and -._~+/= only."


def _mail_faults(settings: Settings) -> Iterator[str]:
    if settings.mail_use_tls and settings.mail_use_ssl:
        yield "MAIL_USE_SSL excludes MAIL_USE_TLS; set MAIL_USE_TLS=false."
    if settings.ratelimit_storage_uri.partition("://")[0] not in ("memory", "redis", "rediss"):
        yield "RATELIMIT_STORAGE_URI must start with memory://, redis:// or rediss://."
    if not settings.use_email_service:
        return
    if not settings.mail_default_sender:
        yield "MAIL_DEFAULT_SENDER is required with USE_EMAIL_SERVICE=true."
    if settings.is_deployed and not settings.public_url:
        yield "PUBLIC_URL is required with USE_EMAIL_SERVICE=true: mailed links begin with it."


def _storage_faults(settings: Settings) -> Iterator[str]:
    if settings.storage_backend == "service" and not _is_http(settings.storage_service_url):
        yield "STORAGE_BACKEND=service needs the http(s) URL of the Storage Service in STORAGE_SERVICE_URL."
    if settings.storage_backend == "s3" and not re.fullmatch(r"s3://[^/?#]+(/[^?#]*)?", settings.storage_url):
        yield "STORAGE_BACKEND=s3 needs STORAGE_URL=s3://bucket/prefix."
    if settings.storage_backend in ("s3", "service") and settings.max_document_size_mb > MOST_REMOTE_MB:
        yield f"MAX_DOCUMENT_SIZE_MB must be at most {MOST_REMOTE_MB} unless STORAGE_BACKEND=local."
    if settings.s3_endpoint_url and not _is_http(settings.s3_endpoint_url):
        yield "S3_ENDPOINT_URL must be an http(s) URL."


def _url_faults(settings: Settings) -> Iterator[str]:
    if not settings.database_url.startswith(DATABASES):
        yield "DATABASE_URL must start with sqlite:///, postgresql:// or postgres://."
    elif settings.database_url in ("sqlite:///", "sqlite:///:memory:"):
        yield "DATABASE_URL must name a file: every connection would have a database of its own."
    owner = settings.migration_database_url
    if owner and not (settings.is_postgresql and owner.startswith("postgresql+psycopg://")):
        yield "MIGRATION_DATABASE_URL is for PostgreSQL: it and DATABASE_URL must start with postgresql://."
    for name in ("jwt_jwks_url", "public_url"):
        value = getattr(settings, name)
        if value and not _is_http(value):
            yield f"{name.upper()} must be an http(s) URL."
    for origin in settings.cors_origins:
        if not _is_http(origin) or any(urlsplit(origin)[2:]):
            yield f'CORS_ORIGINS: "{origin}" is not an origin such as https://app.example.com.'
    if settings.cookie_samesite == "None" and not settings.is_deployed:
        yield "COOKIE_SAMESITE=None needs Secure cookies, which only staging and production set."
    if settings.cookie_host_prefix and not settings.is_deployed:
        yield "COOKIE_HOST_PREFIX needs Secure cookies, which only staging and production set."


def _is_http(url: str) -> bool:
    """Whether the URL has a host and a possible port, and nothing that a request line cannot hold."""
    try:
        parts = urlsplit(url)
        is_possible = parts.port != 0
    except ValueError:
        return False
    is_clean = url.isprintable() and " " not in url
    return is_clean and is_possible and parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_plain_http(url: str) -> bool:
    return _is_http(url) and url.isascii() and "@" not in urlsplit(url).netloc and not set(url) & set("?#")
