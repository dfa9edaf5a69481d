"""The permissions and policies that roles are made of."""

from uuid import uuid4

from tests.guardian.editing import HELD, PERMISSIONS, POLICIES, ROLES, id_of, may, policy_with, refusal, role_of
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.roles import give
from tests.support.served import Through


@one_database
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


@one_database
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


@one_database
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


@one_database
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


@one_database
def test_catalogue_shows_each_permission(acme: Tenant, engine: Through) -> None:
    admin = engine(acme.admin)

    found = admin.get(f"{PERMISSIONS}/{id_of(HELD)}").get_json()
    unknown = admin.get(f"{PERMISSIONS}/{uuid4()}")

    assert (found["service"], found["resource_name"], found["operation"]) == tuple(HELD.split(":"))
    assert refusal(unknown) == (404, "PERMISSION_NOT_FOUND")


def test_element_in_the_path_is_assigned_as_by_a_body(acme: Tenant, engine: Through) -> None:
    admin, user = engine(acme.admin), engine(acme.user())
    policy, role = admin.create(POLICIES, {"name": "Reading"}), role_of(admin, "Reader")
    give(acme, user, role["id"])
    permission = f"{POLICIES}/{policy['id']}/permissions/{id_of(HELD)}"
    attachment = f"{ROLES}/{role['id']}/policies/{policy['id']}"

    added, attached = admin.post(permission), admin.post(attachment)
    decision = may(user, HELD)
    again = [admin.post(path) for path in (permission, attachment)]

    assert (added.status_code, added.get_json()["id"]) == (201, id_of(HELD))
    assert added.headers["Location"] == f"{PERMISSIONS}/{id_of(HELD)}"
    assert (attached.status_code, attached.get_json()) == (201, policy)
    assert attached.headers["Location"] == f"{POLICIES}/{policy['id']}"
    assert decision is True
    assert [each.status_code for each in again] == [409, 409]


def test_element_in_the_path_is_one_of_the_company(acme: Tenant, globex: Tenant) -> None:
    policy, foreign = policy_with(acme.admin, "Reading"), policy_with(globex.admin, "Reading")
    role = role_of(acme.admin, "Reader")
    paths = [
        f"{ROLES}/{role['id']}/policies/{foreign['id']}",
        f"{ROLES}/{role['id']}/policies/{uuid4()}",
        f"{ROLES}/{uuid4()}/policies/{policy['id']}",
        f"{POLICIES}/{foreign['id']}/permissions/{id_of(HELD)}",
        f"{POLICIES}/{policy['id']}/permissions/{uuid4()}",
    ]

    assert [acme.admin.post(path).status_code for path in paths] == [404] * 5
