"""Roles, policies and permissions of users, the same whoever keeps the roles."""

from typing import Any
from uuid import uuid4

from app.core.services import services
from tests.access.conftest import Through
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.roles import CONTROL, give, role_id, role_with, user_with
from tests.support.rows import by_row

pytestmark = one_database

READ, DELETE = "identity:customer:READ", "identity:customer:DELETE"
# What a remote engine wants to be asked with, besides.
ENGINE = (
    CONTROL,
    *(f"guardian:user_role:{operation}" for operation in ("LIST", "READ", "CREATE", "DELETE")),
    *(f"guardian:{kind}:{operation}" for kind in ("role", "policy", "permission") for operation in ("LIST", "READ")),
)
Json = dict[str, Any]


def roles_path(user: ApiClient) -> str:
    return f"/users/{user.user_id}/roles"


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]


def names(permissions: list[Json]) -> list[str]:
    return [f"{each['service']}:{each['resource_name']}:{each['operation']}" for each in permissions]


def permissions_of(client: ApiClient, user: ApiClient) -> list[str]:
    return names(client.get(f"/users/{user.user_id}/permissions").get_json()["permissions"])


# Refusals


NEEDED = [
    ("GET", "/users/roles", "user_role:LIST"),
    ("GET", "/users/{user}/roles", "user_role:LIST"),
    ("POST", "/users/{user}/roles", "user_role:CREATE"),
    ("GET", "/users/{user}/roles/{assignment}", "user_role:READ"),
    ("DELETE", "/users/{user}/roles/{assignment}", "user_role:DELETE"),
    ("GET", "/users/{user}/policies", "user_policy:LIST"),
    ("GET", "/users/{user}/permissions", "user_permission:LIST"),
]


def test_each_request_needs_its_own_permission(acme: Tenant, at: Through) -> None:
    user, nobody = acme.user(), at(user_with(acme, *ENGINE))
    assignment = give(acme, user, role_with(acme))

    for method, pattern, needed in NEEDED:
        path = pattern.format(user=user.user_id, assignment=assignment)
        body = {"role_id": role_with(acme)} if method == "POST" else None
        assert refusal(nobody.request(method, path, body)) == (403, "ACCESS_DENIED"), path
        allowed = at(user_with(acme, *ENGINE, f"identity:{needed}")).request(method, path, body)
        assert allowed.status_code in (200, 201, 204), (path, allowed.text)


@both_databases
def test_user_of_another_company_is_not_found_whatever_is_asked(acme: Tenant, globex: Tenant, at: Through) -> None:
    user = acme.user()
    path, admin = f"/users/{user.user_id}", at(globex.admin)
    assignment = give(acme, user, role_with(acme))

    answers = [admin.get(f"{path}/{each}") for each in ("roles", "policies", "permissions", f"roles/{assignment}")]
    answers += [admin.post(f"{path}/roles", {}), admin.delete(f"{path}/roles/{assignment}")]

    assert [refusal(each) for each in answers] == [(404, "USER_NOT_FOUND")] * 6


# Assignments


@both_databases
def test_role_is_given_shown_and_taken(acme: Tenant, at: Through) -> None:
    admin, user, role = at(acme.admin), acme.user(), role_id(acme, "viewer")
    path = roles_path(user)

    before = user.get("/customers").status_code
    given = admin.post(path, {"role_id": role})
    made = given.get_json()
    during = at(user).get("/customers").status_code
    listed, shown = admin.get(path).get_json(), admin.get(given.headers["Location"]).get_json()
    taken = admin.delete(given.headers["Location"])

    assert (before, during, user.get("/customers").status_code) == (403, 200, 403)
    assert (given.status_code, taken.status_code) == (201, 204)
    assert given.headers["Location"] == f"{path}/{made['id']}"
    assert {name: made[name] for name in ("user_id", "role_id")} == {"user_id": user.user_id, "role_id": role}
    assert made["role"] == acme.admin.get(f"/guardian/roles/{role}").get_json()
    assert list(made) == ["id", "user_id", "role_id", "created_at", "role"]
    assert (listed, shown) == ({"roles": [made]}, made)
    assert admin.get(path).get_json() == {"roles": []}


@both_databases
def test_every_role_of_a_user_is_listed_in_the_order_of_assignment(acme: Tenant, at: Through) -> None:
    user, roles = acme.user(), [role_with(acme) for _ in range(3)]
    made = [give(acme, user, role) for role in roles]
    give(acme, acme.user(), roles[0])

    found = at(acme.admin).get(roles_path(user)).get_json()["roles"]

    assert [each["id"] for each in found] == made
    assert [each["role"]["id"] for each in found] == roles


def test_older_name_of_the_role_is_taken(acme: Tenant, at: Through) -> None:
    answer = at(acme.admin).post(roles_path(acme.user()), {"role": role_with(acme)})

    assert answer.status_code == 201


@by_row(
    ("body", "named"),
    [
        ({}, "role_id"),
        ({"role_id": "viewer"}, "role_id"),
        ({"role_id": None}, "role_id"),
        ({"role": 1}, "role"),
        ({"role": str(uuid4()), "role_id": str(uuid4())}, "role"),
        ({"role_id": str(uuid4()), "user_id": str(uuid4())}, "user_id"),
    ],
)
def test_body_that_names_no_role_is_refused(acme: Tenant, body: Json, named: str) -> None:
    answer = acme.admin.post(roles_path(acme.user()), body)

    assert (answer.status_code, list(answer.get_json()["errors"])) == (400, [named])


def test_role_that_the_company_does_not_have_is_not_found(acme: Tenant, globex: Tenant, at: Through) -> None:
    path = roles_path(acme.user())

    answers = [at(acme.admin).post(path, {"role_id": each}) for each in (role_with(globex), str(uuid4()))]

    assert [refusal(each) for each in answers] == [(404, "ROLE_NOT_FOUND")] * 2
    assert acme.admin.get(path).get_json() == {"roles": []}


@both_databases
def test_role_that_the_user_has_is_a_conflict(acme: Tenant, at: Through) -> None:
    user, role = acme.user(), role_with(acme)
    give(acme, user, role)

    answer = at(acme.admin).post(roles_path(user), {"role_id": role})

    assert (answer.status_code, answer.get_json()["errors"]) == (409, {"role_id": ["Already in use."]})


def test_nobody_gives_a_role_above_their_own(acme: Tenant, at: Through) -> None:
    someone, path = at(user_with(acme, *ENGINE, "identity:user_role:CREATE", READ)), roles_path(acme.user())

    higher = role_with(acme, DELETE), role_id(acme, "administrator")
    above = [someone.post(path, {"role_id": each}) for each in higher]
    own = someone.post(path, {"role_id": role_with(acme, READ)})

    assert [refusal(each) for each in above] == [(403, "ROLE_ABOVE_OWN")] * 2
    assert own.status_code == 201


@both_databases
def test_assignment_is_found_below_its_own_user_only(acme: Tenant, globex: Tenant, at: Through) -> None:
    user, other = acme.user(), acme.user()
    mine, foreign = give(acme, user, role_with(acme)), give(globex, globex.user(), role_with(globex))
    admin = at(acme.admin)

    paths = [f"{roles_path(other)}/{mine}", f"{roles_path(user)}/{foreign}", f"{roles_path(user)}/{uuid4()}"]
    answers = [admin.request(method, path) for path in paths for method in ("GET", "DELETE")]

    assert [refusal(each) for each in answers] == [(404, "USER_ROLE_NOT_FOUND")] * 6
    assert admin.get(f"{roles_path(user)}/{mine}").status_code == 200


@both_databases
def test_last_administrator_keeps_the_role(acme: Tenant, at: Through) -> None:
    admin = at(acme.admin)
    [own] = admin.get(roles_path(admin)).get_json()["roles"]

    answer = admin.delete(f"{roles_path(admin)}/{own['id']}")

    assert refusal(answer) == (409, "LAST_ADMINISTRATOR")
    assert admin.get(roles_path(admin)).get_json() == {"roles": [own]}


# What follows from them


def test_policies_and_permissions_of_several_roles_come_once(acme: Tenant, at: Through) -> None:
    admin, user = acme.admin, acme.user()
    policies = [admin.create("/guardian/policies", {"name": f"Policy {n}"}) for n in range(2)]
    ids = {name: each["id"] for each in admin.get("/guardian/permissions").get_json() for name in names([each])}
    for policy in policies:
        admin.create(f"/guardian/policies/{policy['id']}/permissions", {"permission_id": ids[READ]})
    admin.create(f"/guardian/policies/{policies[1]['id']}/permissions", {"permission_id": ids[DELETE]})
    for n in range(2):
        role = admin.create("/guardian/roles", {"name": f"Role {n}"})
        give(acme, user, role["id"])
        for policy in policies:
            admin.create(f"/guardian/roles/{role['id']}/policies", {"policy_id": policy["id"]})

    listed = at(admin).get(f"/users/{user.user_id}/policies").get_json()["policies"]
    permissions = at(admin).get(f"/users/{user.user_id}/permissions").get_json()["permissions"]

    assert listed == policies
    assert names(permissions) == [DELETE, READ]
    assert [each["id"] for each in permissions] == [ids[DELETE], ids[READ]]


def test_permissions_are_those_that_the_engine_would_grant(acme: Tenant, at: Through) -> None:
    viewer = acme.user("viewer")

    found = permissions_of(at(acme.admin), viewer)

    assert "identity:customer:LIST" in found
    beyond = {each for each in found if not each.endswith((":LIST", ":READ"))}
    assert {each.rpartition(":")[0] for each in beyond} == {"identity:customer_profile"}
    assert found == sorted(found)
    assert at(viewer).get("/users/me/permissions").get_json() == {
        "permissions": acme.admin.get(f"/users/{viewer.user_id}/permissions").get_json()["permissions"]
    }


def test_administrator_has_every_permission_that_the_company_can_use(acme: Tenant, globex: Tenant, at: Through) -> None:
    with acme.app.app_context():
        catalogue = services().catalogue
    every = {f"{each.service}:{each.resource_name}:{each.operation}" for each in catalogue}
    beyond = {f"{each.service}:{each.resource_name}:{each.operation}" for each in catalogue if each.platform}

    of_platform = names(at(acme.admin).get("/users/me/permissions").get_json()["permissions"])
    of_other = names(at(globex.admin).get("/users/me/permissions").get_json()["permissions"])

    assert set(of_platform) == every
    assert set(of_other) == every - beyond
    assert len(of_platform) == len(every)
    assert "identity:company:DELETE" in beyond
    assert at(acme.admin).get(f"/users/{acme.admin.user_id}/policies").get_json() == {"policies": []}


def test_user_without_a_role_has_no_permission(acme: Tenant, at: Through) -> None:
    user = acme.user()

    assert permissions_of(at(acme.admin), user) == []
    assert at(acme.admin).get(f"/users/{user.user_id}/policies").get_json() == {"policies": []}


def test_assignable_roles_say_what_they_allow(acme: Tenant, globex: Tenant, at: Through) -> None:
    other = role_with(acme, READ, "guardian:role:READ")
    role_with(globex, DELETE)

    found = {each["id"]: each for each in at(acme.admin).get("/users/roles").get_json()["roles"]}

    by_code = {each["code"]: each for each in found.values()}
    assert found.keys() == {each["id"] for each in acme.admin.get("/guardian/roles").get_json()}
    assert by_code["administrator"]["permissions"] == ["all"]
    own = ("CREATE", "DELETE", "READ", "UPDATE")
    assert by_code["customer"]["permissions"] == [f"customer_profile:{operation}" for operation in own]
    assert {"customer:LIST", "guardian:role:LIST"} <= set(by_code["viewer"]["permissions"])
    assert found[other]["permissions"] == ["guardian:role:READ", "customer:READ"]
    assert list(found[other]) == ["id", "name", "code", "description", "permissions"]
