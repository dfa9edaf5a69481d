"""Roles of users in the embedded Guardian, and the last administrator."""

import pytest
from uuid_utils.compat import uuid7

from tests.guardian.embedded import ASSIGNMENTS, Json, catalogue
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.roles import CONTROL, give, role_id, role_with, user_with

ASSIGN = "guardian:user_role:CREATE"


def wish(user: ApiClient, role: str) -> Json:
    return {"user_id": user.user_id, "role_id": role}


def assignment_of(company: Tenant, user: ApiClient) -> str:
    [found] = company.admin.get(f"{ASSIGNMENTS}?user_id={user.user_id}").get_json()
    return f"{ASSIGNMENTS}/{found['id']}"


# Assignments


def test_assignment_and_its_end_count_from_the_next_request(acme: Tenant) -> None:
    user = acme.user()

    made = acme.admin.create(ASSIGNMENTS, wish(user, role_id(acme, "viewer")))
    with_role = user.get("/customers").status_code
    acme.admin.delete(f"{ASSIGNMENTS}/{made['id']}")
    without = user.get("/customers").status_code

    assert (with_role, without) == (200, 403)
    assert acme.admin.get(f"{ASSIGNMENTS}?user_id={user.user_id}").get_json() == []


@one_database
def test_assignments_need_their_own_permissions(acme: Tenant) -> None:
    manager = acme.user("manager")
    role = role_id(acme, "customer")

    refused = [
        manager.post(ASSIGNMENTS, wish(manager, role)),
        manager.delete(assignment_of(acme, manager)),
        acme.user().get(ASSIGNMENTS),
    ]

    assert [answer.status_code for answer in refused] == [403] * 3


@one_database
@pytest.mark.parametrize("code", ["administrator", "manager", "viewer"])
@pytest.mark.parametrize("receiver", ["themself", "somebody else"])
def test_nobody_gives_away_a_role_above_their_own(acme: Tenant, code: str, receiver: str) -> None:
    clerk = user_with(acme, ASSIGN, CONTROL, "identity:customer:LIST")
    user = clerk if receiver == "themself" else acme.user()

    answer = clerk.post(ASSIGNMENTS, wish(user, role_id(acme, code)))

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ROLE_ABOVE_OWN")
    assert user.get("/users").status_code == 403


@one_database
def test_even_a_holder_of_the_whole_catalogue_makes_no_administrator(acme: Tenant) -> None:
    every = [f"{each.service}:{each.resource_name}:{each.operation}" for each in catalogue(acme)]
    clerk = user_with(acme, *every)

    assert clerk.post(ASSIGNMENTS, wish(clerk, role_id(acme, "administrator"))).status_code == 403
    assert clerk.post(ASSIGNMENTS, wish(clerk, role_id(acme, "manager"))).status_code == 201


def test_role_within_ones_own_roles_together_may_be_given(acme: Tenant) -> None:
    clerk, user = user_with(acme, ASSIGN, CONTROL, "identity:customer:LIST"), acme.user()
    give(acme, clerk, role_with(acme, "identity:customer:READ", "identity:user:LIST"))

    within = clerk.post(ASSIGNMENTS, wish(user, role_with(acme, "identity:customer:LIST", "identity:customer:READ")))
    beyond = clerk.post(ASSIGNMENTS, wish(user, role_with(acme, "identity:customer:READ", "identity:user:READ")))
    empty = clerk.post(ASSIGNMENTS, wish(user, role_with(acme)))

    assert (within.status_code, beyond.status_code, empty.status_code) == (201, 403, 201)


def test_role_or_user_of_another_company_does_not_exist(acme: Tenant, globex: Tenant) -> None:
    own, theirs = acme.user(), globex.user()
    foreign_role, viewer = role_id(globex, "viewer"), role_id(acme, "viewer")

    refused = {
        "role_id": [wish(own, foreign_role), wish(own, str(uuid7()))],
        "user_id": [wish(theirs, viewer), wish(own, viewer) | {"user_id": str(uuid7())}],
    }

    for field, wishes in refused.items():
        for each in wishes:
            answer = acme.admin.post(ASSIGNMENTS, each)
            assert answer.status_code == 400
            assert answer.get_json()["errors"] == {field: ["Not found."]}
    assert globex.admin.get(f"{ASSIGNMENTS}?user_id={theirs.user_id}").get_json() == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_assignment_of_another_company_is_not_found(acme: Tenant, globex: Tenant, method: str) -> None:
    foreign = assignment_of(globex, globex.user("viewer"))

    assert acme.admin.request(method, foreign).status_code == 404
    assert globex.admin.get(foreign).status_code == 200


def test_second_assignment_of_a_role_is_a_conflict(acme: Tenant) -> None:
    user = acme.user("viewer")

    answer = acme.admin.post(ASSIGNMENTS, wish(user, role_id(acme, "viewer")))

    assert answer.status_code == 409
    assert len(acme.admin.get(f"{ASSIGNMENTS}?user_id={user.user_id}").get_json()) == 1


# The last administrator


@pytest.mark.parametrize("other", ["none", "inactive", "manager"])
def test_assignment_of_the_last_active_administrator_stays(acme: Tenant, other: str) -> None:
    if other == "inactive":
        acme.user("administrator", is_active=False)
    if other == "manager":
        acme.user("manager")

    answer = acme.admin.delete(assignment_of(acme, acme.admin))

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "LAST_ADMINISTRATOR")
    assert acme.admin.get("/users").status_code == 200


def test_assignment_of_one_of_two_administrators_goes_and_then_no_more(acme: Tenant) -> None:
    second = acme.user("administrator")
    theirs = [assignment_of(acme, each) for each in (acme.admin, second)]

    first, last = acme.admin.delete(theirs[0]), second.delete(theirs[1])

    assert (first.status_code, last.status_code) == (204, 409)
    assert acme.admin.get("/users").status_code == 403
    assert second.get("/users").status_code == 200


def test_administrator_of_another_company_does_not_count(acme: Tenant, globex: Tenant) -> None:
    globex.user("administrator")

    assert acme.admin.delete(assignment_of(acme, acme.admin)).status_code == 409


def test_other_assignments_of_the_last_administrator_may_go(acme: Tenant) -> None:
    extra = give(acme, acme.admin, role_id(acme, "viewer"))

    assert acme.admin.delete(f"{ASSIGNMENTS}/{extra}").status_code == 204
    assert acme.admin.get("/users").status_code == 200
