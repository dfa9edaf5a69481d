"""Users: what their fields take, and names to sign in."""

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.users.people import PATH, Json, emails, login, new, position

DECISION = 1


# Creating


def test_new_user_has_the_defaults_of_the_directory(acme: Tenant) -> None:
    made = acme.admin.create(PATH, new(email=" Wile@Example.COM "))

    expected = {
        "email": "wile@example.com",
        "username": None,
        "language": "en",
        "is_active": True,
        "is_verified": False,
        "position_id": None,
        "has_avatar": False,
        "avatar_file_id": None,
        "company_id": acme.admin.company_id,
        "password_reset_required": False,
        "last_login_at": None,
        "last_password_change": None,
    }
    assert made | expected == made


def test_new_user_logs_in_by_email_or_username_in_any_case(acme: Tenant, anonymous: ApiClient) -> None:
    acme.admin.create(PATH, new(username="Coyote"))

    assert login(anonymous, "email", "WILE@example.com") == 200
    assert login(anonymous, "username", "cOYOTE") == 200
    assert login(anonymous, "email", "coyote") == 401


@one_database
@by_row("password", ["short", "wile@example.com", "wile", "password", "x" * 129, 12345678, None])
def test_unacceptable_password_makes_no_user(acme: Tenant, password: Any) -> None:
    answer = acme.admin.post(PATH, new(password=password))

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == ["password"]
    assert emails(acme.admin) == {"admin@acme.example"}


@one_database
@pytest.mark.parametrize("missing", ["email", "password"])
def test_email_and_password_are_required(acme: Tenant, missing: str) -> None:
    values = new()
    del values[missing]

    answer = acme.admin.post(PATH, values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [missing]


@one_database
@by_row(
    "values",
    [
        {"email": "nobody"},
        {"email": None},
        {"username": "x" * 101},
        {"language": "de"},
        {"language": None},
        {"is_active": "yes"},
        {"is_active": None},
        {"is_verified": 1},
        {"document_type": "unheard of"},
        {"first_name": "x" * 51},
        {"position_id": "nowhere"},
        {"password_hash": "x"},
        {"company_id": str(uuid7())},
        {"avatar_file_id": str(uuid7())},
        {"last_login_at": "2026-01-01T00:00:00Z"},
        {"password_reset_required": True},
    ],
)
def test_value_that_does_not_fit_is_named(acme: Tenant, values: Json) -> None:
    user = acme.user()

    created = acme.admin.post(PATH, new() | values)
    changed = acme.admin.patch(f"{PATH}/{user.user_id}", values)

    assert created.status_code == changed.status_code == 400
    assert list(created.get_json()["errors"]) == list(changed.get_json()["errors"]) == list(values)
    assert "wile@example.com" not in emails(acme.admin)


def test_writing_costs_a_fixed_number_of_statements(acme: Tenant, statements: Any) -> None:
    user, held = acme.user(), position(acme)

    with statements() as create:
        acme.admin.create(PATH, new(position_id=held["id"]))
    with statements() as patch:
        acme.admin.patch(f"{PATH}/{user.user_id}", {"first_name": "Wile"})
    with statements() as me:
        user.get("/users/me")

    assert len(create) <= 4 + DECISION
    assert len(patch) <= 3 + DECISION
    assert len(me) <= 2


# A password goes in once and is changed elsewhere


@one_database
@by_row("method", ["PUT", "PATCH"])
@by_row("password", ["another correct horse", None])
def test_password_in_a_change_is_refused_and_both_ways_to_change_it_are_named(
    acme: Tenant, anonymous: ApiClient, method: str, password: str | None
) -> None:
    user = acme.user()

    answer = acme.admin.request(method, f"{PATH}/{user.user_id}", {"email": user.email, "password": password})

    [message] = answer.get_json()["errors"]["password"]
    assert answer.status_code == 400
    assert "/users/me/change-password" in message
    assert "/users/{id}/admin-reset-password" in message
    assert login(anonymous, "email", user.email) == 200


# Sign-in names are unique across companies


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        ("email", "wile@example.com", "WILE@Example.com"),
        ("username", "coyote", "Coyote"),
        ("username", "straße", "STRASSE"),
    ],
)
def test_sign_in_name_is_unique_across_companies_in_any_case(
    acme: Tenant, globex: Tenant, field: str, first: str, second: str
) -> None:
    globex.admin.create(PATH, new(**{field: first}))
    other = acme.user()

    created = acme.admin.post(PATH, new(email="other@example.com") | {field: second})
    changed = acme.admin.patch(f"{PATH}/{other.user_id}", {field: second})

    assert created.status_code == changed.status_code == 409
    assert created.get_json()["errors"] == changed.get_json()["errors"] == {field: ["Already in use."]}
    assert emails(acme.admin) == {"admin@acme.example", other.email}
    assert acme.admin.get(f"{PATH}/{other.user_id}").get_json()["username"] is None


def test_many_users_may_have_no_username(acme: Tenant) -> None:
    acme.admin.create(PATH, new(email="a@example.com"))
    named = acme.admin.create(PATH, new(email="b@example.com", username="coyote"))

    answer = acme.admin.patch(f"{PATH}/{named['id']}", {"username": None})

    assert answer.get_json()["username"] is None
    assert acme.admin.post(PATH, new(email="c@example.com", username="coyote")).status_code == 201


def test_sign_in_follows_a_changed_email_and_the_old_one_is_free(
    acme: Tenant, globex: Tenant, anonymous: ApiClient
) -> None:
    made = acme.admin.create(PATH, new())

    acme.admin.patch(f"{PATH}/{made['id']}", {"email": "roadrunner@example.com"})

    assert login(anonymous, "email", "wile@example.com") == 401
    assert login(anonymous, "email", "roadrunner@example.com") == 200
    assert globex.admin.post(PATH, new()).status_code == 201


def test_sign_in_names_of_a_deleted_user_are_free(acme: Tenant, globex: Tenant) -> None:
    made = acme.admin.create(PATH, new(username="coyote"))

    acme.admin.delete(f"{PATH}/{made['id']}")

    assert globex.admin.post(PATH, new(username="coyote")).status_code == 201


@one_database
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_nobody_changes_their_own_email_here(acme: Tenant, method: str) -> None:
    answer = acme.admin.request(method, f"{PATH}/{acme.admin.user_id}", {"email": "new@acme.example"})

    assert answer.status_code == 400
    assert "/users/me/email" in answer.get_json()["errors"]["email"][0]
    assert emails(acme.admin) == {"admin@acme.example"}


@one_database
def test_own_unchanged_email_may_be_sent_along(acme: Tenant) -> None:
    values = {"email": " ADMIN@acme.example", "first_name": "Grace"}

    answer = acme.admin.put(f"{PATH}/{acme.admin.user_id}", values)

    assert answer.status_code == 200
    assert answer.get_json()["first_name"] == "Grace"
