"""What the service refuses to start with, and says so in one go."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from psycopg import sql

from app import create_app
from app.config.settings import ROOT
from app.core.db.engine import UnsafeRole
from tests.across.faults.service import environment
from tests.support.clients import ApiClient
from tests.support.databases import ROLE, SECRET, Postgres, settings_for, worker
from tests.support.rows import by_row
from tests.support.variants import PRODUCTION

BOOT_ERROR = 3


def start(**environ: str) -> subprocess.CompletedProcess[str]:
    """What gunicorn's workers do first."""
    return subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        cwd=ROOT,
        env=environment(**environ),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_fault_of_a_production_is_named_at_once() -> None:
    found = start(
        FLASK_ENV="production",
        DATABASE_URL="mysql://somewhere",
        JWT_SECRET="too-short",
        INIT_TOKEN="",
        USE_GUARDIAN_SERVICE="false",
        COOKIE_HOST_PREFIX="perhaps",
        THREADS="many",
        CORS_ORIGINS="*",
    )

    named = {"DATABASE_URL", "JWT_SECRET", "INIT_TOKEN", "USE_GUARDIAN_SERVICE", "COOKIE_HOST_PREFIX"}
    named |= {"THREADS", "CORS_ORIGINS"}
    assert found.returncode == BOOT_ERROR
    assert [name for name in named if f"- {name}" not in found.stderr] == []
    assert "too-short" not in found.stderr
    assert "Traceback" not in found.stderr


@by_row(
    ("fault", "named"),
    [
        ({"JWT_SECRET": "", "SECRET_KEY": SECRET}, "JWT_SECRET"),
        ({"JWT_SECRET": "x" * 64}, "JWT_SECRET"),
        ({"JWT_SECRET": "0123456789-0123456789-012345678"}, "JWT_SECRET"),
        ({"JWT_SECRET": "change-me-jwt-0123456789-0123456789-0123"}, "JWT_SECRET"),
        ({"JWT_SECRET_PREVIOUS": "short"}, "JWT_SECRET_PREVIOUS"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"INIT_TOKEN": ""}, "INIT_TOKEN"),
        ({"USE_GUARDIAN_SERVICE": "false"}, "USE_GUARDIAN_SERVICE"),
        ({"USE_GUARDIAN_SERVICE": "maybe"}, "USE_GUARDIAN_SERVICE"),
        ({"GUARDIAN_SERVICE_URL": ""}, "GUARDIAN_SERVICE_URL"),
        ({"FLASK_ENV": "prod"}, "FLASK_ENV"),
    ],
    ids=str,
)
def test_production_does_not_start_with(fault: dict[str, str], named: str) -> None:
    with pytest.raises(Exception, match=rf"- {named}") as raised:
        create_app(settings_for("sqlite:///unused.db", **PRODUCTION | fault))

    assert len(raised.value.faults) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_a_deployment_starts_with_what_it_needs(environment: str) -> None:
    assert create_app(settings_for("sqlite:///unused.db", **PRODUCTION | {"FLASK_ENV": environment}))


def test_staging_needs_a_strong_secret_but_no_init_token() -> None:
    staging = PRODUCTION | {"FLASK_ENV": "staging", "INIT_TOKEN": ""}

    assert create_app(settings_for("sqlite:///unused.db", **staging))
    with pytest.raises(Exception, match="- JWT_SECRET"):
        create_app(settings_for("sqlite:///unused.db", **staging | {"JWT_SECRET": "short"}))


# The database role


def url(postgres: Postgres, role: str) -> str:
    return postgres.url("postgres").replace(f"//{ROLE}@", f"//{role}@")


@pytest.fixture
def role(postgres: Postgres) -> Iterator[str]:
    """A role of this test's own; it begins as a plain one."""
    name = f"identity_role_{worker()}"
    alter(postgres, "CREATE ROLE {} LOGIN", name)
    yield name
    alter(postgres, "DROP ROLE {}", name)


def alter(postgres: Postgres, statement: str, role: str) -> None:
    with postgres.superuser() as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


def test_production_does_not_start_as_a_superuser(postgres: Postgres) -> None:
    found = start(**PRODUCTION, DATABASE_URL=url(postgres, "postgres"))

    assert found.returncode == BOOT_ERROR
    assert "superuser" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS"])
@pytest.mark.parametrize("environment", ["production", "staging"])
def test_no_deployment_starts_with_a_role_that_policies_do_not_bind(
    postgres: Postgres, role: str, attribute: str, environment: str
) -> None:
    settings = settings_for(url(postgres, role), **PRODUCTION | {"FLASK_ENV": environment})
    assert create_app(settings)
    alter(postgres, f"ALTER ROLE {{}} {attribute}", role)

    with pytest.raises(UnsafeRole, match="superuser"):
        create_app(settings)


def test_a_laptop_may_use_any_role(postgres: Postgres) -> None:
    assert create_app(settings_for(url(postgres, "postgres"), FLASK_ENV="development"))


def test_a_role_that_became_unsafe_since_the_start_serves_nothing(postgres: Postgres, role: str) -> None:
    app = create_app(settings_for(url(postgres, role), **PRODUCTION))
    alter(postgres, "ALTER ROLE {} BYPASSRLS", role)

    login = ApiClient(app).post("/auth/login", {"email": "a@example.com", "password": "password"})
    health = app.test_client().get("/health")

    assert (login.status_code, health.status_code) == (503, 503)
    assert role not in login.text + health.text


def test_a_database_that_is_not_there_does_not_stop_the_start() -> None:
    assert create_app(settings_for("postgresql://nobody@127.0.0.1:1/nothing", **PRODUCTION))
