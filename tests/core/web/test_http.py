"""What goes around every answer: headers, request ids, CORS, CSRF, HEAD and OPTIONS, slashes, proxies."""

import re
from typing import Any

import pytest
from flask import Flask
from uuid_utils.compat import uuid7
from werkzeug.test import TestResponse

from tests.core.conftest import MakeApp
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.declared import Json
from tests.support.marks import both_databases, one_database

pytestmark = one_database

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
ORIGIN = "https://app.example.com"


def speaks(app: Flask, client: ApiClient) -> ApiClient:
    """The same caller to another application on the same database."""
    return ApiClient(app, client.token, client.user_id, client.company_id, client.email)


def shared_with(answer: TestResponse) -> list[str]:
    """The headers that let another origin read the answer."""
    return [name for name, _ in answer.headers if name.startswith("Access-Control")]


def by_cookie(client: ApiClient) -> dict[str, str]:
    return {"Cookie": f"access_token={client.token}"}


# Headers


def every_kind_of_answer(acme: Tenant, anonymous: ApiClient) -> dict[int, TestResponse]:
    made = acme.admin.post("/customers", {"name": "Wile", "email": "wile@example.com"})
    path = made.headers["Location"]
    found = [
        made,
        acme.admin.get(path),
        acme.admin.get(path, headers={"If-None-Match": "*"}),
        acme.admin.get("/customers/"),
        acme.admin.get("/customers/1"),
        anonymous.get(path),
        acme.user().get(path),
        acme.admin.get("/nowhere"),
        acme.admin.put("/customers", {}),
        acme.admin.post("/customers", {"name": "x", "email": "wile@example.com"}),
        acme.admin.delete(path, headers={"If-Match": '"9"'}),
        acme.admin.post("/customers", data=b" " * 16_777_217, content_type="application/json"),
        acme.admin.post("/customers"),
        acme.admin.delete(path),
    ]
    return {answer.status_code: answer for answer in found}


def test_every_answer_carries_the_security_headers(acme: Tenant, anonymous: ApiClient) -> None:
    answers = every_kind_of_answer(acme, anonymous)

    assert sorted(answers) == [200, 201, 204, 304, 308, 400, 401, 403, 404, 405, 409, 412, 413, 415]
    for status, answer in answers.items():
        for name, value in SECURITY.items():
            assert answer.headers.getlist(name) == [value], (status, name)
        assert "Strict-Transport-Security" not in answer.headers
        assert "Server" not in answer.headers
        assert shared_with(answer) == []


def test_production_insists_on_transport_security(make_app: MakeApp) -> None:
    deployed = {
        "FLASK_ENV": "production",
        "JWT_SECRET": "kZ8f3Qv7Tn1bX5cR9mW2yH6pL4sD0gJ8",
        "INIT_TOKEN": "an init token",
    }
    app = make_app(**deployed)

    for path in ("/health/live", "/nowhere"):
        answer = app.test_client().get(path)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_json_is_utf8_and_shows_what_is_null(acme: Tenant) -> None:
    answer = acme.admin.post("/customers", {"name": "Éa 😀"})

    assert answer.headers["Content-Type"] == "application/json"
    assert '"name":"Éa 😀"'.encode() in answer.data
    assert b'"email":null' in answer.data


@both_databases
def test_times_are_utc_with_microseconds(acme: Tenant) -> None:
    row = acme.admin.create("/customers", {"name": "Wile"})

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["created_at"])
    assert acme.admin.get(f"/customers/{row['id']}").get_json()["created_at"] == row["created_at"]


@both_databases
def test_ids_are_lower_case_and_ordered_by_time(acme: Tenant) -> None:
    made = [acme.admin.create("/customers", {"name": "Wile"})["id"] for _ in range(5)]

    assert made == sorted(made)
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id) for id in made)


# Request ids


def test_a_request_id_that_fits_is_kept(anonymous: ApiClient) -> None:
    for given in ("a", "A.b_c-9", "x" * 128):
        answer = anonymous.get("/nowhere", headers={"X-Request-ID": given})
        assert answer.headers.getlist("X-Request-ID") == [given]
        assert answer.get_json()["request_id"] == given


def test_any_other_request_id_is_replaced(anonymous: ApiClient) -> None:
    seen = set()

    for given in ("", "x" * 129, "a b", "a/b", "é", "a\tb", "<script>", '"a"', "a,b"):
        answer = anonymous.get("/health/live", headers={"X-Request-ID": given})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"]), given
        seen.add(answer.headers["X-Request-ID"])

    assert len(seen) == 9


# HEAD and OPTIONS


def test_head_is_get_without_the_body(acme: Tenant) -> None:
    row = acme.admin.create("/customers", {"name": "Wile"})

    for path in (f"/customers/{row['id']}", "/customers?limit=1", "/users/me", "/health/live"):
        got, head = acme.admin.get(path), acme.admin.request("HEAD", path)
        assert (head.status_code, head.data) == (200, b"")
        differing = {"X-Request-ID"}
        assert {(n, v) for n, v in head.headers if n not in differing} == {
            (n, v) for n, v in got.headers if n not in differing
        }


def test_head_is_guarded_as_get_is(acme: Tenant, anonymous: ApiClient) -> None:
    for path in ("/customers", f"/customers/{uuid7()}", "/users/me"):
        assert anonymous.request("HEAD", path).status_code == 401
    assert acme.user().request("HEAD", "/customers").status_code == 403
    assert acme.admin.request("HEAD", f"/customers/{uuid7()}").status_code == 404
    assert acme.admin.request("HEAD", "/customers?x=1").status_code == 400


def test_options_tells_the_methods_of_a_path_to_anybody(anonymous: ApiClient) -> None:
    for path, methods in (
        ("/customers", {"GET", "HEAD", "OPTIONS", "POST"}),
        (f"/customers/{uuid7()}", {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}),
        ("/auth/login", {"OPTIONS", "POST"}),
    ):
        answer = anonymous.request("OPTIONS", path)
        assert answer.status_code == 200
        assert set(answer.headers["Allow"].split(", ")) == methods
    assert anonymous.request("OPTIONS", "/nowhere").status_code == 404


# Slashes


def test_a_trailing_slash_is_taken_away(acme: Tenant) -> None:
    for path, where in (
        ("/customers/", "/customers"),
        ("/customers//", "/customers"),
        ("/customers/?page=1&name=%C3%A9%20b", "/customers?page=1&name=%C3%A9%20b"),
        ("/organization_units/tree/", "/organization_units/tree"),
        ("/customers/a%2Fb/", None),
        ("/customers/a%0D%0Ab/", "/customers/a%0D%0Ab"),
        ("/customers/%3Fx%23y%25/", "/customers/%3Fx%23y%25"),
        ("/customers/%C3%A9/", "/customers/%C3%A9"),
    ):
        answer = acme.admin.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (308 if where else 404, where), path


def test_a_trailing_slash_of_every_method_is_taken_away(acme: Tenant) -> None:
    for method in ("POST", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        answer = acme.admin.request(method, "/customers/", {"name": "x"} if method == "POST" else None)
        assert (answer.status_code, answer.headers["Location"]) == (308, "/customers"), method


def test_the_way_without_slash_begins_at_the_script_root(acme: Tenant) -> None:
    answer = acme.admin.get("/customers/", environ_overrides={"SCRIPT_NAME": "/identity"}, query_string="a=1")

    assert (answer.status_code, answer.headers["Location"]) == (308, "/identity/customers?a=1")


def test_no_path_leads_to_another_host(acme: Tenant) -> None:
    for path in ("//evil.example/", "//evil.example//", "/\\evil.example/", "///evil.example/%2e%2e/", "//customers/"):
        answer = acme.admin.get("/", environ_overrides={"PATH_INFO": path, "REQUEST_URI": path})
        location = answer.headers.get("Location", "/customers")
        assert answer.status_code in (308, 404), path
        assert location == "/customers", path

    answer = acme.admin.get("/customers/", environ_overrides={"SCRIPT_NAME": "//evil.example"})
    assert answer.headers["Location"] == "/evil.example/customers"


def test_two_slashes_are_not_one(acme: Tenant) -> None:
    assert acme.admin.get("/organization_units//tree").status_code == 404


# CORS


@pytest.fixture
def shared(make_app: MakeApp) -> Flask:
    return make_app(CORS_ORIGINS=f"{ORIGIN}, http://localhost:3000")


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
            assert headers["Access-Control-Expose-Headers"] == "ETag, Location, X-Request-ID, Retry-After"
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
def browser_app(make_app: MakeApp) -> Flask:
    return make_app(CORS_ORIGINS=ORIGIN, PUBLIC_URL="https://public.example.com/identity")


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


# Behind proxies

FORWARDED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "id.example.com",
    "X-Forwarded-Prefix": "/identity",
}


def address_of(client: ApiClient, headers: dict[str, str]) -> str:
    login = {"email": client.email, "password": PASSWORD}
    token = client.post("/auth/login?token=body", login, headers=headers).get_json()["access_token"]
    sessions: Json = ApiClient(client.app, token).get("/auth/sessions?order=desc&limit=1").get_json()
    return str(sessions["data"][0]["ip"])


def test_no_forwarded_header_is_believed_unless_a_proxy_is_declared(acme: Tenant, anonymous: ApiClient) -> None:
    client = ApiClient(acme.app, email=acme.admin.email)

    assert address_of(client, FORWARDED) == "127.0.0.1"
    assert acme.admin.get("/customers/", headers=FORWARDED).headers["Location"] == "/customers"
    crossing = {**by_cookie(acme.admin), **FORWARDED, "Origin": "https://id.example.com"}
    assert anonymous.patch("/users/me", {}, headers=crossing).status_code == 403


def test_a_declared_proxy_is_believed_once(make_app: MakeApp, acme: Tenant) -> None:
    app = make_app(TRUSTED_PROXIES="1")
    client, here = ApiClient(app, email=acme.admin.email), ApiClient(app)
    forged = {**FORWARDED, "X-Forwarded-For": "198.51.100.1, 203.0.113.9"}

    assert address_of(client, forged) == "203.0.113.9"
    located = speaks(app, acme.admin).get("/customers/", headers=FORWARDED).headers["Location"]
    assert located == "/identity/customers"
    made = speaks(app, acme.admin).post("/customers", {"name": "Wile"}, headers=FORWARDED)
    assert made.headers["Location"] == f"/identity/customers/{made.get_json()['id']}"
    from_here = {**by_cookie(acme.admin), **FORWARDED, "Origin": "https://id.example.com"}
    assert here.patch("/users/me", {}, headers=from_here).status_code == 200
    elsewhere = {**from_here, "Origin": "http://localhost"}
    assert here.patch("/users/me", {}, headers=elsewhere).status_code == 403


def test_two_proxies_are_believed_twice(make_app: MakeApp, acme: Tenant) -> None:
    client = ApiClient(make_app(TRUSTED_PROXIES="2"), email=acme.admin.email)

    assert address_of(client, {"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.0.0.1"}) == "203.0.113.9"


def test_strange_hosts_do_no_harm(acme: Tenant) -> None:
    for host in ("a b", "évil", "evil.example/../x", "[::1", "", "a" * 3000, "x:99999"):
        answer: Any = acme.admin.get("/users/me", headers={"Host": host})
        assert answer.status_code in (200, 400), host
