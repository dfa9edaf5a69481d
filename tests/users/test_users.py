"""What /users adds to the kernel: sign-in names, passwords that go in and never out, and who must stay."""

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.support.rows import by_row

PATH = "/users"
DECISION = 1
Json = dict[str, Any]


def new(**values: Any) -> Json:
    return {"email": "wile@example.com", "password": PASSWORD} | values


def emails(client: ApiClient, query: str = "") -> set[str]:
    return {row["email"] for row in client.get(f"{PATH}{query}").get_json()["data"]}


def position(company: Tenant) -> Json:
    [unit] = company.admin.get("/organization_units").get_json()["data"]
    return company.admin.create("/positions", {"title": "Lead", "organization_unit_id": unit["id"]})


def login(anonymous: ApiClient, name: str, value: str, password: str = PASSWORD) -> int:
    return anonymous.post("/auth/login", {name: value, "password": password}).status_code


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
        {"username": " "},
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


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_nobody_changes_their_own_email_here(acme: Tenant, method: str) -> None:
    answer = acme.admin.request(method, f"{PATH}/{acme.admin.user_id}", {"email": "new@acme.example"})

    assert answer.status_code == 400
    assert "/users/me/email" in answer.get_json()["errors"]["email"][0]
    assert emails(acme.admin) == {"admin@acme.example"}


def test_own_unchanged_email_may_be_sent_along(acme: Tenant) -> None:
    values = {"email": " ADMIN@acme.example", "first_name": "Grace"}

    answer = acme.admin.put(f"{PATH}/{acme.admin.user_id}", values)

    assert answer.status_code == 200
    assert answer.get_json()["first_name"] == "Grace"


# Who must stay


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT"])
def test_nobody_deletes_or_deactivates_themself(acme: Tenant, method: str) -> None:
    acme.user("administrator")
    json = None if method == "DELETE" else {"email": acme.admin.email, "is_active": False}

    answer = acme.admin.request(method, f"{PATH}/{acme.admin.user_id}", json)

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "OWN_ACCOUNT")
    assert acme.admin.get("/users/me").get_json()["is_active"] is True


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_last_active_administrator_stays(acme: Tenant, method: str) -> None:
    second = acme.user("administrator")
    acme.admin.patch(f"{PATH}/{second.user_id}", {"is_active": False})
    acme.user("manager")
    clerk = user_with(acme, "identity:user:DELETE", "identity:user:UPDATE")

    answer = clerk.request(method, f"{PATH}/{acme.admin.user_id}", None if method == "DELETE" else {"is_active": False})

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "LAST_ADMINISTRATOR")
    assert acme.admin.get("/users/me").get_json()["is_active"] is True


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_administrator_may_go_while_another_is_active(acme: Tenant, globex: Tenant, method: str) -> None:
    second = acme.user("administrator")

    answer = second.request(
        method, f"{PATH}/{acme.admin.user_id}", None if method == "DELETE" else {"is_active": False}
    )

    assert answer.status_code in (200, 204)
    assert acme.admin.get("/users/me").status_code == 401


def test_inactive_administrator_can_be_deleted(acme: Tenant) -> None:
    second = acme.user("administrator", is_active=False)

    assert acme.admin.delete(f"{PATH}/{second.user_id}").status_code == 204


def test_last_administrator_may_be_changed_in_other_ways(acme: Tenant) -> None:
    manager = acme.user("manager")

    answer = manager.patch(f"{PATH}/{acme.admin.user_id}", {"first_name": "Grace", "is_active": True})

    assert answer.get_json()["first_name"] == "Grace"


# What a change does at once


def test_deactivated_user_is_out_at_once_and_cannot_log_in(acme: Tenant, anonymous: ApiClient) -> None:
    user = acme.user("viewer")
    tokens = anonymous.post("/auth/login?token=body", {"email": user.email, "password": PASSWORD}).get_json()

    acme.admin.patch(f"{PATH}/{user.user_id}", {"is_active": False})

    assert user.get("/customers").status_code == user.get("/users/me").status_code == 401
    assert anonymous.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert login(anonymous, "email", user.email) == 403
    assert login(anonymous, "email", user.email, "wrong") == 401


def test_deleted_user_is_out_at_once_and_leaves_nothing(acme: Tenant, anonymous: ApiClient) -> None:
    user = acme.user("viewer")
    login(anonymous, "email", user.email)

    answer = acme.admin.delete(f"{PATH}/{user.user_id}")

    assert answer.status_code == 204
    assert user.get("/users/me").status_code == 401
    assert login(anonymous, "email", user.email) == 401
    assert acme.admin.get(f"{PATH}/{user.user_id}").status_code == 404
    assert acme.admin.get(f"/guardian/user-roles?user_id={user.user_id}").get_json() == []


def test_last_login_is_shown_and_moves_no_version(acme: Tenant, anonymous: ApiClient) -> None:
    user = acme.user()
    before = acme.admin.get(f"{PATH}/{user.user_id}")

    login(anonymous, "email", user.email)

    after = acme.admin.get(f"{PATH}/{user.user_id}")
    assert before.get_json()["last_login_at"] is None
    assert after.get_json()["last_login_at"] is not None
    assert after.headers["ETag"] == before.headers["ETag"]


# Positions


@pytest.mark.parametrize("where", ["another company", "nowhere"])
def test_position_must_be_one_of_the_same_company(acme: Tenant, globex: Tenant, where: str) -> None:
    user = acme.user()
    foreign = position(globex)["id"] if where == "another company" else str(uuid7())

    created = acme.admin.post(PATH, new(position_id=foreign))
    changed = acme.admin.patch(f"{PATH}/{user.user_id}", {"position_id": foreign})

    assert created.status_code == changed.status_code == 400
    assert created.get_json()["errors"] == changed.get_json()["errors"] == {"position_id": ["Not found."]}
    assert globex.admin.get(f"/positions/{position(globex)['id']}/users").get_json()["data"] == []


def test_position_is_given_and_taken_again(acme: Tenant) -> None:
    user, held = acme.user(), position(acme)

    given = acme.admin.patch(f"{PATH}/{user.user_id}", {"position_id": held["id"]})
    taken = acme.admin.patch(f"{PATH}/{user.user_id}", {"position_id": None})

    assert given.get_json()["position_id"] == held["id"]
    assert taken.get_json()["position_id"] is None


# Looking


def test_filters_find_by_name_state_and_position(acme: Tenant) -> None:
    held = position(acme)
    acme.admin.create(PATH, new(username="Coyote", is_verified=True, position_id=held["id"]))
    acme.admin.create(PATH, new(email="off@example.com", is_active=False))

    wile, off, admin = "wile@example.com", "off@example.com", "admin@acme.example"
    assert emails(acme.admin, "?email=WILE@example.com") == {wile}
    assert emails(acme.admin, "?username=Coyote") == {wile}
    assert emails(acme.admin, "?is_active=false") == {off}
    assert emails(acme.admin, "?is_verified=true") == {wile, admin}
    assert emails(acme.admin, f"?position_id={held['id']}") == {wile}
    assert emails(acme.admin, "?position_id=null") == {off}


@pytest.mark.parametrize("text", ["WILE@", "oyot", "ethelb", "vuNDt"])
def test_search_looks_at_email_username_and_both_names(acme: Tenant, text: str) -> None:
    acme.admin.create(PATH, new(username="coyote", first_name="Ethelbert", last_name="Vundt"))

    assert emails(acme.admin, f"?search={text}") == {"wile@example.com"}


@pytest.mark.parametrize("sort", ["created_at", "updated_at", "email", "last_name", "last_login_at"])
def test_users_are_sorted_by_each_declared_field(acme: Tenant, sort: str) -> None:
    for name in ("Zoe", "adam", None):
        acme.admin.create(PATH, new(email=f"{name}@example.com", last_name=name))

    rows = acme.admin.get(f"{PATH}?sort={sort}&limit=2").get_json()
    rest = acme.admin.get(f"{PATH}?sort={sort}&page=2&limit=2").get_json()

    found = [row[sort] and row[sort].casefold() for row in rows["data"] + rest["data"]]
    assert found == sorted(found, key=lambda value: (value is None, value))


def test_expand_embeds_position_and_company(acme: Tenant) -> None:
    held = position(acme)
    made = acme.admin.create(PATH, new(position_id=held["id"]))

    one = acme.admin.get(f"{PATH}/{made['id']}?expand=position,company").get_json()
    rows = acme.admin.get(f"{PATH}?expand=company,position").get_json()["data"]

    unit_id = held["organization_unit_id"]
    assert one["position"] == {"id": held["id"], "title": "Lead", "organization_unit_id": unit_id}
    assert one["company"] == {"id": acme.admin.company_id, "name": "acme", "status": "active"}
    assert [row["position"] and row["position"]["id"] for row in rows if row["id"] == made["id"]] == [held["id"]]
    assert {row["company"]["name"] for row in rows} == {"acme"}


def test_expand_needs_the_permission_of_what_it_embeds(acme: Tenant) -> None:
    clerk = user_with(acme, "identity:user:LIST", "identity:user:READ", "identity:company:LIST")

    assert clerk.get(f"{PATH}?expand=company").status_code == 200
    assert clerk.get(f"{PATH}?expand=position").status_code == 403
    assert clerk.get(f"{PATH}/{clerk.user_id}?expand=company,position").status_code == 403


def test_users_of_a_position_are_listed_with_the_permission_for_users(acme: Tenant) -> None:
    held = position(acme)
    acme.admin.create(PATH, new(position_id=held["id"]))
    reader, stranger = user_with(acme, "identity:user:LIST"), user_with(acme, "identity:position:LIST")

    found = reader.get(f"/positions/{held['id']}/users?is_active=true").get_json()

    assert [row["email"] for row in found["data"]] == ["wile@example.com"]
    assert stranger.get(f"/positions/{held['id']}/users").status_code == 403


@pytest.mark.parametrize("change", [{"email": "taken.over@example.com"}, {"username": "mine"}, {"is_active": False}])
def test_manager_cannot_take_over_or_shut_out_an_administrator(globex: Tenant, change: dict[str, object]) -> None:
    globex.user("administrator")
    manager = globex.user("manager")
    path = f"/users/{globex.admin.user_id}"

    answer = manager.patch(path, change)

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ROLE_ABOVE_OWN")
    assert globex.admin.get(path).get_json()["email"] == globex.admin.email


def test_manager_changes_the_address_of_somebody_with_less(globex: Tenant) -> None:
    manager, colleague = globex.user("manager"), globex.user()

    answer = manager.patch(f"/users/{colleague.user_id}", {"email": "new.address@example.com"})

    assert answer.status_code == 200
