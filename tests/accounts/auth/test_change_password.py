"""PATCH /users/me/change-password, and what is out of reach until it was done."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import update

from app.core.web.routing import mounted_routes
from app.users.models import User
from tests.accounts.auth.browser import Browser, execute, now, signed_in, user_row
from tests.accounts.auth.external import mint
from tests.accounts.auth.interrupted import Interrupted
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.declared import PLACEHOLDER
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database

PATH = "/users/me/change-password"
NEW = "Tr0ubadour & harmonium"


@pytest.fixture
def person(acme: Tenant) -> ApiClient:
    return acme.user(email="ada.byron.king@example.com")


def change(caller: ApiClient, new: Any = NEW, current: Any = PASSWORD) -> Any:
    return caller.patch(PATH, {"current_password": current, "new_password": new})


# Refusals


def test_nobody_changes_a_password(app: Flask) -> None:
    assert Browser(app).patch(PATH, {"current_password": PASSWORD, "new_password": NEW}).status_code == 401


def test_a_wrong_current_password_is_400_at_its_field_and_changes_nothing(app: Flask, person: ApiClient) -> None:
    before = user_row(app, person)

    answer = change(person, current="wrong password")

    assert answer.status_code == 400
    assert set(answer.get_json()["errors"]) == {"current_password"}
    assert user_row(app, person).password_hash == before.password_hash
    assert person.get("/users/me").status_code == 200


@by_row(
    "new",
    [
        "short 7",
        "x" * 129,
        "ada.byron.king@example.com",
        "ADA.BYRON.KING",
        "password",
        "12345678",
        PASSWORD,
        "with nul \x00 inside",
        "with \ud800 surrogate",
        None,
        12345678,
    ],
)
def test_a_new_password_that_breaks_a_rule_is_400_at_its_field(app: Flask, person: ApiClient, new: Any) -> None:
    answer = change(person, new)

    assert answer.status_code == 400
    assert set(answer.get_json()["errors"]) == {"new_password"}
    assert Browser(app).log_in(person.email).status_code == 200


@by_row(
    ("body", "named"),
    [
        ({"new_password": NEW}, "current_password"),
        ({"current_password": PASSWORD}, "new_password"),
        ({"current_password": PASSWORD, "new_password": NEW, "user_id": str(uuid4())}, "user_id"),
        ({"current_password": PASSWORD, "new_password": NEW, "email": "a@example.com"}, "email"),
    ],
)
def test_a_body_that_is_not_both_passwords_is_400(person: ApiClient, body: dict[str, str], named: str) -> None:
    answer = person.patch(PATH, body)

    assert answer.status_code == 400
    assert set(answer.get_json()["errors"]) == {named}


@pytest.mark.usefixtures("same_moment")
def test_guessing_the_current_password_is_slowed_down_and_no_login_is(app: Flask, person: ApiClient) -> None:
    guesses = [change(person, current="wrong password").status_code for _ in range(6)]
    right = change(person)

    assert guesses == [400] * 5 + [429]
    assert right.status_code == 429
    assert right.headers["Retry-After"] == "1"
    assert Browser(app).log_in(person.email).status_code == 200


@both_databases
def test_of_two_changes_at_once_the_later_one_is_409(variant: Variant, app: Flask, person: ApiClient) -> None:
    slow = variant()
    slow.extensions["identity"].passwords = Interrupted(lambda: change_elsewhere())

    def change_elsewhere() -> None:
        assert change(person, "the other new password").status_code == 200

    answer = change(ApiClient(slow, person.token))

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "CONFLICT")
    assert Browser(app).log_in(person.email, "the other new password").status_code == 200


# The change


def test_the_new_password_signs_in_and_the_old_one_does_not(app: Flask, person: ApiClient) -> None:
    answer = change(person)

    assert (answer.status_code, answer.get_json()) == (200, {"message": "Password changed successfully"})
    assert Browser(app).log_in(person.email).status_code == 401
    assert Browser(app).log_in(person.email, NEW).status_code == 200


@both_databases
def test_the_other_sessions_end_at_once_in_every_process_and_ones_own_stays(
    app: Flask, other_process: Flask, acme: Tenant, person: ApiClient
) -> None:
    own, other, stranger = signed_in(app, person), signed_in(app, person), acme.user()

    assert change(own).status_code == 200

    assert (other.get("/users/me").status_code, other.post("/auth/refresh").status_code) == (401, 401)
    assert ApiClient(other_process, person.token).get("/users/me").status_code == 401
    assert (own.get("/users/me").status_code, own.post("/auth/refresh").status_code) == (200, 200)
    assert stranger.get("/users/me").status_code == 200


@both_databases
def test_the_change_is_dated_and_moves_the_version(app: Flask, person: ApiClient) -> None:
    before = user_row(app, person)
    etag = person.get("/users/me").headers["ETag"]

    change(person)

    after = user_row(app, person)
    assert before.last_password_change is None
    assert after.last_password_change
    assert timedelta(0) <= now() - after.last_password_change < timedelta(minutes=1)
    assert after.row_version == before.row_version + 1
    assert person.get("/users/me").headers["ETag"] != etag


def test_a_right_current_password_forgives_earlier_failures(person: ApiClient) -> None:
    for _ in range(4):
        change(person, current="wrong password")

    assert change(person).status_code == 200
    assert change(person, current="wrong password").status_code == 400
    assert change(person, PASSWORD, NEW).status_code == 200


@both_databases
def test_with_an_external_token_every_session_ends_and_the_token_too(app: Flask, person: ApiClient) -> None:
    external = ApiClient(app, mint(person, iat=now() - timedelta(seconds=5)))

    assert change(external).status_code == 200

    assert external.get("/users/me").status_code == 401
    assert person.get("/users/me").status_code == 401


# A password that must be changed


@pytest.fixture
def pending(app: Flask, acme: Tenant) -> Browser:
    """An administrator of the platform company whose password was reset."""
    person = acme.user(role="administrator", password_reset_required=True)
    return signed_in(app, person)


def test_until_then_everything_else_is_403(app: Flask, pending: Browser) -> None:
    with app.app_context():
        routes = [route for route in mounted_routes() if route.endpoint.access != "public"]

    reachable = set()
    for route in routes:
        path = PLACEHOLDER.sub(str(uuid4()), route.path)
        answer = pending.request(route.method, path, {} if route.method in ("POST", "PUT", "PATCH") else None)
        if answer.get_json().get("error_code") != "PASSWORD_CHANGE_REQUIRED":
            reachable.add((route.method, route.path))

    assert len(routes) > 40
    assert reachable == {("GET", "/users/me"), ("PATCH", "/users/me"), ("PATCH", PATH), ("GET", "/auth/verify")}


def test_until_then_the_caller_is_read_by_id_too_and_nobody_else(acme: Tenant, pending: Browser) -> None:
    path = f"/users/{pending.get('/users/me').get_json()['id']}"

    assert pending.get(path).get_json()["password_reset_required"] is True
    assert pending.get(f"{path.upper().replace('USERS', 'users')}?expand=company").status_code == 200
    assert pending.request("HEAD", path).status_code == 200
    for method, other in (("PATCH", path), ("PUT", path), ("GET", f"/users/{acme.admin.user_id}"), ("GET", "/users")):
        body = {} if method != "GET" else None
        assert pending.request(method, other, body).get_json()["error_code"] == "PASSWORD_CHANGE_REQUIRED"


def test_until_then_refresh_and_verify_work_and_say_so(pending: Browser) -> None:
    assert pending.post("/auth/refresh").status_code == 200
    assert pending.get("/auth/verify").get_json()["password_reset_required"] is True
    assert pending.get("/users/me").get_json()["password_reset_required"] is True
    assert pending.post("/auth/logout").status_code == 200


def test_until_then_the_settings_are_not_shown(app: Flask, acme: Tenant, pending: Browser) -> None:
    assert "settings" in acme.admin.get("/config").get_json()

    assert "settings" not in pending.get("/config").get_json()


def test_then_everything_is_open(pending: Browser) -> None:
    assert pending.get("/customers").status_code == 403

    assert change(pending).status_code == 200

    assert pending.get("/customers").status_code == 200
    assert pending.get("/users/me").get_json()["password_reset_required"] is False


def test_the_gate_closes_for_a_session_that_exists(app: Flask, acme: Tenant) -> None:
    person = acme.user(role="viewer")
    assert person.get("/customers").status_code == 200

    execute(app, acme, update(User).where(User.id == UUID(person.user_id)).values(password_reset_required=True))

    assert person.get("/customers").get_json()["error_code"] == "PASSWORD_CHANGE_REQUIRED"
