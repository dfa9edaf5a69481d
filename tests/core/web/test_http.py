"""Headers, request ids, methods and slashes."""

import re

from uuid_utils.compat import uuid7
from werkzeug.test import TestResponse

from tests.core.web.talking import shared_with
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.variants import Variant

pytestmark = one_database
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


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


def test_production_insists_on_transport_security(variant: Variant) -> None:
    deployed = {
        "FLASK_ENV": "production",
        "JWT_SECRET": "kZ8f3Qv7Tn1bX5cR9mW2yH6pL4sD0gJ8",
        "INIT_TOKEN": "an init token that nobody guesses",
    }
    app = variant(**deployed)

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
