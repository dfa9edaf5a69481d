"""Another site cannot make a browser act, and only listed origins may read."""

import pytest
from flask import Flask

from tests.accounts.auth.browser import Browser, bearer, signed_in
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.variants import PRODUCTION, Variant

pytestmark = one_database

APP = "https://app.example.com"
Headers = dict[str, str]
PASSES: list[Headers] = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy-changed-the-host.example"},
    {"Origin": "http://localhost"},
    {"Origin": "http://LOCALHOST"},
    {"Origin": "https://localhost"},
    {"Origin": "https://id.example.com:8443"},
    {"Origin": APP},
    {"Origin": APP, "Sec-Fetch-Site": "cross-site"},
    {"Origin": APP, "Sec-Fetch-Site": "same-site"},
]
REJECTED: list[Headers] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "Same-Origin"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "https://id.example.com"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "http://[evil"},
    {"Origin": "localhost"},
    {"Origin": APP + ".evil.example"},
    {"Origin": APP.replace("https", "http")},
    {"Origin": APP + ":444"},
]


@pytest.fixture
def service(variant: Variant) -> Flask:
    return variant(CORS_ORIGINS=APP, PUBLIC_URL="https://id.example.com:8443/identity")


@pytest.fixture
def browser(service: Flask, acme: Tenant) -> Browser:
    return signed_in(service, acme.user())


@by_row("headers", PASSES, ids=str)
def test_a_request_of_this_site_or_a_listed_one_passes(browser: Browser, headers: Headers) -> None:
    assert browser.patch("/users/me", {"first_name": "Changed"}, headers=headers).status_code == 200


@by_row("headers", REJECTED, ids=str)
def test_a_request_of_another_site_is_rejected_and_changes_nothing(browser: Browser, headers: Headers) -> None:
    answer = browser.patch("/users/me", {"first_name": "Changed"}, headers=headers)

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "CSRF_REJECTED")
    assert browser.get("/users/me", headers=headers).get_json()["first_name"] is None


@by_row("method", ["POST", "PUT", "PATCH", "DELETE"])
@by_row("path", ["/customers", "/customers/00000000-0000-7000-8000-000000000000"])
def test_every_unsafe_method_is_checked_before_anything_else(app: Flask, acme: Tenant, method: str, path: str) -> None:
    browser = Browser(app)
    browser.keep("access_token", acme.admin.token or "")

    answer = browser.request(method, path, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code in (403, 405)
    assert answer.status_code == 405 or answer.get_json()["error_code"] == "CSRF_REJECTED"


def test_nobody_is_told_401_before_csrf(app: Flask) -> None:
    assert Browser(app).post("/customers", {}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 401


def test_a_bearer_request_is_exempt(app: Flask, acme: Tenant) -> None:
    answer = acme.user().patch("/users/me", {"first_name": "Changed"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200


@one_database
@by_row("authorization", ["Bearer", "Bearer ", "Basic YTpi", "bearer\t"])
def test_a_header_that_carries_no_token_exempts_nothing(browser: Browser, authorization: str) -> None:
    headers = {"Authorization": authorization, "Sec-Fetch-Site": "cross-site"}

    assert browser.patch("/users/me", {"first_name": "Changed"}, headers=headers).status_code == 403


CROSS = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


def test_no_other_site_logs_a_browser_in(app: Flask, acme: Tenant) -> None:
    browser = Browser(app)

    answer = browser.log_in(acme.user().email, headers=CROSS)

    assert answer.get_json()["error_code"] == "CSRF_REJECTED"
    assert browser.cookie("access_token") is None


def test_no_other_site_refreshes(app: Flask, acme: Tenant) -> None:
    browser = signed_in(app, acme.user())
    before = browser.cookie("refresh_token")

    answer = browser.post("/auth/refresh", headers=CROSS)

    assert answer.get_json()["error_code"] == "CSRF_REJECTED"
    assert browser.cookie("refresh_token") == before
    assert browser.post("/auth/refresh").status_code == 200


def test_no_other_site_logs_a_browser_out(app: Flask, acme: Tenant) -> None:
    browser = signed_in(app, acme.user())

    answer = browser.post("/auth/logout", headers=CROSS)

    assert answer.get_json()["error_code"] == "CSRF_REJECTED"
    assert browser.get("/users/me").status_code == 200


def test_no_other_site_changes_a_password_or_ends_a_session(app: Flask, acme: Tenant) -> None:
    browser = signed_in(app, acme.user())

    for method, path in (("PATCH", "/users/me/change-password"), ("DELETE", "/auth/sessions")):
        assert browser.request(method, path, headers=CROSS).get_json()["error_code"] == "CSRF_REJECTED"


@pytest.mark.usefixtures("empty")
def test_no_other_site_initialises_the_database(app: Flask) -> None:
    body = {
        "company": {"name": "Evil"},
        "user": {"email": "evil@example.com", "password": "correct horse battery staple"},
    }

    answer = Browser(app).post("/init-db", body, headers=CROSS)

    assert answer.get_json()["error_code"] == "CSRF_REJECTED"
    assert Browser(app).get("/init-db").get_json() == {"initialized": False}


def test_the_host_is_the_one_that_the_trusted_proxy_was_asked_for(variant: Variant, app: Flask, acme: Tenant) -> None:
    headers = {"Origin": "https://id.example.org", "X-Forwarded-Host": "id.example.org", "X-Forwarded-Proto": "https"}
    trusting, person = variant(TRUSTED_PROXIES="1"), acme.user()

    assert signed_in(trusting, person).post("/auth/refresh", headers=headers).status_code == 200
    assert signed_in(app, person).post("/auth/refresh", headers=headers).status_code == 403


# Reading across origins


def test_no_origin_may_read_unless_it_is_listed(app: Flask, service: Flask, acme: Tenant) -> None:
    for each in (app, service):
        headers = Browser(each).get("/health/live", headers={"Origin": "https://evil.example"}).headers
        assert not [name for name, _ in headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("path", ["/health/live", "/users/me", "/nowhere"])
def test_a_listed_origin_may_read_every_answer_with_credentials(service: Flask, path: str) -> None:
    headers = Browser(service).get(path, headers={"Origin": APP}).headers

    assert headers["Access-Control-Allow-Origin"] == APP
    assert headers["Access-Control-Allow-Credentials"] == "true"
    exposed = {name.strip() for name in headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed == {
        "ETag", "Location", "X-Request-ID", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
    }  # fmt: skip
    assert "Origin" in headers["Vary"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-site"


def test_answers_vary_by_origin_whoever_asks(service: Flask, app: Flask) -> None:
    assert "Origin" in Browser(service).get("/health/live").headers["Vary"]
    assert Browser(app).get("/health/live").headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_preflight_of_a_listed_origin_is_answered_without_a_token(service: Flask) -> None:
    asked = {"Origin": APP, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}

    answer = Browser(service).request("OPTIONS", "/users/me", headers=asked)

    assert answer.status_code in (200, 204)
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower()


def test_a_preflight_of_another_origin_is_told_nothing(service: Flask) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PATCH"}

    answer = Browser(service).request("OPTIONS", "/users/me", headers=asked)

    assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


def test_in_production_the_browser_is_held_to_https(variant: Variant, app: Flask) -> None:
    deployed = Browser(variant(**PRODUCTION)).get("/health/live").headers

    assert "max-age=" in deployed["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in Browser(app).get("/health/live").headers


def test_an_access_token_of_the_bearer_is_no_licence_for_the_refresh_cookie(app: Flask, acme: Tenant) -> None:
    person: ApiClient = acme.user()

    answer = signed_in(app, person).patch("/users/me", {}, headers=bearer(person.token or "") | CROSS)

    assert answer.status_code == 400
