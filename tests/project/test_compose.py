"""compose.yaml passes every setting on, and its services have the roles that they need and no more."""

import re
from dataclasses import fields

import yaml

from app.config.environment import load_settings
from app.config.settings import ROOT, Settings
from scripts.env_example import OWNERS, with_settings
from tests.support.rows import by_row

TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(TEXT)["services"]
INTERPOLATED = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
SETTINGS = [setting.name.upper() for setting in fields(Settings)]
# What follows from the services beside it.
FIXED = {"DATABASE_URL", "MIGRATION_DATABASE_URL"}
OF_THE_ENTRYPOINT = {"WAIT_FOR_DB", "WAIT_FOR_DB_SECONDS", "DRAIN_SECONDS"}
OF_S3 = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"}
ENV = {
    "IDENTITY_DB_PASSWORD": "serving", "IDENTITY_OWNER_PASSWORD": "owning", "POSTGRES_PASSWORD": "super",
    "JWT_SECRET": "0123456789-abcdefghijklmnopqrstuvwxyz", "INIT_TOKEN": "zyxwvutsrqponmlkjihgfedcba-9876543210",
}  # fmt: skip


def passed(service: str, **env: str) -> dict[str, str]:
    """The environment of a service as compose gives it, with ENV and ``env`` as the file ``.env``."""
    values = ENV | env

    def value_of(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        assert operator == "-" or name in values, f"{name} is required"
        return values.get(name) or rest

    given = {name: value for name, value in SERVICES[service]["environment"].items() if value is not None}
    return {name: INTERPOLATED.sub(value_of, value) for name, value in given.items()}


def test_the_list_of_settings_is_what_the_settings_declare() -> None:
    assert with_settings(TEXT, fields(Settings)) == TEXT


@by_row("name", [name for name in SETTINGS if name not in FIXED])
def test_the_file_env_decides_each_setting(name: str) -> None:
    assert passed("identity", **{name: "from .env"})[name] == "from .env"
    assert passed("migrate", **{name: "from .env"})[name] == "from .env"


def test_nothing_but_settings_is_passed_on() -> None:
    assert SERVICES["identity"]["environment"].keys() - set(SETTINGS) == OF_THE_ENTRYPOINT | OF_S3


def test_without_more_than_the_secrets_the_settings_are_those_of_a_production() -> None:
    plain = {"FLASK_ENV": "production", "GUARDIAN_SERVICE_URL": "embedded"}
    plain |= {name: ENV[name] for name in ("JWT_SECRET", "INIT_TOKEN")}

    served, expected = load_settings(passed("identity")), load_settings(plain)

    differing = {each.name for each in fields(Settings) if getattr(served, each.name) != getattr(expected, each.name)}
    assert differing == {"database_url", "ratelimit_storage_uri"}


def test_the_serving_process_has_neither_the_owners_password_nor_the_superusers() -> None:
    assert {name.upper() for name in OWNERS} & passed("identity").keys() == set()
    assert [value for value in passed("identity").values() if "owning" in value or value == "super"] == []
    assert load_settings(passed("migrate")).migration_database_url.startswith("postgresql+psycopg://identity_owner:")


def test_the_service_starts_after_the_migrations() -> None:
    started = SERVICES["identity"]["depends_on"]["migrate"]["condition"]
    steps = re.findall(r"flask (\w+ \w+)", SERVICES["migrate"]["entrypoint"][2])

    assert started == "service_completed_successfully"
    assert steps == ["db upgrade", "db grant", "guardian sync"]
