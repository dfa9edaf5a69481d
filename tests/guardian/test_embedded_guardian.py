"""The embedded policy engine: what the default roles may, and that nobody gives away what they lack."""

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from app.base.permission import Permission
from app.core.services import services
from app.guardian.decision import decide
from tests.fakes.guardian import FakeGuardian
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.roles import give, role_id, role_with, user_with
from tests.support.rows import by_row
from tests.support.variants import Variant

CHECK, ASSIGNMENTS = "/guardian/check-access", "/guardian/user-roles"
ASSIGN = "guardian:user_role:CREATE"
DOSSIER = (
    "communication_preference", "customer_address", "customer_contact", "customer_document",
    "customer_note", "customer_service",
    "customer_subscription", "customer_tag", "tag",
)  # fmt: skip
PEOPLE = ("user", "customer", "subcontractor", "customer_logo", "subcontractor_logo", *DOSSIER)
OWN = "customer_profile"
Json = dict[str, Any]


def question(client: ApiClient, permission: str = "identity:customer:LIST", **values: str) -> Json:
    service, resource_name, operation = permission.split(":")
    return {
        "user_id": client.user_id,
        "company_id": client.company_id,
        "service": service,
        "resource_name": resource_name,
        "operation": operation,
    } | values


def wish(user: ApiClient, role: str) -> Json:
    return {"user_id": user.user_id, "role_id": role}


def assignment_of(company: Tenant, user: ApiClient) -> str:
    [found] = company.admin.get(f"{ASSIGNMENTS}?user_id={user.user_id}").get_json()
    return f"{ASSIGNMENTS}/{found['id']}"


def granted_to(company: Tenant, user: ApiClient) -> set[Permission]:
    """The whole catalogue, asked one by one."""
    with company.app.app_context():
        return {each for each in services().catalogue if decide(about(user, each))["access_granted"]}


def about(user: ApiClient, permission: Permission) -> Json:
    return question(user, f"{permission.service}:{permission.resource_name}:{permission.operation}")


def catalogue(company: Tenant) -> set[Permission]:
    with company.app.app_context():
        return set(services().catalogue)


# The default roles


def test_every_company_has_the_four_default_roles(acme: Tenant, globex: Tenant) -> None:
    for company in (acme, globex):
        roles = company.admin.get("/guardian/roles").get_json()
        assert {role["code"]: role["is_system"] for role in roles} == {
            "administrator": True,
            "manager": False,
            "viewer": False,
            "customer": False,
        }
        assert {role["company_id"] for role in roles} == {company.admin.company_id}


def test_administrator_may_do_everything(globex: Tenant) -> None:
    assert granted_to(globex, globex.admin) == catalogue(globex)


def own_profile(company: Tenant) -> set[Permission]:
    return {each for each in catalogue(company) if each.resource_name == OWN}


def test_manager_reads_everything_and_creates_and_updates_people(globex: Tenant) -> None:
    expected = {
        each
        for each in catalogue(globex)
        if not each.platform
        and (
            each.operation in ("LIST", "READ")
            or each.resource_name == OWN
            or (
                (each.service, each.resource_name in PEOPLE) == ("identity", True)
                and each.operation in ("CREATE", "UPDATE")
            )
        )
    }

    assert granted_to(globex, globex.user("manager")) == expected
    assert Permission("identity", "user", "DELETE") not in expected
    assert Permission("identity", "position", "CREATE") not in expected


def test_viewer_reads_everything_that_is_not_the_platforms(acme: Tenant, globex: Tenant) -> None:
    read = {each for each in catalogue(globex) if each.operation in ("LIST", "READ") and not each.platform}
    expected = read | own_profile(globex)

    assert granted_to(globex, globex.user("viewer")) == granted_to(acme, acme.user("viewer")) == expected


@pytest.mark.parametrize("role", ["customer", None])
def test_customer_may_keep_a_profile_and_user_without_a_role_nothing(globex: Tenant, role: str | None) -> None:
    user = globex.user(role)

    assert granted_to(globex, user) == (own_profile(globex) if role else set())
    assert user.get("/users/me").status_code == 200
    assert user.get("/customers").status_code == 403


def test_catalogue_is_listed_and_read_only(acme: Tenant) -> None:
    rows = acme.admin.get("/guardian/permissions?limit=1000").get_json()

    listed = {(row["service"], row["resource_name"], row["operation"]) for row in rows}
    assert listed >= {(each.service, each.resource_name, each.operation) for each in catalogue(acme)}
    assert acme.admin.post("/guardian/permissions", {}).status_code == 405


def test_lists_are_bare_arrays_that_take_page_and_limit(acme: Tenant) -> None:
    path = "/guardian/roles?sort=name&limit=3"

    first, second = acme.admin.get(path).get_json(), acme.admin.get(f"{path}&page=2").get_json()

    assert [role["name"] for role in first + second] == ["Administrator", "Customer", "Manager", "Viewer"]


# Decisions


def test_decision_is_one_statement(acme: Tenant, statements: Any) -> None:
    viewer = acme.user("viewer")

    with statements() as sent:
        answer = viewer.post(CHECK, question(viewer))

    assert answer.get_json() == {"access_granted": True, "reason": None}
    assert len(sent) == 1 + 1


@pytest.mark.parametrize(
    "permission",
    ["identity:customer:DELETE", "identity:spaceship:READ", "elsewhere:customer:LIST", "identity:customer:list"],
)
def test_denial_is_a_false_with_a_reason(acme: Tenant, permission: str) -> None:
    viewer = acme.user("viewer")

    answer = viewer.post(CHECK, question(viewer, permission))

    assert answer.status_code == 200
    assert answer.get_json()["access_granted"] is False
    assert answer.get_json()["reason"]


def test_permissions_of_several_roles_add_up(acme: Tenant) -> None:
    user = user_with(acme, "identity:customer:LIST")
    give(acme, user, role_with(acme, "identity:customer:CREATE"))

    assert user.get("/customers").status_code == 200
    assert user.post("/customers", {"name": "Wile"}).status_code == 201
    assert user.get("/subcontractors").status_code == 403


def test_check_needs_a_token_and_no_permission(acme: Tenant, anonymous: ApiClient) -> None:
    user = acme.user()

    assert anonymous.post(CHECK, question(user)).status_code == 401
    assert user.post(CHECK, question(user)).status_code == 200


def test_only_the_tokens_own_ids_may_be_asked_about(acme: Tenant, globex: Tenant) -> None:
    user = acme.user()

    others = [
        question(user, user_id=acme.admin.user_id),
        question(user, company_id=globex.admin.company_id),
        question(user, user_id=globex.admin.user_id, company_id=globex.admin.company_id),
    ]

    assert [user.post(CHECK, each).status_code for each in others] == [403] * 3
    assert [acme.admin.post(CHECK, question(acme.admin, user_id=user.user_id)).status_code] == [403]


@one_database
@by_row("name", ["user_id", "company_id", "service", "resource_name", "operation"])
def test_incomplete_question_is_named(acme: Tenant, name: str) -> None:
    values = question(acme.admin)
    del values[name]

    answer = acme.admin.post(CHECK, values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [name]


def test_engine_that_is_remote_is_not_mounted_here(acme: Tenant, variant: Variant) -> None:
    with FakeGuardian() as guardian:
        client = ApiClient(variant(GUARDIAN_SERVICE_URL=guardian.url), acme.admin.token)

        assert client.get("/guardian/roles").status_code == client.post(CHECK, {}).status_code == 404


# Assignments


def test_assignment_and_its_end_count_from_the_next_request(acme: Tenant) -> None:
    user = acme.user()

    made = acme.admin.create(ASSIGNMENTS, wish(user, role_id(acme, "viewer")))
    with_role = user.get("/customers").status_code
    acme.admin.delete(f"{ASSIGNMENTS}/{made['id']}")
    without = user.get("/customers").status_code

    assert (with_role, without) == (200, 403)
    assert acme.admin.get(f"{ASSIGNMENTS}?user_id={user.user_id}").get_json() == []


def test_assignments_need_their_own_permissions(acme: Tenant) -> None:
    manager = acme.user("manager")
    role = role_id(acme, "customer")

    refused = [
        manager.post(ASSIGNMENTS, wish(manager, role)),
        manager.delete(assignment_of(acme, manager)),
        acme.user().get(ASSIGNMENTS),
    ]

    assert [answer.status_code for answer in refused] == [403] * 3


@pytest.mark.parametrize("code", ["administrator", "manager", "viewer"])
@pytest.mark.parametrize("receiver", ["themself", "somebody else"])
def test_nobody_gives_away_a_role_above_their_own(acme: Tenant, code: str, receiver: str) -> None:
    clerk = user_with(acme, ASSIGN, "identity:customer:LIST")
    user = clerk if receiver == "themself" else acme.user()

    answer = clerk.post(ASSIGNMENTS, wish(user, role_id(acme, code)))

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ROLE_ABOVE_OWN")
    assert user.get("/users").status_code == 403


def test_even_a_holder_of_the_whole_catalogue_makes_no_administrator(acme: Tenant) -> None:
    every = [f"{each.service}:{each.resource_name}:{each.operation}" for each in catalogue(acme)]
    clerk = user_with(acme, *every)

    assert clerk.post(ASSIGNMENTS, wish(clerk, role_id(acme, "administrator"))).status_code == 403
    assert clerk.post(ASSIGNMENTS, wish(clerk, role_id(acme, "manager"))).status_code == 201


def test_role_within_ones_own_roles_together_may_be_given(acme: Tenant) -> None:
    clerk, user = user_with(acme, ASSIGN, "identity:customer:LIST"), acme.user()
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
