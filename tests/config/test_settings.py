"""The environment becomes settings, or a list of everything that is wrong with it."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from psycopg import sql

from app import create_app
from app.base.errors import SettingsError
from app.config.environment import load_settings
from app.config.settings import Settings
from tests.support.databases import Postgres, dispose, worker
from tests.support.rows import by_row

STRONG = "kZ8f3Qv7Tn1bX5cR9mW2yH6pL4sD0gJ8"
DEPLOYED = {
    "JWT_SECRET": STRONG,
    "INIT_TOKEN": "an init token that nobody guesses",
    "DATABASE_URL": "postgresql://identity@db.example.com/identity",
    "GUARDIAN_SERVICE_URL": "embedded",
}


def faults(**environ: str) -> list[str]:
    try:
        load_settings({"JWT_SECRET": STRONG, **environ})
    except SettingsError as error:
        return error.faults
    return []


def production(**environ: str) -> list[str]:
    return faults(**{"FLASK_ENV": "production", **DEPLOYED, **environ})


def names_in(found: list[str]) -> set[str]:
    return {match[0] for fault in found if (match := re.match(r"[A-Z0-9_]+", fault))}


def test_a_secret_is_all_that_development_needs() -> None:
    settings = load_settings({"JWT_SECRET": "short"})

    assert (settings.flask_env, settings.embedded_guardian, settings.is_postgresql) == ("development", True, False)
    assert settings.secret_key == "short"


def test_the_secret_of_the_tokens_is_the_default_of_the_other_one_and_of_its_predecessor() -> None:
    rotated = {"JWT_SECRET": "new", "JWT_SECRET_PREVIOUS": "old"}

    by_default, apart = (load_settings(rotated | more) for more in ({}, {"SECRET_KEY": "another"}))

    assert (by_default.secret_key, by_default.secret_key_previous) == ("new", "old")
    assert (apart.secret_key, apart.secret_key_previous) == ("another", "")


def test_every_fault_is_told_at_once() -> None:
    found = faults(
        FLASK_ENV="prod",
        LOG_LEVEL="loud",
        JWT_SECRET="",
        DATABASE_URL="mysql://db/identity",
        DATABASE_POOL_SIZE="many",
        TRUSTED_PROXIES="-1",
        CORS_ORIGINS="https://app.example.com, app.example.com, *, https://app.example.com/, https://x/?y",
        USE_GUARDIAN_SERVICE="maybe",
        GUARDIAN_SERVICE_TIMEOUT="0",
        PASSWORD_MIN_LENGTH="4",
        COOKIE_SAMESITE="Loose",
        PUBLIC_URL="ftp://id.example.com",
    )

    assert names_in(found) == {
        "FLASK_ENV", "LOG_LEVEL", "JWT_SECRET", "SECRET_KEY", "DATABASE_URL", "DATABASE_POOL_SIZE",
        "TRUSTED_PROXIES", "CORS_ORIGINS", "USE_GUARDIAN_SERVICE", "GUARDIAN_SERVICE_TIMEOUT",
        "PASSWORD_MIN_LENGTH", "COOKIE_SAMESITE", "PUBLIC_URL",
    }  # fmt: skip
    assert len([fault for fault in found if fault.startswith("CORS_ORIGINS")]) == 4


@by_row("setting", fields(Settings), ids=[setting.name for setting in fields(Settings)])
def test_no_setting_takes_what_is_not_of_its_kind(setting: object) -> None:
    name, kind = setting.name, type(setting.default)  # type: ignore[attr-defined]
    wrong = {bool: ("maybe", "2", "truee"), int: ("1.5", "one", "1e3", "0x10"), float: ("one", "nan", "inf")}

    for value in wrong.get(kind, ("neither",) if setting.metadata["choices"] else ()):  # type: ignore[attr-defined]
        assert name.upper() in names_in(faults(**{name.upper(): value})), value


def test_the_message_has_every_fault_on_a_line_of_its_own() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"LOG_LEVEL": "loud", "THREADS": "0"})

    lines = str(refused.value).splitlines()
    assert lines == ["The configuration is not valid:", *(f"  - {fault}" for fault in refused.value.faults)]
    assert len(lines) == 5


def test_switches_are_read_in_the_usual_ways() -> None:
    for text, value in (("true", True), ("1", True), ("on", True), ("false", False), ("0", False), ("off", False)):
        assert load_settings({"JWT_SECRET": STRONG, "JWT_PROFILE_CLAIMS": text}).jwt_profile_claims is value
    assert load_settings({"JWT_SECRET": STRONG, "JWT_PROFILE_CLAIMS": ""}).jwt_profile_claims is False


def test_both_names_of_postgresql_work() -> None:
    for scheme in ("postgres", "postgresql"):
        urls = dict.fromkeys(("DATABASE_URL", "MIGRATION_DATABASE_URL"), f"{scheme}://u:p@h:5/d?x=y")
        settings = load_settings({"JWT_SECRET": STRONG, **urls})
        assert settings.database_url == settings.migration_database_url == "postgresql+psycopg://u:p@h:5/d?x=y"


def test_an_owner_of_the_tables_is_for_postgresql() -> None:
    postgresql = "postgresql://owner:hunter22@h/d"

    assert production(MIGRATION_DATABASE_URL=postgresql) == []
    for urls in (
        {"MIGRATION_DATABASE_URL": "sqlite:///identity.db"},
        {"MIGRATION_DATABASE_URL": postgresql, "DATABASE_URL": "sqlite:///identity.db"},
    ):
        [fault] = production(**urls)
        assert names_in([fault]) == {"MIGRATION_DATABASE_URL"}
        assert "hunter22" not in fault


def test_a_database_that_every_connection_would_have_alone_is_refused() -> None:
    for url in ("sqlite:///:memory:", "sqlite:///", "sqlite://"):
        assert names_in(faults(DATABASE_URL=url)) == {"DATABASE_URL"}, url


def test_urls_that_cannot_be_read_are_faults() -> None:
    for name in ("PUBLIC_URL", "JWT_JWKS_URL", "GUARDIAN_SERVICE_URL", "CORS_ORIGINS"):
        for url in ("http://[", "http://", "//x", "x", "javascript:alert(1)"):
            assert names_in(faults(**{name: url})) == {name}, (name, url)


def test_a_document_that_could_not_be_fetched_again_is_not_taken() -> None:
    remote = {"STORAGE_BACKEND": "s3", "STORAGE_URL": "s3://bucket"}

    assert faults(MAX_DOCUMENT_SIZE_MB="500") == []
    assert faults(MAX_DOCUMENT_SIZE_MB="60", **remote) == []
    assert names_in(faults(MAX_DOCUMENT_SIZE_MB="61", **remote)) == {"MAX_DOCUMENT_SIZE_MB"}


@by_row(
    ("name", "most", "too_much"),
    [
        ("ARGON2_MEMORY_KIB", "262144", "262145"),
        ("ARGON2_TIME_COST", "10", "11"),
        ("ARGON2_PARALLELISM", "64", "65"),
        ("FAILED_LOGIN_SECONDS", "5", "5.1"),
        ("FAILED_LOGIN_SECONDS", "0", "-0.1"),
    ],
)
def test_hashes_that_would_verify_nothing_are_not_made(name: str, most: str, too_much: str) -> None:
    assert faults(**{name: most}) == []
    assert names_in(faults(**{name: too_much})) == {name}


def test_no_secret_is_shown_by_the_settings_themselves() -> None:
    for each in fields(Settings):
        if each.metadata["secret"] and not each.name.endswith(("_url", "_uri")):
            environ = {"JWT_SECRET": STRONG, each.name.upper(): "a-secret-that-nobody-sees"}
            assert "a-secret-that-nobody-sees" not in repr(load_settings(environ)), each.name
    url = {"JWT_SECRET": STRONG, "DATABASE_URL": "postgresql://u:hunter2@h/d"}
    assert "hunter2" not in repr(load_settings(url))
    assert "hunter2" not in repr(load_settings({"JWT_SECRET": STRONG, "RATELIMIT_STORAGE_URI": "redis://:hunter2@h"}))


# What production and staging refuse


def test_production_starts_with_what_it_needs() -> None:
    assert production() == []
    assert production(FLASK_ENV="staging", INIT_TOKEN="") == []


def test_production_and_staging_refuse_a_weak_secret() -> None:
    weak = (
        "", "x" * 31, "a" * 64, "abcabcabcabcabcabcabcabcabcabcabcabc",
        "change-me-change-me-change-me-change-me", "your_jwt_secret_key_at_least_32_bytes_long",
    )  # fmt: skip

    for env in ("production", "staging"):
        for secret in weak:
            assert "JWT_SECRET" in names_in(production(FLASK_ENV=env, JWT_SECRET=secret)), secret
        for name in ("JWT_SECRET_PREVIOUS", "SECRET_KEY", "SECRET_KEY_PREVIOUS"):
            assert names_in(production(**{"FLASK_ENV": env, name: "too short"})) == {name}


def test_thirty_two_bytes_are_counted_as_bytes() -> None:
    assert production(JWT_SECRET="éàüößçñœæøåžšđćč") == []


def test_production_needs_a_token_for_its_initialization() -> None:
    assert names_in(production(INIT_TOKEN="")) == {"INIT_TOKEN"}


@by_row("name", ["INIT_TOKEN", "INTERNAL_AUTH_TOKEN", "GUARDIAN_TOKEN"])
def test_production_and_staging_refuse_a_token_that_can_be_guessed(name: str) -> None:
    for env in ("production", "staging"):
        for token in ("x", "x" * 31):
            assert production(**{"FLASK_ENV": env, name: token}) == [f"{name} must have at least 32 characters."]
        assert production(**{"FLASK_ENV": env, name: "x" * 32}) == []
    assert faults(**{name: "x"}) == []


def test_production_and_staging_do_not_run_without_an_engine() -> None:
    for env in ("production", "staging"):
        assert names_in(production(FLASK_ENV=env, USE_GUARDIAN_SERVICE="false")) == {"USE_GUARDIAN_SERVICE"}
        assert names_in(production(FLASK_ENV=env, GUARDIAN_SERVICE_URL="")) == {"GUARDIAN_SERVICE_URL"}


def test_cookies_that_need_https_are_for_production_and_staging() -> None:
    for name, value in (("COOKIE_SAMESITE", "None"), ("COOKIE_HOST_PREFIX", "true")):
        assert names_in(faults(**{name: value})) == {name}
        assert production(**{name: value}) == []


def test_a_key_file_that_is_none_is_a_fault(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("not a key")

    assert names_in(faults(JWT_PRIVATE_KEY_FILE=str(tmp_path / "nothing.pem"))) == {"JWT_PRIVATE_KEY_FILE"}
    with pytest.raises(SettingsError, match="JWT_PRIVATE_KEY_FILE"):
        create_app(load_settings({"JWT_SECRET": STRONG, "JWT_PRIVATE_KEY_FILE": str(garbage)}))


# Roles that row-level security does not hold for


@pytest.fixture(params=["SUPERUSER", "BYPASSRLS"])
def unsafe_url(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[str]:
    role = sql.Identifier(f"unsafe_{worker()}")
    with postgres.superuser() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN {}").format(role, sql.SQL(request.param)))
        yield f"postgresql://unsafe_{worker()}@/postgres?host={postgres.socket_dir}"
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


def settings_of(env: str, url: str) -> Settings:
    return load_settings(DEPLOYED | {"FLASK_ENV": env, "DATABASE_URL": url})


@pytest.mark.parametrize("env", ["production", "staging"])
def test_a_role_that_bypasses_row_level_security_stops_the_start(unsafe_url: str, env: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL: the role is a superuser or has BYPASSRLS"):
        create_app(settings_of(env, unsafe_url))


def test_a_plain_role_starts(postgres: Postgres) -> None:
    app = create_app(settings_of("production", postgres.url("postgres")))

    dispose(app)
    assert app.test_client().get("/health/live").status_code == 200
