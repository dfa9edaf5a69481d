"""/config: what a browser needs before login, and the settings for those who run the platform."""

from dataclasses import fields
from typing import Any

import pytest
from flask import Flask

from app.config.settings import VERSION, Settings
from app.system.resources import effective
from tests.fakes.guardian import FakeGuardian, answers, grants
from tests.support.clients import ApiClient, Tenant
from tests.support.databases import SECRET, settings_for
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database

PUBLIC = {"env", "debug", "version", "features", "password_policy", "max_avatar_size_mb", "languages"}
SECRETS = [each.name for each in fields(Settings) if each.metadata["secret"] and each.name != "database_url"]


def settings_of(client: ApiClient) -> dict[str, Any] | None:
    answer = client.get("/config")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    assert set(found) >= PUBLIC
    return found.get("settings")


def test_anybody_learns_what_a_login_page_needs(anonymous: ApiClient) -> None:
    found = anonymous.get("/config").get_json()

    assert set(found) == PUBLIC
    assert (found["env"], found["debug"], found["version"]) == ("testing", False, VERSION)
    assert all(isinstance(feature, bool) for feature in found["features"].values())
    assert found["password_policy"]["min_length"] == 8
    assert found["languages"] == ["en", "fr"]


def test_features_follow_the_settings(anonymous: ApiClient, variant: Variant) -> None:
    open_ = variant(REGISTRATION="open", USE_EMAIL_SERVICE="true", MAIL_DEFAULT_SENDER="noreply@example.com")

    before = anonymous.get("/config").get_json()["features"]
    after = ApiClient(open_).get("/config").get_json()["features"]

    assert (before["registration"], before["email"]) == (False, False)
    assert (after["registration"], after["email"]) == (True, True)


def test_settings_are_for_platform_users_with_the_permission(acme: Tenant, globex: Tenant) -> None:
    assert settings_of(acme.admin) is not None
    assert settings_of(user_with(acme, "identity:config:READ")) is not None
    assert settings_of(acme.user("manager")) is None
    assert settings_of(globex.admin) is None
    assert settings_of(user_with(globex, "identity:config:READ")) is None


@pytest.mark.parametrize("token", ["not a token", "a.b.c"])
def test_token_that_is_not_valid_leaves_the_public_part(app: Flask, token: str) -> None:
    assert settings_of(ApiClient(app, token=token)) is None


def test_user_who_must_change_their_password_gets_the_public_part(acme: Tenant) -> None:
    assert settings_of(acme.user("administrator", password_reset_required=True)) is None


@pytest.mark.parametrize("behaviour", [answers(500, {}), answers(403, {}), answers(200, {"access_granted": "true"})])
def test_engine_that_fails_leaves_the_public_part(acme: Tenant, variant: Variant, behaviour: Any) -> None:
    with FakeGuardian(behaviour) as guardian:
        app = variant(GUARDIAN_SERVICE_URL=guardian.url)
        assert settings_of(ApiClient(app, token=acme.admin.token)) is None
        guardian.behaviour = grants
        assert settings_of(ApiClient(app, token=acme.admin.token)) is not None


def test_engine_is_asked_only_for_callers_with_a_token(app: Flask, variant: Variant) -> None:
    with FakeGuardian(grants) as guardian:
        settings_of(ApiClient(variant(GUARDIAN_SERVICE_URL=guardian.url)))

    assert [each.path for each in guardian.seen if each.path != "/health"] == []


def test_every_secret_is_only_set_or_not_set(acme: Tenant, variant: Variant) -> None:
    app = variant(INIT_TOKEN="sesame-init", JWT_SECRET_PREVIOUS="sesame-previous")
    answer = ApiClient(app, token=acme.admin.token).get("/config")

    shown = answer.get_json()["settings"]
    assert set(shown) == {each.name for each in fields(Settings)}
    assert {shown[name] for name in SECRETS} == {"set", "not set"} - ({"not set"} if all_set(shown) else set())
    assert (shown["jwt_secret"], shown["init_token"], shown["jwt_secret_previous"]) == ("set", "set", "set")
    assert "sesame" not in answer.text
    assert SECRET not in answer.text


def all_set(shown: dict[str, Any]) -> bool:
    return "not set" not in {shown[name] for name in SECRETS}


def test_secrets_that_are_not_set_say_so(acme: Tenant) -> None:
    shown = settings_of(acme.admin)

    assert shown is not None
    assert (shown["init_token"], shown["jwt_secret_previous"]) == ("not set", "not set")


@by_row(
    "url",
    [
        "postgresql://identity:sesame@db.example/identity",
        "postgres://identity:sesame@/identity?host=/run/postgresql",
        "postgresql://identity@db.example/identity?password=sesame",
        "postgresql://db.example/identity?user=identity&password=sesame&sslpassword=sesame",
    ],
)
def test_database_url_is_shown_without_its_password(url: str) -> None:
    shown = effective(settings_for(url))

    assert "sesame" not in str(shown)
    assert "identity" in shown["database_url"]


@by_row("name", ["jwt_jwks_url", "public_url"])
def test_url_of_another_service_is_shown_without_its_password(name: str) -> None:
    shown = effective(settings_for("sqlite:///x.db", **{name.upper(): "https://identity:sesame@guardian.example/x"}))

    assert "sesame" not in str(shown)
    assert "guardian.example/x" in shown[name]
