"""One shape for every error, from every layer, and nothing of the inside in it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask, abort
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError
from uuid_utils.compat import uuid7
from werkzeug.test import TestResponse

from app import create_app
from app.base import errors
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from tests.core.conftest import Logged
from tests.support.clients import ApiClient, Tenant
from tests.support.databases import settings_for
from tests.support.marks import one_database

ALWAYS = {"type", "title", "status", "detail", "message", "error_code", "timestamp", "path", "request_id"}
SECRET = "hunter2-the-secret"


def check_problem(answer: TestResponse, status: int, code: str, *, errors: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = answer.get_json()
    assert answer.status_code == found["status"] == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(found) - {"permission"} == ALWAYS | ({"errors"} if errors else set())
    assert (found["type"], found["error_code"]) == ("about:blank", code)
    assert found["message"] == found["detail"]
    assert found["request_id"] == answer.headers["X-Request-ID"]
    age = datetime.now(UTC) - datetime.fromisoformat(found["timestamp"])
    assert found["timestamp"].endswith("Z")
    assert age.total_seconds() < 60
    return found


def test_every_layer_answers_in_one_shape(acme: Tenant, anonymous: ApiClient) -> None:
    row = acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})
    path = f"/customers/{row['id']}"

    check_problem(anonymous.get("/nowhere"), 404, "NOT_FOUND")
    check_problem(anonymous.request("DELETE", "/version"), 405, "METHOD_NOT_ALLOWED")
    check_problem(anonymous.get(path), 401, "TOKEN_MISSING")
    check_problem(acme.admin.get("/customers/x"), 400, "INVALID_ID")
    check_problem(acme.admin.get("/customers?x=1"), 400, "VALIDATION_ERROR", errors=True)
    check_problem(acme.admin.post("/customers", {}), 400, "VALIDATION_ERROR", errors=True)
    check_problem(acme.admin.post("/customers", []), 400, "BAD_REQUEST")
    malformed = {"data": b"{", "content_type": "application/json"}
    check_problem(acme.admin.post("/customers", **malformed), 400, "MALFORMED_JSON")
    check_problem(acme.admin.post("/customers"), 415, "UNSUPPORTED_MEDIA_TYPE")
    check_problem(acme.user().get(path), 403, "ACCESS_DENIED")
    check_problem(acme.admin.get(f"/customers/{uuid7()}"), 404, "CUSTOMER_NOT_FOUND")
    check_problem(
        acme.admin.post("/customers", {"name": "x", "email": "wile@example.com"}), 409, "CONFLICT", errors=True
    )
    check_problem(acme.admin.delete(path, headers={"If-Match": '"7"'}), 412, "PRECONDITION_FAILED")
    large = {"data": b" " * 16_777_217, "content_type": "application/json"}
    check_problem(acme.admin.post("/customers", **large), 413, "PAYLOAD_TOO_LARGE")


@one_database
def test_the_title_is_that_of_the_status_and_the_path_that_of_the_request(anonymous: ApiClient) -> None:
    found = check_problem(anonymous.get("/nowhere/é?x=1"), 404, "NOT_FOUND")

    assert (found["title"], found["path"]) == ("Not Found", "/nowhere/é")


@one_database
def test_a_wrong_method_is_told_the_right_ones(acme: Tenant) -> None:
    cases = {
        ("PUT", "/customers"): "GET, HEAD, OPTIONS, POST",
        ("POST", f"/customers/{uuid7()}"): "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
        ("POST", "/auth/sessions"): "DELETE, GET, HEAD, OPTIONS",
        ("TRACE", "/version"): "GET, HEAD, OPTIONS",
        ("BREW", "/auth/login"): "OPTIONS, POST",
    }

    for (method, path), allowed in cases.items():
        answer = acme.admin.request(method, path)
        check_problem(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["Allow"] == allowed, path


@one_database
def test_the_challenge_comes_with_every_401(anonymous: ApiClient) -> None:
    login = {"email": "nobody@example.com", "password": "wrong password"}

    for answer in (
        anonymous.get("/customers"),
        anonymous.get("/users/me", headers={"Authorization": "Bearer x"}),
        anonymous.get("/users/me", headers={"Authorization": "Basic eDp4"}),
        anonymous.post("/auth/login", login),
        anonymous.post("/auth/refresh", {"refresh_token": "x"}),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].split()[0] == "Bearer"


def test_paths_and_parameters_that_are_no_text_are_answered_all_the_same(acme: Tenant) -> None:
    for path in ("/%ff%fe", "/customers/%ff", "/%00", "/%ed%a0%80", "/customers/..%2f..%2fetc", "/%0d%0aX-A:%20b"):
        assert acme.admin.get(path).status_code in (400, 404), path
    for query in ("%ff=1", "%ed%a0%80=1", "name%00=1", "=1", "&&", "a" * 5000):
        answer = acme.admin.get(f"/customers?{query}")
        assert answer.status_code == 400 or query == "&&", query


# Bugs and faults, through routes that only this file has


@pytest.fixture
def faulty(logged: Logged) -> Flask:
    """An application whose every layer can be made to fail."""
    app = logged.app()

    def fails(name: str, error: Callable[[], Any]) -> None:
        app.add_url_rule(f"/faults/{name}", f"faults {name}", lambda: _raise(error()), methods=["GET", "POST"])

    fails("bug", lambda: RuntimeError(f"{SECRET} at /srv/app/secret.py for ada@example.com"))
    fails("recursion", RecursionError)
    fails("key", lambda: KeyError(SECRET))
    fails("unicode", lambda: UnicodeEncodeError("utf-8", "\ud800", 0, 1, SECRET))
    fails("check", lambda: IntegrityError(SECRET, {"x": SECRET}, Exception(f"CHECK constraint failed: {SECRET}")))
    fails("data", lambda: DataError(SECRET, {"x": SECRET}, Exception(SECRET)))
    fails("teapot", lambda: _abort(418))
    fails("gateway", lambda: errors.BadGateway())
    fails("timeout", lambda: errors.GatewayTimeout())
    fails("slow", lambda: errors.TooManyRequests(7))
    fails("detail", lambda: errors.NotFound("half \ud800 a pair"))
    return app


def _raise(error: BaseException) -> Any:
    raise error


def _abort(status: int) -> Any:
    abort(status)


def ask(app: Flask, name: str, **headers: str) -> TestResponse:
    return app.test_client().get(f"/faults/{name}", headers=headers)


@one_database
def test_a_bug_is_a_500_that_tells_nothing_and_a_log_line_that_tells_all(faulty: Flask, logged: Logged) -> None:
    answer = ask(faulty, "bug", **{"X-Request-ID": "req-42"})

    found = check_problem(answer, 500, "INTERNAL_ERROR")
    assert found["detail"] == "An internal error occurred."
    assert not any(each in answer.text for each in (SECRET, "Traceback", "RuntimeError", ".py", "ada@"))
    [line] = logged.events("unhandled_exception")
    assert line["request_id"] == "req-42"
    assert line["level"] == "error"
    assert "RuntimeError" in line["exception"]
    assert "in _raise" in line["exception"]
    assert "ada@example.com" not in logged.text


@one_database
def test_whatever_goes_wrong_has_the_one_shape_and_no_secret(faulty: Flask) -> None:
    expected = {
        "recursion": (500, "INTERNAL_ERROR"),
        "key": (500, "INTERNAL_ERROR"),
        "unicode": (500, "INTERNAL_ERROR"),
        "check": (409, "CONFLICT"),
        "teapot": (418, "BAD_REQUEST"),
        "gateway": (502, "BAD_GATEWAY"),
        "timeout": (504, "GATEWAY_TIMEOUT"),
        "slow": (429, "RATE_LIMITED"),
    }

    for name, (status, code) in expected.items():
        answer = ask(faulty, name)
        check_problem(answer, status, code)
        assert SECRET not in answer.text, name
    assert ask(faulty, "slow").headers["Retry-After"] == "7"
    assert check_problem(ask(faulty, "detail"), 404, "NOT_FOUND")["detail"] == "half ? a pair"
    assert ask(faulty, "data").status_code == 400
    assert SECRET not in ask(faulty, "data").text


def test_values_of_a_failed_statement_are_in_no_answer_and_no_log_line(
    faulty: Flask, logged: Logged, acme: Tenant
) -> None:
    def run() -> Any:
        statement = text("SELECT no_such_function(:value)").bindparams(value=SECRET)
        with tenant(acme.company_id), unit_of_work(writes=False) as session:
            return session.execute(statement, execution_options={"unguarded": "a test"})

    faulty.add_url_rule("/faults/statement", "faults statement", run)

    answer = ask(faulty, "statement")

    assert answer.status_code in (500, 503)
    assert logged.lines
    assert SECRET not in answer.text + logged.text


def test_a_unique_constraint_names_the_field_whatever_the_database_calls_it(acme: Tenant, app: Flask) -> None:
    acme.admin.create("/document-types", {"name": "One", "code": "one"})

    answer = acme.admin.post("/document-types", {"name": "Two", "code": "one"})

    found = check_problem(answer, 409, "CONFLICT", errors=True)
    assert (found["detail"], found["errors"]) == ("code: Already in use.", {"code": ["Already in use."]})
    acme.admin.delete(f"/document-types/{_id_of(acme, 'one')}")


def _id_of(tenant: Tenant, code: str) -> str:
    found = tenant.admin.get("/document-types").get_json()
    return str(next(each["id"] for each in found if each["code"] == code))


def test_a_reference_that_goes_at_the_same_time_is_a_conflict(acme: Tenant) -> None:
    kind = acme.admin.create("/document-types", {"name": "Short-lived", "code": "short-lived"})
    acme.admin.patch(f"/companies/{acme.company_id}", {"document_type": "short-lived", "document_number": "1"})

    check_problem(acme.admin.delete(f"/document-types/{kind['id']}"), 409, "CONFLICT")

    acme.admin.patch(f"/companies/{acme.company_id}", {"document_type": None})
    assert acme.admin.delete(f"/document-types/{kind['id']}").status_code == 204


def test_a_database_that_is_away_is_unavailable_and_never_not_found(acme: Tenant, tmp_path: Any) -> None:
    away = create_app(settings_for(f"postgresql://nobody@/nothing?host={tmp_path}"))

    answer = ApiClient(away, token=acme.admin.token).get(f"/customers/{uuid7()}")

    found = check_problem(answer, 503, "DATABASE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert str(tmp_path) not in answer.text
    assert "connection" not in found["detail"]
    assert ApiClient(away).get("/health/live").status_code == 200
