"""The settings of the service, typed."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VERSION = (ROOT / "VERSION").read_text().strip()

ENVIRONMENTS = ("development", "testing", "staging", "production")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def setting(default: Any, meaning: str, *, secret: bool = False, choices: tuple[str, ...] = ()) -> Any:
    """A variable of the environment whose name is the attribute in upper case. ``metadata`` has all but the default."""
    metadata = {"meaning": meaning, "secret": secret, "choices": choices}
    return field(default=default, metadata=metadata, repr=not secret)


secret = partial(setting, secret=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting of the service. Durations carry their unit in the name or are seconds."""

    flask_env: str = setting("development", "Environment.", choices=ENVIRONMENTS)
    log_level: str = setting("INFO", "Least level of the log.", choices=LOG_LEVELS)
    database_url: str = secret(
        "sqlite:///identity.db", "Database URL: sqlite:///file (relative to instance/), postgresql:// or postgres://."
    )
    migration_database_url: str = secret(
        "", "URL of the role that owns the tables, for flask db; empty: DATABASE_URL. Serving processes need none."
    )
    database_pool_size: int = setting(16, "Database connections per process; one company has at most half of them.")
    server_name_header: bool = setting(False, "Send gunicorn's Server header.")
    trusted_proxies: int = setting(0, "Number of proxies in front; their X-Forwarded-* headers are trusted.")
    public_url: str = setting("", "URL of the service for browsers, in links and same-origin checks.")
    cors_origins: tuple[str, ...] = setting(
        (), "Comma-separated other origins that may call the service from a browser."
    )
    cookie_samesite: str = setting(
        "",
        "SameSite of both cookies; empty: Lax for the access token, Strict for the refresh token.",
        choices=("", "Lax", "Strict", "None"),
    )
    cookie_host_prefix: bool = setting(False, "Name the cookies __Host-access_token and __Host-refresh_token.")
    max_content_length: int = setting(16 * 1024 * 1024, "Largest request body in bytes.")
    max_json_length: int = setting(1024 * 1024, "Largest JSON body in bytes; public endpoints take at most 16384.")
    init_token: str = secret("", "Token that POST /init-db expects as X-Init-Token; required in production.")
    drain_file: str = setting("", "File whose existence makes /health/ready answer 503.")

    jwt_secret: str = secret("", "HS256 key of the tokens, at least 32 bytes in production and staging.")
    jwt_secret_previous: str = secret("", "Former HS256 key; it still verifies tokens.")
    jwt_private_key_file: tuple[str, ...] = setting(
        (), "Comma-separated PEM files (RSA, EC P-256, Ed25519). The first key signs, all verify."
    )
    jwt_jwks_url: str = setting("", "URL of the key set of an external auth service; its tokens are accepted.")
    jwt_issuer: str = setting(
        "identity-service", "Claim iss of this service's tokens and, with JWT_JWKS_URL, of external ones."
    )
    jwt_audience: str = setting("", "Claim aud of the tokens; empty: neither written nor checked.")
    jwt_profile_claims: bool = setting(False, "Add first_name and last_name to access tokens.")
    secret_key: str = secret("", "Secret behind the derived keys of cursors and codes; default: JWT_SECRET.")
    secret_key_previous: str = secret(
        "", "Former SECRET_KEY; it still opens and verifies. Default with SECRET_KEY unset: JWT_SECRET_PREVIOUS."
    )
    access_token_ttl_minutes: int = setting(15, "Lifetime of an access token.")
    refresh_token_ttl_days: int = setting(7, "Lifetime of a session after its last refresh.")
    session_max_days: int = setting(30, "Total lifetime of a session.")
    temporary_password_ttl_hours: int = setting(72, "Lifetime of a password that an administrator or the operator set.")
    password_min_length: int = setting(8, "Least length of a password, in characters.")
    argon2_memory_kib: int = setting(19456, "Argon2id memory per hash.")
    argon2_time_cost: int = setting(2, "Argon2id passes.")
    argon2_parallelism: int = setting(1, "Argon2id lanes.")
    failed_login_seconds: float = setting(
        0.5, "Least duration of a failed sign-in, so that its time tells nothing about the account; 0: no padding."
    )

    guardian_service_url: str = setting(
        "", "Policy engine: a URL, or embedded (the default outside production and staging)."
    )
    guardian_service_timeout: float = setting(5.0, "Total seconds for a policy decision.")
    guardian_max_in_flight: int = setting(0, "Concurrent calls to the engine per process; 0: half of THREADS.")
    guardian_protocol: str = setting("guardian", "Protocol of the engine.", choices=("guardian", "authzen"))
    guardian_resource_names: str = setting("", "003: send the resource names of document 003.", choices=("", "003"))
    guardian_decision_ttl_seconds: float = setting(
        0.0, "Seconds for which a grant is cached; 0: every check reaches the engine, and no grant is stale."
    )
    guardian_token: str = secret("", "Bearer token sent to an AuthZEN engine.")
    authzen_roles_claim: str = setting(
        "",
        "Claim of the access token with the roles for an AuthZEN engine. Without the claim, the roles come from "
        "this service's tables.",
    )
    use_guardian_service: bool = setting(
        True, "Ask the policy engine; false grants everything, in development and testing only."
    )

    password_reset_otp_ttl_minutes: int = setting(15, "Lifetime of a mailed code.")
    password_reset_otp_max_attempts: int = setting(3, "Guesses allowed for one mailed code.")
    registration: str = setting("closed", "Whether the public may register companies.", choices=("closed", "open"))
    internal_auth_token: str = secret("", "Token that POST /verify_password expects as X-Internal-Token.")
    verify_password_public: bool = setting(
        False, "Allow POST /verify_password without INTERNAL_AUTH_TOKEN in production."
    )

    use_email_service: bool = setting(False, "Send mail by SMTP; false only logs that a mail was due.")
    mail_server: str = setting("localhost", "SMTP server.")
    mail_port: int = setting(587, "Port of the SMTP server.")
    mail_use_tls: bool = setting(True, "STARTTLS (RFC 3207).")
    mail_use_ssl: bool = setting(False, "TLS from the first byte (RFC 8314 section 3); excludes MAIL_USE_TLS.")
    mail_username: str = setting("", "SMTP user; empty: no sign-in.")
    mail_password: str = secret("", "SMTP password.")
    mail_default_sender: str = setting("", "Sender address, such as Identity <noreply@example.com>.")
    mail_max_emails: int = setting(100, "Most mails over one SMTP connection.")
    mail_worker: str = setting(
        "thread",
        "Worker of the outbox: a thread of every serving process, or flask mail worker.",
        choices=("thread", "external"),
    )
    mail_folder: str = setting("instance/outbox", "Folder for unsent mails in development and testing.")

    ratelimit_enabled: bool = setting(True, "Limit requests per client address.")
    ratelimit_storage_uri: str = secret("memory://", "Counters of the limits: memory:// (per process) or redis://host.")
    ratelimit_strategy: str = setting(
        "fixed-window", "Method of counting requests.", choices=("fixed-window", "moving-window")
    )

    storage_backend: str = setting(
        "local", "Storage of files; none: their endpoints answer 503.", choices=("local", "s3", "service", "none")
    )
    use_storage_service: str = setting(
        "", "true: STORAGE_BACKEND=service, false: none, as in document 003.", choices=("", "true", "false")
    )
    storage_path: str = setting("instance/storage", "Folder of the local backend.")
    storage_url: str = setting("", "Place of the s3 backend: s3://bucket/prefix.")
    s3_endpoint_url: str = setting("", "Endpoint of an S3-compatible store; empty: Amazon's.")
    storage_service_url: str = setting("", "URL of the Storage Service.")
    storage_request_timeout: float = setting(30.0, "Total seconds for one storage request.")
    max_avatar_size_mb: int = setting(5, "Largest size of an avatar or logo.")
    customer_document_path: str = setting("", "Folder of customers' documents, local backend; empty: STORAGE_PATH.")
    max_document_size_mb: int = setting(20, "Largest size of a customer's document.")
    document_quota_mb: int = setting(1024, "Total size of the customers' documents of a company.")

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
        """Whether the tables of the embedded engine hold the roles, for whichever engine decides."""
        return self.embedded_guardian or self.guardian_protocol == "authzen"

    @property
    def max_in_flight(self) -> int:
        return self.guardian_max_in_flight or max(1, self.threads // 2)
