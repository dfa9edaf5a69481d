"""Roles: who may edit them, and what their fields take."""

from uuid import uuid4

import pytest

from tests.guardian.editing import HELD, POLICIES, ROLES, Json, may, policy_with, refusal, role_of
from tests.support.clients import ApiClient, Tenant, unique
from tests.support.marks import one_database
from tests.support.roles import give, role_id, role_with, user_with
from tests.support.rows import by_row
from tests.support.served import Through

NEEDED = [
    ("GET", "/guardian/roles", "role:LIST"),
    ("POST", "/guardian/roles", "role:CREATE"),
    ("GET", "/guardian/roles/{role}", "role:READ"),
    ("PUT", "/guardian/roles/{role}", "role:UPDATE"),
    ("PATCH", "/guardian/roles/{role}", "role:UPDATE"),
    ("DELETE", "/guardian/roles/{role}", "role:DELETE"),
    ("GET", "/guardian/roles/{role}/policies", "policy:LIST"),
    ("POST", "/guardian/roles/{role}/policies", "role:UPDATE"),
    ("DELETE", "/guardian/roles/{role}/policies/{policy}", "role:UPDATE"),
    ("GET", "/guardian/policies", "policy:LIST"),
    ("POST", "/guardian/policies", "policy:CREATE"),
    ("GET", "/guardian/policies/{policy}", "policy:READ"),
    ("PUT", "/guardian/policies/{policy}", "policy:UPDATE"),
    ("PATCH", "/guardian/policies/{policy}", "policy:UPDATE"),
    ("DELETE", "/guardian/policies/{policy}", "policy:DELETE"),
    ("GET", "/guardian/policies/{policy}/permissions", "permission:LIST"),
    ("POST", "/guardian/policies/{policy}/permissions", "policy:UPDATE"),
    ("DELETE", "/guardian/policies/{policy}/permissions/{policy}", "policy:UPDATE"),
    ("GET", "/guardian/permissions", "permission:LIST"),
    ("GET", "/guardian/permissions/{permission}", "permission:READ"),
    ("GET", "/guardian/user-roles", "user_role:LIST"),
    ("PUT", "/guardian/user-roles/{policy}", "user_role:UPDATE"),
    ("PATCH", "/guardian/user-roles/{policy}", "user_role:UPDATE"),
]
ALL_NEEDED = sorted({needed for _, _, needed in NEEDED})


@one_database
def test_every_request_needs_a_token(acme: Tenant, engine: Through) -> None:
    nobody = engine(ApiClient(acme.app))

    for method, pattern, _ in NEEDED:
        answer = nobody.request(method, pattern.format(role=uuid4(), policy=uuid4(), permission=uuid4()), {})
        assert refusal(answer) == (401, "TOKEN_MISSING"), pattern
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@one_database
def test_every_request_needs_its_own_permission_and_no_other(acme: Tenant) -> None:
    with_it = {each: user_with(acme, f"guardian:{each}") for each in ALL_NEEDED}
    without_it = {
        each: user_with(acme, *(f"guardian:{other}" for other in ALL_NEEDED if other != each)) for each in ALL_NEEDED
    }

    for method, pattern, needed in NEEDED:
        path, body = pattern.format(role=role_with(acme), policy=uuid4(), permission=uuid4()), {"name": unique("New")}
        assert refusal(without_it[needed].request(method, path, body)) == (403, "ACCESS_DENIED"), path
        assert with_it[needed].request(method, path, body).status_code in (200, 201, 204, 400, 404), path


# Roles


def test_role_is_made_renamed_and_deleted(acme: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)

    created = admin.post(ROLES, {"name": "Auditor", "description": "Looks."})
    role = created.get_json()
    path = f"{ROLES}/{role['id']}"
    renamed = admin.patch(path, {"name": "Inspector"}, headers={"If-Match": created.headers["ETag"]})
    replaced = admin.put(path, {"name": "Reviewer", "description": None})
    deleted = admin.delete(path)

    assert created.status_code == 201
    assert created.headers["Location"] == path
    assert (role["code"], role["is_system"], role["company_id"]) == (None, False, acme.admin.company_id)
    assert (renamed.get_json()["name"], renamed.get_json()["description"]) == ("Inspector", "Looks.")
    assert (replaced.get_json()["name"], replaced.get_json()["description"]) == ("Reviewer", None)
    assert (deleted.status_code, admin.get(path).status_code) == (204, 404)


@pytest.mark.parametrize("path", [ROLES, POLICIES])
def test_name_is_unique_in_any_case_within_the_company(
    acme: Tenant, globex: Tenant, engine: Through, path: str
) -> None:
    engine(acme.admin).create(path, {"name": "Auditor"})
    other = engine(acme.admin).create(path, {"name": "Other"})

    again = engine(acme.admin).post(path, {"name": " aUDITOR"})
    renamed = engine(acme.admin).patch(f"{path}/{other['id']}", {"name": "AUDITOR"})
    elsewhere = engine(globex.admin).post(path, {"name": "Auditor"})

    assert (again.status_code, again.get_json()["errors"]) == (409, {"name": ["Already in use."]})
    assert (renamed.status_code, renamed.get_json()["errors"]) == (409, {"name": ["Already in use."]})
    assert elsewhere.status_code == 201


@one_database
@by_row("name", ["id", "code", "is_system", "created_at"])
def test_what_is_not_the_callers_to_set_is_refused_by_name(acme: Tenant, name: str) -> None:
    answer = acme.admin.post(ROLES, {"name": "Auditor", name: True})

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [name]


def test_stale_version_changes_nothing(acme: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)
    path = f"{ROLES}/{admin.create(ROLES, {'name': 'Auditor'})['id']}"

    answer = admin.patch(path, {"name": "Inspector"}, headers={"If-Match": '"7"'})

    assert refusal(answer) == (412, "PRECONDITION_FAILED")
    assert admin.get(path).get_json()["name"] == "Auditor"


@one_database
@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("PUT", "", {"name": "Owner"}),
        ("PATCH", "", {"description": "Owns."}),
        ("DELETE", "", None),
        ("POST", "/policies", {"policy_id": "policy"}),
    ],
)
def test_role_of_the_administrators_stays_as_it_is(acme: Tenant, method: str, suffix: str, body: Json | None) -> None:
    admin = acme.admin
    path = f"{ROLES}/{role_id(acme, 'administrator')}"
    before = admin.get(path).get_json()
    if body and "policy_id" in body:
        body = {"policy_id": policy_with(admin, "Some")["id"]}

    answer = admin.request(method, path + suffix, body)

    assert refusal(answer) == (409, "SYSTEM_ROLE")
    assert admin.get(path).get_json() == before
    assert admin.get(f"{path}/policies").get_json() == []


def test_deleting_a_role_takes_it_from_its_users_who_stay(acme: Tenant, engine: Through) -> None:
    admin, user = engine(acme.admin), engine(acme.user())
    role = role_of(admin, "Reader", policy_with(admin, "Reading", HELD))
    give(acme, user, role["id"])
    before = may(user, HELD)

    answer = admin.delete(f"{ROLES}/{role['id']}")

    assert (before, answer.status_code, may(user, HELD)) == (True, 204, False)
    assert admin.get("/guardian/user-roles", query_string={"user_id": user.user_id}).get_json() == []
    assert acme.admin.get(f"/users/{user.user_id}").status_code == 200
    assert [each["name"] for each in admin.get(POLICIES).get_json() if each["name"] == "Reading"] == ["Reading"]
