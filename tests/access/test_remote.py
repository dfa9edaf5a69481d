"""Role data of a remote Guardian through a real socket, with faults in each part of what is asked."""

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from tests.access.conftest import moved
from tests.fakes.guardian import Behaviour, FakeGuardian, answer, answers, closes, dribbles, hangs, resets, sends
from tests.fakes.roles import FakeRoles, Shape, as_data, bare, named, wide
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

# The roles are elsewhere.
pytestmark = one_database
ADMINISTRATOR: dict[str, Any] = {"is_system": True, "code": "administrator"}
Json = dict[str, Any]


def path_of(user: ApiClient, kind: str) -> str:
    return f"/users/{user.user_id}/{kind}"


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


# A failing part is an error, never a shorter list

PARTS = {
    "roles": ("GET /user-roles", "GET /roles/"),
    "policies": ("GET /user-roles", "GET /roles/"),
    "permissions": ("GET /user-roles", "GET /roles/", "GET /policies/"),
}
EACH_PART = [(kind, part) for kind, parts in PARTS.items() for part in parts]
FAULTS: list[tuple[str, Behaviour, int]] = [
    ("denied", answers(403, {"message": "No."}), 403),
    ("unauthorized", answers(401, {"message": "Who?"}), 502),
    ("missing", answers(404, {"message": "Gone."}), 502),
    ("odd", answers(400, {"message": "Odd."}), 502),
    ("created", answers(201, []), 502),
    ("empty", sends(b"HTTP/1.1 204 Reason\r\n\r\n"), 502),
    ("busy", answers(429, {}), 503),
    ("broken", answers(500, {"message": "Bug."}), 502),
    ("moved", sends(b"HTTP/1.1 302 Reason\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n"), 502),
    ("page", answers(200, b"<html></html>", "text/html"), 502),
    ("null", answers(200, None), 502),
    ("text", answers(200, "roles"), 502),
    ("other name", answers(200, {"items": []}), 502),
    ("no list", answers(200, {"data": {}}), 502),
    ("no objects", answers(200, [None]), 502),
    ("no ids", answers(200, [{}]), 502),
    ("bad ids", answers(200, [{"id": "../roles"}]), 502),
    ("not json", answers(200, b"[{]"), 502),
    ("twice", answers(200, b'{"data": [], "data": []}'), 502),
    ("nan", answers(200, b"[NaN]"), 502),
    ("not utf-8", answers(200, b'["\xff"]'), 502),
    ("endless", answers(200, b"[" + b" " * (1024 * 1024) + b"]"), 502),
    ("cut short", sends(b"HTTP/1.1 200 Reason\r\nContent-Length: 99\r\n\r\n[", closes=True), 502),
    ("reset", resets, 503),
    ("closed", closes, 503),
    ("hanging", hangs, 504),
    ("dribbling", dribbles(answer(200, []), 0.2), 504),
]  # fmt: skip


@by_row(("name", "fault", "status"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_fault_in_any_part_is_an_error(
    acme: Tenant, engine: FakeGuardian, variant: Variant, user: ApiClient, name: str, fault: Behaviour, status: int
) -> None:
    data = wide(0, acme.admin.company_id, user.user_id, roles=3, policies=2)
    engine.behaviour = data
    timeout = "0.3" if status == 504 else "5"
    admin = moved(acme.admin, variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_SERVICE_TIMEOUT=timeout))

    for kind, part in EACH_PART:
        data.faults = {}
        # Five failures in a row would open the circuit.
        assert admin.get(path_of(user, kind)).status_code == 200
        data.faults = {part: fault}
        found = admin.get(path_of(user, kind))
        assert found.status_code == status, (kind, part, found.text)


def test_fault_in_the_last_of_many_parts_is_an_error_too(
    acme: Tenant, engine: FakeGuardian, admin: ApiClient, user: ApiClient
) -> None:
    data = wide(0, acme.admin.company_id, user.user_id, roles=10, policies=5)
    engine.behaviour = data
    whole = admin.get(path_of(user, "permissions"))

    data.faults[f"GET /policies/{list(data.permissions)[-1]}/"] = answers(500, {})
    broken = admin.get(path_of(user, "permissions"))

    assert (whole.status_code, len(whole.get_json()["permissions"])) == (200, 50)
    assert broken.status_code == 502


@pytest.mark.parametrize("kind", ["roles", "policies", "permissions"])
def test_assignments_of_another_user_or_company_are_not_passed_on(
    data: FakeRoles, admin: ApiClient, user: ApiClient, kind: str
) -> None:
    for foreign in ({"user_id": str(uuid4())}, {"company_id": str(uuid4())}):
        made = data.assign(user.user_id, data.role())
        data.faults["GET /user-roles"] = answers(200, [made | foreign])
        assert admin.get(path_of(user, kind)).status_code == 502


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("roles", {"company_id": str(uuid4())}),
        ("roles", {"id": str(uuid4())}),
        ("roles", {"name": None}),
        ("roles", {"name": "\ud800"}),
        ("roles", {"description": 7}),
        ("roles", {"created_at": "yesterday"}),
        ("roles", {"created_at": "0001-01-01T00:00:00+14:00"}),
        ("roles", {"created_at": 7}),
        ("roles", {"is_system": "yes"}),
    ],
)
def test_role_that_is_told_wrongly_is_an_error(
    data: FakeRoles, admin: ApiClient, user: ApiClient, kind: str, fault: Json
) -> None:
    role_id = data.role()
    data.assign(user.user_id, role_id)
    data.roles[role_id].update(fault)

    assert admin.get(path_of(user, kind)).status_code == 502
