"""Requests of other sites: CORS and CSRF."""

import pytest
from flask import Flask
from uuid_utils.compat import uuid7

from tests.core.web.talking import by_cookie, shared_with, speaks
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.variants import Variant

pytestmark = one_database
ORIGIN = "https://app.example.com"


# CORS


@pytest.fixture
def shared(variant: Variant) -> Flask:
    return variant(CORS_ORIGINS=f"{ORIGIN}, http://localhost:3000")


EXPOSED = "ETag, Location, X-Request-ID, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"


def test_nobody_is_allowed_by_default(acme: Tenant) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}

    for answer in (
        acme.admin.get("/customers", headers=headers),
        acme.admin.request("OPTIONS", "/customers", headers=headers),
    ):
        assert shared_with(answer) == []
        assert "Vary" not in answer.headers


def test_the_origins_of_the_settings_may_read_answers_and_errors(shared: Flask, acme: Tenant) -> None:
    client = speaks(shared, acme.admin)

    for origin in (ORIGIN, "http://localhost:3000"):
        for path in ("/customers", "/nowhere", "/customers?x=1", f"/customers/{uuid7()}"):
            headers = client.get(path, headers={"Origin": origin}).headers
            assert headers["Access-Control-Allow-Origin"] == origin
            assert headers["Access-Control-Allow-Credentials"] == "true"
            assert headers["Access-Control-Expose-Headers"] == EXPOSED
            assert headers["Vary"] == "Origin"
            assert headers["Cross-Origin-Resource-Policy"] == "same-site"


def test_another_origin_gets_nothing(shared: Flask, acme: Tenant) -> None:
    client = speaks(shared, acme.admin)

    for origin in (
        "https://app.example.com.evil.example", "https://evil.example", "http://app.example.com", "null", "*",
        "https://app.example.com:8443", "https://APP.example.com", "https://app.example.com/", "",
    ):  # fmt: skip
        for method in ("GET", "OPTIONS"):
            asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            answer = client.request(method, "/customers", headers=asked)
            assert shared_with(answer) == [], origin
            assert answer.headers["Vary"] == "Origin"


def test_a_preflight_is_answered_without_a_token(shared: Flask) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type, if-match",
    }

    answer = ApiClient(shared).request("OPTIONS", f"/customers/{uuid7()}", headers=asked)

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, PATCH, DELETE"
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "if-match", "if-none-match", "authorization"} <= set(allowed)
    assert "Access-Control-Allow-Headers" not in ApiClient(shared).request("OPTIONS", "/customers").headers


# CSRF (03): the algorithm of Go 1.25's CrossOriginProtection

HERE = "http://localhost"
CSRF = (
    ({}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "Same-Origin"}, False),
    ({"Sec-Fetch-Site": ""}, False),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, True),
    ({"Sec-Fetch-Site": "cross-site", "Origin": HERE}, False),
    ({"Origin": HERE}, True),
    ({"Origin": "https://localhost"}, True),
    ({"Origin": "http://LOCALHOST"}, True),
    ({"Origin": "http://localhost:8080"}, False),
    ({"Origin": "http://localhost.evil.example"}, False),
    ({"Origin": "https://evil.example"}, False),
    ({"Origin": "https://evil.example/localhost"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "http://["}, False),
    ({"Origin": "localhost"}, False),
    ({"Origin": "https://public.example.com"}, True),
    ({"Origin": "https://public.example.com:444"}, False),
    ({"Origin": ORIGIN}, True),
    ({"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}, True),
    ({"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"}, True),
    ({"Origin": f"{ORIGIN}.evil.example", "Sec-Fetch-Site": "cross-site"}, False),
)


@pytest.fixture
def browser_app(variant: Variant) -> Flask:
    return variant(CORS_ORIGINS=ORIGIN, PUBLIC_URL="https://public.example.com/identity")


def test_an_unsafe_request_by_cookie_must_come_from_here(browser_app: Flask, acme: Tenant) -> None:
    client = ApiClient(browser_app, headers=by_cookie(acme.admin))

    for headers, passes in CSRF:
        answer = client.patch("/users/me", {"first_name": "Ada"}, headers=headers)
        assert answer.status_code == (200 if passes else 403), headers
        if not passes:
            assert answer.get_json()["error_code"] == "CSRF_REJECTED"


def test_every_unsafe_method_by_cookie_is_checked_before_anything_is_done(browser_app: Flask, acme: Tenant) -> None:
    row = acme.admin.create("/customers", {"name": "Wile"})
    client = ApiClient(browser_app, headers={**by_cookie(acme.admin), "Sec-Fetch-Site": "cross-site"})

    for method, path in (("POST", "/customers"), *((m, f"/customers/{row['id']}") for m in ("PUT", "PATCH", "DELETE"))):
        answer = client.request(method, path, None if method == "DELETE" else {"name": "Evil"})
        assert (answer.status_code, answer.get_json()["error_code"]) == (403, "CSRF_REJECTED")

    assert acme.admin.get("/customers").get_json()["data"] == [row]


def test_reading_by_cookie_is_not_checked(browser_app: Flask, acme: Tenant) -> None:
    client = ApiClient(browser_app, headers={**by_cookie(acme.admin), "Sec-Fetch-Site": "cross-site"})

    assert client.get("/users/me").status_code == 200
    assert client.request("HEAD", "/users/me").status_code == 200
    assert client.request("OPTIONS", "/users/me").status_code == 200


def test_programs_with_a_bearer_token_are_not_checked(acme: Tenant) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert acme.admin.patch("/users/me", {"first_name": "Ada"}, headers=headers).status_code == 200


def test_what_sets_or_clears_cookies_is_checked_the_same_way(browser_app: Flask, acme: Tenant) -> None:
    client = ApiClient(browser_app)
    login = {"email": acme.admin.email, "password": PASSWORD}

    for path, body in (("/auth/login", login), ("/auth/refresh", {}), ("/auth/logout", {}), ("/init-db", {})):
        for headers, passes in CSRF:
            answer = client.post(path, body, headers=headers)
            rejected = answer.status_code == 403 and answer.get_json()["error_code"] == "CSRF_REJECTED"
            assert rejected is not passes, (path, headers)
            assert "Set-Cookie" not in answer.headers or passes


def test_headers_that_name_a_user_or_company_are_no_identity(
    acme: Tenant, globex: Tenant, anonymous: ApiClient
) -> None:
    claimed = {
        "X-User-ID": acme.admin.user_id, "X-Company-ID": str(acme.company_id), "X-Forwarded-User": acme.admin.email,
        "Remote-User": acme.admin.email, "X-Access-Token": str(acme.admin.token), "X-Token": str(acme.admin.token),
    }  # fmt: skip

    assert anonymous.get("/users/me", headers=claimed).status_code == 401
    assert anonymous.get("/users/me", query_string={"access_token": acme.admin.token}).status_code == 401
    shown = globex.admin.get("/users/me", headers=claimed).get_json()
    assert (shown["id"], shown["company_id"]) == (globex.admin.user_id, str(globex.company_id))
