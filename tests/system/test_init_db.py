"""/init-db: the platform company and its administrator, all at once or not at all, and only once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from tests.fakes.guardian import FakeGuardian, grants
from tests.support.clients import PASSWORD, ApiClient
from tests.support.engine_events import listening
from tests.support.everything import row_counts
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

PATH = "/init-db"
Json = dict[str, Any]

pytestmark = pytest.mark.usefixtures("empty")


def wish(company: Json | None = None, user: Json | None = None) -> Json:
    return {
        "company": {"name": "Acme"} | (company or {}),
        "user": {"email": "admin@acme.example", "password": PASSWORD, "first_name": "Ada"} | (user or {}),
    }


def initialized(client: ApiClient) -> bool:
    return bool(client.get(PATH).get_json()["initialized"])


@contextmanager
def breaking(app: Flask, start: str) -> Iterator[None]:
    """The database fails at the first statement that starts so."""

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.replace('"', "").startswith(start):
            raise OSError("The disk is full.")

    with listening(app, before_cursor_execute=fail):
        yield


def is_empty(everything: Engine) -> bool:
    return not any(row_counts(everything).values())


def test_first_call_makes_the_platform_company_and_its_administrator(anonymous: ApiClient) -> None:
    before = initialized(anonymous)

    answer = anonymous.post(PATH, wish())

    made = answer.get_json()
    company, unit, position, user = (made[name] for name in ("company", "organization_unit", "position", "user"))
    assert (before, answer.status_code, initialized(anonymous)) == (False, 201, True)
    assert answer.headers["Location"] == f"/companies/{company['id']}"
    assert (company["name"], company["is_platform"], company["status"]) == ("Acme", True, "active")
    assert (company["total_users"], company["total_active_users"]) == (1, 1)
    assert (unit["name"], unit["path"], unit["level"]) == ("default organization", f"/{unit['id']}", 0)
    assert (position["title"], position["organization_unit_id"]) == ("Administrator", unit["id"])
    assert (user["position_id"], user["is_active"], user["is_verified"]) == (position["id"], True, True)
    assert {row["company_id"] for row in (unit, position, user)} == {company["id"]}
    assert PASSWORD not in answer.text


@one_database
def test_first_user_signs_in_as_administrator_of_the_platform(app: Flask, anonymous: ApiClient) -> None:
    made = anonymous.post(PATH, wish()).get_json()

    login = anonymous.post("/auth/login?token=body", {"email": "admin@acme.example", "password": PASSWORD})

    admin = ApiClient(app, login.get_json()["access_token"])
    assert admin.get(f"/companies/{made['company']['id']}").get_json() == made["company"]
    assert admin.post("/companies", {"name": "Globex"}).status_code == 201


def test_second_call_is_refused_whatever_it_says(anonymous: ApiClient) -> None:
    anonymous.post(PATH, wish())

    again = anonymous.post(PATH, wish({"name": "Globex"}, {"email": "admin@globex.example"}))
    nonsense = anonymous.post(PATH, {})

    for answer in (again, nonsense):
        assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ALREADY_INITIALIZED")


@one_database
@by_row(
    ("company", "user", "fault"),
    [
        ({"name": " "}, {}, ("company", "name")),
        ({"is_platform": True}, {}, ("company", "is_platform")),
        ({"document_type": "unheard of"}, {}, ("company", "document_type")),
        ({"status": "suspended"}, {}, ("company", "status")),
        ({"status": "inactive"}, {}, ("company", "status")),
        ({}, {"email": "nobody"}, ("user", "email")),
        ({}, {"document_type": "unheard of"}, ("user", "document_type")),
        ({}, {"is_active": False}, ("user", "is_active")),
        ({}, {"position_id": None}, ("user", "position_id")),
        ({}, {"password_hash": "x"}, ("user", "password_hash")),
    ],
)
def test_value_that_does_not_fit_is_named_and_nothing_is_made(
    anonymous: ApiClient, everything: Engine, company: Json, user: Json, fault: tuple[str, str]
) -> None:
    answer = anonymous.post(PATH, wish(company, user))

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [fault[0]]
    assert list(answer.get_json()["errors"][fault[0]]) == [fault[1]]
    assert is_empty(everything)


@one_database
@by_row("password", ["short", "admin@acme.example", "password"])
def test_unacceptable_password_makes_nothing(
    app: Flask, anonymous: ApiClient, everything: Engine, password: str
) -> None:
    answer = anonymous.post(PATH, wish(user={"password": password}))

    assert answer.status_code == 400
    assert "password" in str(answer.get_json()["errors"])
    assert is_empty(everything)


@one_database
@by_row("values", [{}, {"company": {"name": "Acme"}}, {"company": [], "user": 1}, {"user": None}])
def test_both_parts_are_required(anonymous: ApiClient, values: Json) -> None:
    answer = anonymous.post(PATH, values)

    assert answer.status_code == 400
    assert not initialized(anonymous)


@pytest.mark.parametrize(
    "table", ["company", "role", "policy", "organization_unit", "position", "user", "login_key", "user_role"]
)
def test_fault_of_the_database_at_any_step_leaves_nothing_behind(
    app: Flask, anonymous: ApiClient, everything: Engine, table: str
) -> None:
    with breaking(app, f"INSERT INTO {table} "):
        answer = ApiClient(app, may_crash=True).post(PATH, wish())

    assert answer.status_code >= 500
    assert is_empty(everything)
    assert anonymous.post(PATH, wish()).status_code == 201


# INIT_TOKEN


@one_database
def test_token_must_be_sent_where_one_is_set(variant: Variant) -> None:
    client = ApiClient(variant(INIT_TOKEN="sesame"))

    refused = [
        client.post(PATH, wish()),
        client.post(PATH, wish(), headers={"X-Init-Token": "open"}),
        client.post(PATH, wish(), headers={"X-Init-Token": "sésame"}),
        client.post(PATH, {}, headers={"X-Init-Token": ""}),
    ]
    accepted = client.post(PATH, wish(), headers={"X-Init-Token": "sesame"})

    assert [answer.status_code for answer in refused] == [401] * 4
    assert all(answer.headers["WWW-Authenticate"] == "Bearer" for answer in refused)
    assert accepted.status_code == 201


@one_database
def test_caller_without_the_token_learns_nothing_by_a_second_call(variant: Variant) -> None:
    client = ApiClient(variant(INIT_TOKEN="sesame"))
    client.post(PATH, wish(), headers={"X-Init-Token": "sesame"})

    assert client.post(PATH, wish()).status_code == 401
    assert client.post(PATH, wish(), headers={"X-Init-Token": "sesame"}).status_code == 403


# With a remote engine


@one_database
def test_remote_engine_keeps_the_roles_itself(variant: Variant, everything: Engine) -> None:
    with FakeGuardian(grants) as guardian:
        answer = ApiClient(variant(GUARDIAN_SERVICE_URL=guardian.url)).post(PATH, wish())

    counts = row_counts(everything)
    assert answer.status_code == 201
    assert (counts["user"], counts["role"], counts["user_role"]) == (1, 0, 0)
