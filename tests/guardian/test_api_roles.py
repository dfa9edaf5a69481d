"""Roles and policies of the embedded engine, in the service and as a process of its own."""

from typing import Any
from uuid import uuid4

import pytest

from app.guardian.models import permission_id
from tests.support.clients import ApiClient, Tenant, unique
from tests.support.marks import one_database
from tests.support.roles import give, role_id, role_with, user_with
from tests.support.rows import by_row
from tests.support.served import Through

ROLES, POLICIES, PERMISSIONS = "/guardian/roles", "/guardian/policies", "/guardian/permissions"
Json = dict[str, Any]
EDITS = ("guardian:role:UPDATE", "guardian:role:DELETE", "guardian:policy:UPDATE", "guardian:policy:DELETE")
HELD, LACKED = "identity:customer:READ", "identity:customer:DELETE"


def id_of(permission: str) -> str:
    return str(permission_id(*permission.split(":")))


def policy_with(client: ApiClient, name: str, *permissions: str) -> Json:
    policy = client.create(POLICIES, {"name": name})
    for each in permissions:
        client.create(f"{POLICIES}/{policy['id']}/permissions", {"permission_id": id_of(each)})
    return policy


def role_of(client: ApiClient, name: str, *policies: Json) -> Json:
    role = client.create(ROLES, {"name": name})
    for each in policies:
        client.create(f"{ROLES}/{role['id']}/policies", {"policy_id": each["id"]})
    return role


def editor(company: Tenant) -> ApiClient:
    """May edit every role and policy, and read customers."""
    return user_with(company, *EDITS, HELD)


def may(client: ApiClient, permission: str) -> bool:
    service, resource_name, operation = permission.split(":")
    asked = {"service": service, "resource_name": resource_name, "operation": operation}
    answer = client.post(
        "/guardian/check-access", {"user_id": client.user_id, "company_id": client.company_id, **asked}
    )
    granted: bool = answer.get_json()["access_granted"]
    return granted


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]


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


def test_every_request_needs_a_token(acme: Tenant, engine: Through) -> None:
    nobody = engine(ApiClient(acme.app))

    for method, pattern, _ in NEEDED:
        answer = nobody.request(method, pattern.format(role=uuid4(), policy=uuid4(), permission=uuid4()), {})
        assert refusal(answer) == (401, "UNAUTHENTICATED"), pattern
        assert answer.headers["WWW-Authenticate"] == "Bearer"


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
@by_row("name", ["id", "company_id", "code", "is_system", "created_at"])
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


# What they are made of


def test_permission_counts_from_when_it_is_added_until_it_is_removed(acme: Tenant, engine: Through) -> None:
    admin, user = engine(acme.admin), engine(acme.user())
    policy = policy_with(admin, "Reading")
    give(acme, user, role_of(admin, "Reader", policy)["id"])
    permissions = f"{POLICIES}/{policy['id']}/permissions"

    decisions = [may(user, HELD)]
    added = admin.post(permissions, {"permission_id": id_of(HELD)})
    decisions.append(may(user, HELD))
    removed = admin.delete(f"{permissions}/{id_of(HELD)}")
    decisions.append(may(user, HELD))

    assert decisions == [False, True, False]
    assert (added.status_code, removed.status_code) == (201, 204)
    assert added.get_json()["id"] == id_of(HELD)
    assert added.headers["Location"] == f"{PERMISSIONS}/{id_of(HELD)}"


def test_policy_counts_from_when_it_is_attached_until_it_is_detached(acme: Tenant, engine: Through) -> None:
    admin, user = engine(acme.admin), engine(acme.user())
    policy, role = policy_with(admin, "Reading", HELD), role_of(admin, "Reader")
    give(acme, user, role["id"])
    policies = f"{ROLES}/{role['id']}/policies"

    decisions = [may(user, HELD)]
    attached = admin.post(policies, {"policy_id": policy["id"]})
    decisions.append(may(user, HELD))
    listed = admin.get(policies).get_json()
    detached = admin.delete(f"{policies}/{policy['id']}")
    decisions.append(may(user, HELD))

    assert decisions == [False, True, False]
    assert (attached.status_code, detached.status_code) == (201, 204)
    assert attached.get_json() == listed[0]
    assert attached.headers["Location"] == f"{POLICIES}/{policy['id']}"
    assert admin.get(policies).get_json() == []


def test_deleted_policy_leaves_the_roles_that_had_it(acme: Tenant, engine: Through) -> None:
    admin, user = engine(acme.admin), engine(acme.user())
    policy = policy_with(admin, "Reading", HELD)
    role = role_of(admin, "Reader", policy)
    give(acme, user, role["id"])

    answer = admin.delete(f"{POLICIES}/{policy['id']}")

    assert (answer.status_code, may(user, HELD)) == (204, False)
    assert admin.get(f"{ROLES}/{role['id']}/policies").get_json() == []


def test_what_is_there_already_is_a_conflict(acme: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)
    policy = policy_with(admin, "Reading", HELD)
    role = role_of(admin, "Reader", policy)

    attached = admin.post(f"{ROLES}/{role['id']}/policies", {"policy_id": policy["id"]})
    added = admin.post(f"{POLICIES}/{policy['id']}/permissions", {"permission_id": id_of(HELD)})

    assert (attached.status_code, list(attached.get_json()["errors"])) == (409, ["policy_id"])
    assert (added.status_code, list(added.get_json()["errors"])) == (409, ["permission_id"])


def test_what_is_not_there_is_not_found(acme: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)
    policy, role = policy_with(admin, "Reading"), role_of(admin, "Reader")

    detached = admin.delete(f"{ROLES}/{role['id']}/policies/{policy['id']}")
    removed = admin.delete(f"{POLICIES}/{policy['id']}/permissions/{id_of(HELD)}")
    of_no_role = admin.get(f"{ROLES}/{uuid4()}/policies")
    of_no_policy = admin.get(f"{POLICIES}/{uuid4()}/permissions")

    assert refusal(detached) == (404, "POLICY_NOT_FOUND")
    assert refusal(removed) == (404, "PERMISSION_NOT_FOUND")
    assert refusal(of_no_role) == (404, "ROLE_NOT_FOUND")
    assert refusal(of_no_policy) == (404, "POLICY_NOT_FOUND")


def test_what_a_body_names_must_be_there_for_the_company(acme: Tenant, globex: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)
    policy, role = policy_with(admin, "Reading"), role_of(admin, "Reader")
    foreign = policy_with(engine(globex.admin), "Reading")

    attached = admin.post(f"{ROLES}/{role['id']}/policies", {"policy_id": foreign["id"]})
    added = admin.post(f"{POLICIES}/{policy['id']}/permissions", {"permission_id": str(uuid4())})

    assert (attached.status_code, attached.get_json()["errors"]) == (400, {"policy_id": ["Not found."]})
    assert (added.status_code, added.get_json()["errors"]) == (400, {"permission_id": ["Not found."]})


def test_lists_are_whole_unless_a_page_is_asked_for(acme: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)
    # One more than a page has where nothing else is asked for.
    added = [each["id"] for each in admin.get(PERMISSIONS).get_json()][:51]
    policy = policy_with(admin, "Everything")
    permissions = f"{POLICIES}/{policy['id']}/permissions"
    for each in added:
        admin.create(permissions, {"permission_id": each})

    whole = [each["id"] for each in admin.get(permissions).get_json()]
    pages = [admin.get(permissions, query_string={"page": page, "limit": 25}).get_json() for page in (1, 2)]

    assert len(added) == 51
    assert whole == added
    assert [each["id"] for page in pages for each in page] == added[:50]


def test_catalogue_shows_each_permission(acme: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)

    found = admin.get(f"{PERMISSIONS}/{id_of(HELD)}").get_json()
    unknown = admin.get(f"{PERMISSIONS}/{uuid4()}")

    assert (found["service"], found["resource_name"], found["operation"]) == tuple(HELD.split(":"))
    assert refusal(unknown) == (404, "PERMISSION_NOT_FOUND")


# Nobody rises above themselves


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("PUT", "", {"name": "Mine"}),
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/policies", {"policy_id": "{other}"}),
        ("DELETE", "/policies/{own}", None),
    ],
)
def test_role_that_holds_more_is_not_edited(acme: Tenant, method: str, suffix: str, body: Json | None) -> None:
    admin = acme.admin
    own, other = policy_with(admin, "Deleting", HELD, LACKED), policy_with(admin, "Reading", HELD)
    role = role_of(admin, "Deleter", own)
    path = f"{ROLES}/{role['id']}"
    before = admin.get(path).get_json(), admin.get(f"{path}/policies").get_json()
    wanted = body and {name: value.format(other=other["id"]) for name, value in body.items()}

    answer = editor(acme).request(method, path + suffix.format(own=own["id"]), wanted)

    assert refusal(answer) == (403, "ROLE_ABOVE_OWN")
    assert (admin.get(path).get_json(), admin.get(f"{path}/policies").get_json()) == before


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("PUT", "", {"name": "Mine"}),
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/permissions", {"permission_id": id_of("guardian:role:UPDATE")}),
        ("DELETE", f"/permissions/{id_of(HELD)}", None),
    ],
)
def test_policy_that_holds_more_is_not_edited(acme: Tenant, method: str, suffix: str, body: Json | None) -> None:
    admin = acme.admin
    policy = policy_with(admin, "Deleting", HELD, LACKED)
    path = f"{POLICIES}/{policy['id']}"
    before = admin.get(path).get_json(), admin.get(f"{path}/permissions").get_json()

    answer = editor(acme).request(method, path + suffix, body)

    assert refusal(answer) == (403, "ROLE_ABOVE_OWN")
    assert (admin.get(path).get_json(), admin.get(f"{path}/permissions").get_json()) == before


def test_policy_that_holds_more_is_not_attached(acme: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)
    more, role = policy_with(admin, "Deleting", LACKED), role_of(admin, "Empty")

    answer = engine(editor(acme)).post(f"{ROLES}/{role['id']}/policies", {"policy_id": more["id"]})

    assert refusal(answer) == (403, "ROLE_ABOVE_OWN")
    assert admin.get(f"{ROLES}/{role['id']}/policies").get_json() == []


def test_permission_that_one_lacks_is_not_added(acme: Tenant, engine: Through) -> None:
    policy = policy_with(engine(acme.admin), "Empty")
    someone = engine(editor(acme))
    permissions = f"{POLICIES}/{policy['id']}/permissions"

    lacked = someone.post(permissions, {"permission_id": id_of(LACKED)})
    held = someone.post(permissions, {"permission_id": id_of(HELD)})

    assert refusal(lacked) == (403, "ROLE_ABOVE_OWN")
    assert held.status_code == 201


def test_what_is_within_ones_own_permissions_may_be_edited(acme: Tenant, engine: Through) -> None:
    admin, someone = engine(acme.admin), engine(editor(acme))
    policy, other = policy_with(admin, "Reading", HELD), policy_with(admin, "Editing", *EDITS)
    path = f"{ROLES}/{role_of(admin, 'Reader', policy)['id']}"

    statuses = [
        someone.patch(path, {"name": "Mine"}).status_code,
        someone.post(f"{path}/policies", {"policy_id": other["id"]}).status_code,
        someone.delete(f"{path}/policies/{policy['id']}").status_code,
        someone.delete(f"{POLICIES}/{policy['id']}/permissions/{id_of(HELD)}").status_code,
        someone.delete(f"{POLICIES}/{policy['id']}").status_code,
        someone.delete(path).status_code,
    ]

    assert statuses == [200, 201, 204, 204, 204, 204]


def test_administrator_gives_also_what_no_role_lists(acme: Tenant, engine: Through) -> None:
    policy = policy_with(engine(acme.admin), "Everything", LACKED, "identity:company:DELETE")

    assert len(engine(acme.admin).get(f"{POLICIES}/{policy['id']}/permissions").get_json()) == 2
