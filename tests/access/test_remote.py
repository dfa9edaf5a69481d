"""Roles kept by a remote Guardian: what it is asked, and changes of assignments."""

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from tests.access.conftest import moved
from tests.access.remote import Json, path_of
from tests.fakes.guardian import Behaviour, FakeGuardian, answers
from tests.fakes.roles import FakeRoles, Shape, as_data, bare, named
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database

# The roles are elsewhere.
pytestmark = one_database
ADMINISTRATOR: dict[str, Any] = {"is_system": True, "code": "administrator"}


def one_of_each(data: FakeRoles, user: ApiClient) -> tuple[Json, Json]:
    """An assignment and a permission that it leads to."""
    role_id = data.role()
    return data.assign(user.user_id, role_id), data.permission(data.policy(role_id))


# What is asked, and in whose name


def test_caller_and_request_are_forwarded_with_every_call(
    engine: FakeGuardian, data: FakeRoles, admin: ApiClient, user: ApiClient
) -> None:
    one_of_each(data, user)

    admin.get(path_of(user, "permissions"), headers={"X-Request-ID": "request-7"})

    assert [each.path for each in engine.seen] == [
        "/check-access",
        f"/user-roles?user_id={user.user_id}",
        f"/roles/{next(iter(data.roles))}/policies",
        f"/policies/{next(iter(data.permissions))}/permissions",
    ]
    assert {each.headers["cookie"] for each in engine.seen} == {f"access_token={admin.token}"}
    assert {each.headers["x-request-id"] for each in engine.seen} == {"request-7"}


def test_engine_is_asked_for_nothing_about_a_user_of_another_company(
    data: FakeRoles, admin: ApiClient, globex: Tenant
) -> None:
    answer = admin.get(path_of(globex.user(), "roles"))

    assert (answer.status_code, answer.get_json()["error_code"]) == (404, "USER_NOT_FOUND")
    assert data.asked == ["POST /check-access"]


def test_own_permissions_need_no_permission_of_this_service(data: FakeRoles, user: ApiClient, remote: Flask) -> None:
    _, permission = one_of_each(data, user)

    found = moved(user, remote).get("/users/me/permissions").get_json()

    assert found == {"permissions": [{**permission, "description": None}]}
    assert not any("check-access" in each for each in data.asked)


@pytest.mark.parametrize("shape", [bare, named, as_data])
def test_lists_come_bare_or_under_a_name(data: FakeRoles, admin: ApiClient, user: ApiClient, shape: Shape) -> None:
    assignment, permission = one_of_each(data, user)
    data.shape = shape

    roles = admin.get(path_of(user, "roles")).get_json()["roles"]
    policies = admin.get(path_of(user, "policies")).get_json()["policies"]
    permissions = admin.get(path_of(user, "permissions")).get_json()["permissions"]
    assignable = admin.get("/users/roles").get_json()["roles"]

    assert [each["id"] for each in roles] == [assignment["id"]]
    assert [each["id"] for each in policies] == list(data.permissions)
    assert [each["id"] for each in permissions] == [permission["id"]]
    assert [each["permissions"] for each in assignable] == [["customer:READ"]]


def test_user_roles_may_be_called_roles(data: FakeRoles, admin: ApiClient, user: ApiClient) -> None:
    assignment, _ = one_of_each(data, user)
    data.shape = lambda name, items: {"roles" if name == "user_roles" else name: items}

    assert [each["id"] for each in admin.get(path_of(user, "roles")).get_json()["roles"]] == [assignment["id"]]


def test_times_without_a_zone_are_utc_and_what_is_not_told_is_null(
    data: FakeRoles, admin: ApiClient, user: ApiClient
) -> None:
    role_id = data.role("Old", description="Kept.", created_at="2025-07-22T02:10:06.300453")
    made = data.assign(user.user_id, role_id, created_at="2025-07-22T04:10:06+02:00")

    [found] = admin.get(path_of(user, "roles")).get_json()["roles"]

    assert found == {
        "id": made["id"],
        "user_id": user.user_id,
        "role_id": role_id,
        "created_at": "2025-07-22T02:10:06.000000Z",
        "role": {
            "id": role_id,
            "company_id": admin.company_id,
            "name": "Old",
            "code": None,
            "description": "Kept.",
            "is_system": False,
            "created_at": "2025-07-22T02:10:06.300453Z",
            "updated_at": None,
        },
    }


def test_role_of_the_administrators_means_the_whole_catalogue(
    data: FakeRoles, admin: ApiClient, user: ApiClient
) -> None:
    data.assign(user.user_id, data.role("Administrator", **ADMINISTRATOR))
    kept = data.permission(data.policy(data.role("Other")))

    found = admin.get(path_of(user, "permissions")).get_json()["permissions"]
    assignable = admin.get("/users/roles").get_json()["roles"]

    assert [each["id"] for each in found] == [kept["id"]]
    assert [each["permissions"] for each in assignable] == [["all"], ["customer:READ"]]


@pytest.mark.parametrize("role", [{"is_system": True}, {"code": "administrator"}, {}])
def test_role_that_is_only_called_so_means_nothing_by_itself(
    data: FakeRoles, admin: ApiClient, user: ApiClient, role: Json
) -> None:
    data.assign(user.user_id, data.role("Administrator", **role))
    data.permission(data.policy(data.role("Other")))

    assert admin.get(path_of(user, "permissions")).get_json() == {"permissions": []}


def test_list_that_fills_a_page_is_followed_to_its_end(
    engine: FakeGuardian, data: FakeRoles, admin: ApiClient, user: ApiClient
) -> None:
    role_id = data.role()
    data.assign(user.user_id, role_id)
    policy_id = data.policy(role_id)
    for n in range(2001):
        data.permission(policy_id, f"thing_{n}")
    every = data.permissions[policy_id]

    def paged(exchange: Any) -> bool:
        number = int(exchange.seen.path.partition("page=")[2].partition("&")[0] or 1)
        return answers(200, every[(number - 1) * 1000 : number * 1000])(exchange)

    data.faults["GET /policies/"] = paged
    whole = admin.get(path_of(user, "permissions")).get_json()["permissions"]
    data.faults["GET /policies/"] = answers(200, every[:1000])
    of_engine_without_pages = admin.get(path_of(user, "permissions")).get_json()["permissions"]

    assert (len(whole), len(of_engine_without_pages)) == (2001, 1000)


# Changes


def test_role_is_given_and_taken_by_the_engine(data: FakeRoles, admin: ApiClient, user: ApiClient) -> None:
    role_id = data.role("Reader")

    given = admin.post(path_of(user, "roles"), {"role_id": role_id})
    taken = admin.delete(given.headers["Location"])

    assert (given.status_code, taken.status_code) == (201, 204)
    assert given.get_json()["role"]["name"] == "Reader"
    assert [each for each in data.asked if "check" not in each] == [
        f"GET /roles/{role_id}",
        "POST /user-roles",
        f"GET /user-roles/{given.get_json()['id']}",
        f"DELETE /user-roles/{given.get_json()['id']}",
    ]
    assert data.assignments == []


def test_role_of_another_company_is_not_found_and_not_given(data: FakeRoles, admin: ApiClient, user: ApiClient) -> None:
    role_id = data.role(company_id=str(uuid4()))

    found = [admin.post(path_of(user, "roles"), {"role_id": each}) for each in (role_id, str(uuid4()))]

    assert [(each.status_code, each.get_json()["error_code"]) for each in found] == [(404, "ROLE_NOT_FOUND")] * 2
    assert data.assignments == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("of", [{"user_id": str(uuid4())}, {"company_id": str(uuid4())}])
def test_assignment_of_somebody_else_is_not_found_and_stays(
    data: FakeRoles, admin: ApiClient, user: ApiClient, method: str, of: Json
) -> None:
    made = data.assign(user.user_id, data.role())
    made.update(of)

    found = admin.request(method, f"{path_of(user, 'roles')}/{made['id']}")

    assert (found.status_code, found.get_json()["error_code"]) == (404, "USER_ROLE_NOT_FOUND")
    assert data.assignments == [made]


REFUSALS = [
    (answers(403, {"message": "No.", "error_code": "ROLE_ABOVE_OWN"}), 403, "ROLE_ABOVE_OWN", "No."),
    (answers(403, {"message": "No.", "error_code": "<b>"}), 403, "ACCESS_DENIED", "No."),
    (answers(409, {"message": "Has it."}), 409, "CONFLICT", "Has it."),
    (answers(404, {"message": "Gone."}), 404, "ROLE_NOT_FOUND", "Role not found."),
    (answers(400, {"message": "Odd."}), 400, "BAD_REQUEST", "Odd."),
]


@pytest.mark.parametrize(("refusal", "status", "code", "reason"), REFUSALS)
def test_refusal_of_the_engine_is_passed_on(
    data: FakeRoles, admin: ApiClient, user: ApiClient, refusal: Behaviour, status: int, code: str, reason: str
) -> None:
    data.faults["POST /user-roles"] = refusal

    found = admin.post(path_of(user, "roles"), {"role_id": data.role()})

    assert found.status_code == status
    assert (found.get_json()["error_code"], found.get_json()["detail"]) == (code, reason)


def test_last_administrator_is_the_engines_to_keep(data: FakeRoles, admin: ApiClient, user: ApiClient) -> None:
    made = data.assign(user.user_id, data.role())
    data.faults["DELETE /user-roles"] = answers(409, {"detail": "The last.", "error_code": "LAST_ADMINISTRATOR"})

    found = admin.delete(f"{path_of(user, 'roles')}/{made['id']}")

    assert (found.status_code, found.get_json()["error_code"]) == (409, "LAST_ADMINISTRATOR")


@pytest.mark.parametrize("change", [{"user_id": str(uuid4())}, {"role_id": str(uuid4())}, {"id": None}])
def test_answer_about_another_assignment_is_no_answer(
    data: FakeRoles, admin: ApiClient, user: ApiClient, change: Json
) -> None:
    role_id = data.role()
    made = {"id": str(uuid4()), "user_id": user.user_id, "role_id": role_id}
    data.faults["POST /user-roles"] = answers(201, made | change)

    assert admin.post(path_of(user, "roles"), {"role_id": role_id}).status_code == 502
