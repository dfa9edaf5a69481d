"""The attributes of the two cookies, which differ between a laptop and a deployment."""

import pytest
from flask import Flask

from tests.accounts.auth.browser import Browser, Cookies, set_cookies
from tests.fakes.guardian import FakeGuardian, grants
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.variants import PRODUCTION, Variant

pytestmark = one_database

WEEK = 7 * 24 * 3600


def cookies_of(app: Flask, person: str) -> Cookies:
    answer = Browser(app).log_in(person)
    assert answer.status_code == 200
    return set_cookies(answer)


def test_both_cookies_are_hidden_from_scripts_and_end_with_the_session(app: Flask, acme: Tenant) -> None:
    found = cookies_of(app, acme.user().email)

    access, refresh = found["access_token"], found["refresh_token"]
    assert access["httponly"]
    assert refresh["httponly"]
    assert (access["samesite"], refresh["samesite"]) == ("Lax", "Strict")
    assert access["path"] == refresh["path"] == "/"
    assert access["domain"] == refresh["domain"] == ""
    assert access["max-age"] == refresh["max-age"]
    assert WEEK - 60 < int(refresh["max-age"]) <= WEEK


@pytest.mark.parametrize(
    ("environment", "secure"), [("development", False), ("testing", False), ("staging", True), ("production", True)]
)
def test_cookies_are_secure_outside_development_and_testing(
    variant: Variant, acme: Tenant, environment: str, secure: bool
) -> None:
    deployed = variant(**PRODUCTION | {"FLASK_ENV": environment})

    found = cookies_of(deployed, acme.user().email)

    assert [bool(each["secure"]) for each in found.values()] == [secure, secure]


@pytest.mark.parametrize("samesite", ["Lax", "Strict", "None"])
def test_one_setting_decides_on_samesite_of_both(variant: Variant, acme: Tenant, samesite: str) -> None:
    found = cookies_of(variant(**PRODUCTION, COOKIE_SAMESITE=samesite), acme.user().email)

    assert [each["samesite"] for each in found.values()] == [samesite, samesite]


def test_life_of_the_cookies_follows_the_settings(variant: Variant, acme: Tenant) -> None:
    short = variant(ACCESS_TOKEN_TTL_MINUTES="2", REFRESH_TOKEN_TTL_DAYS="3", SESSION_MAX_DAYS="1")

    found = cookies_of(short, acme.user().email)

    assert [int(each["max-age"]) <= 24 * 3600 for each in found.values()] == [True, True]


def test_with_the_host_prefix_only_the_prefixed_names_count(variant: Variant, acme: Tenant) -> None:
    prefixed = variant(**PRODUCTION, COOKIE_HOST_PREFIX="true")
    person = acme.user()
    found = cookies_of(prefixed, person.email)
    access, refresh = found["__Host-access_token"].value, found["__Host-refresh_token"].value

    def says(path: str, method: str, **cookies: str) -> int:
        browser = Browser(prefixed)
        for name, value in cookies.items():
            browser.keep(name, value)
        return browser.request(method, path).status_code

    assert len(found) == 2
    assert all(each["secure"] and each["path"] == "/" and not each["domain"] for each in found.values())
    assert says("/users/me", "GET", access_token=access) == 401
    assert says("/auth/refresh", "POST", refresh_token=refresh) == 401
    assert says("/users/me", "GET", **{"__Host-access_token": access}) == 200
    assert says("/auth/refresh", "POST", **{"__Host-refresh_token": refresh}) == 200


@pytest.mark.parametrize("prefix", ["", "__Host-"])
def test_logout_clears_the_cookies_as_they_were_set(variant: Variant, acme: Tenant, prefix: str) -> None:
    deployed = variant(**PRODUCTION, COOKIE_HOST_PREFIX="true" if prefix else "false")
    browser = Browser(deployed)
    given = set_cookies(browser.log_in(acme.user().email))

    cleared = set_cookies(browser.post("/auth/logout"))

    assert set(cleared) == set(given) == {f"{prefix}access_token", f"{prefix}refresh_token"}
    for name, each in cleared.items():
        assert (each.value, each["max-age"]) == ("", "0")
        assert [each[a] for a in ("path", "secure", "httponly", "samesite")] == [
            given[name][a] for a in ("path", "secure", "httponly", "samesite")
        ]


@pytest.mark.parametrize("how", ["cookie", "bearer"])
def test_the_policy_engine_gets_the_token_as_access_token_whatever_its_name_here(
    variant: Variant, acme: Tenant, how: str
) -> None:
    with FakeGuardian(grants) as engine:
        deployed = variant(**PRODUCTION, COOKIE_HOST_PREFIX="true", GUARDIAN_SERVICE_URL=engine.url)
        token = cookies_of(deployed, acme.user().email)["__Host-access_token"].value
        browser = Browser(deployed)
        if how == "cookie":
            browser.keep("__Host-access_token", token)
        else:
            browser.headers["Authorization"] = f"Bearer {token}"

        answer = browser.get("/customers")

    assert answer.status_code == 200
    assert engine.seen[0].headers["cookie"] == f"access_token={token}"
