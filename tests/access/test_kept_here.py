"""What only this service's own tables give: a fixed number of statements, and answers for everybody."""

from typing import Any

import pytest

from tests.access.conftest import moved
from tests.fakes.guardian import FakeGuardian, answers
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.roles import give, role_id, role_with
from tests.support.variants import Variant

pytestmark = one_database

READ = "identity:customer:READ"


@pytest.mark.parametrize("role", ["customer", None])
def test_everybody_may_ask_what_they_may_do(acme: Tenant, role: str | None) -> None:
    found = acme.user(role).get("/users/me/permissions").get_json()["permissions"]

    assert {each["resource_name"] for each in found} == ({"customer_profile"} if role else set())


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/users/me/permissions", 2),
        ("/users/{user}/permissions", 4),
        ("/users/{user}/policies", 4),
        ("/users/{user}/roles", 4),
        ("/users/roles", 4),
    ],
)
def test_reading_costs_a_fixed_number_of_statements(acme: Tenant, statements: Any, path: str, allowed: int) -> None:
    admin, counted = acme.admin, []
    for _ in range(2):
        give(acme, admin, role_with(acme, READ))
        with statements() as sent:
            assert admin.get(path.format(user=admin.user_id)).status_code == 200
        counted.append(len(sent))

    assert counted == [allowed, allowed]


def test_giving_and_taking_cost_a_fixed_number_of_statements(acme: Tenant, statements: Any) -> None:
    user, counted = acme.user(), []
    for _ in range(2):
        role = role_with(acme, READ)
        with statements() as given:
            made = acme.admin.post(f"/users/{user.user_id}/roles", {"role_id": role})
        with statements() as taken:
            acme.admin.delete(made.headers["Location"])
        counted.append((len(given), len(taken)))

    assert counted[0] == counted[1]
    assert max(counted[0]) <= 10


def test_roles_stay_here_when_an_authzen_engine_decides(acme: Tenant, variant: Variant) -> None:
    user, role = acme.user(), role_id(acme, "viewer")

    with FakeGuardian(answers(200, {"decision": True})) as engine:
        admin = moved(acme.admin, variant(GUARDIAN_PROTOCOL="authzen", GUARDIAN_SERVICE_URL=engine.url))
        given = admin.post(f"/users/{user.user_id}/roles", {"role_id": role})
        permissions = admin.get(f"/users/{user.user_id}/permissions").get_json()["permissions"]
        asked = {each.path for each in engine.seen}

    assert given.status_code == 201
    assert acme.admin.get(f"/users/{user.user_id}/roles").get_json()["roles"] == [given.get_json()]
    assert permissions == acme.admin.get(f"/users/{user.user_id}/permissions").get_json()["permissions"] != []
    assert not any("role" in each for each in asked)


def test_nobody_is_asked_where_everything_is_granted(acme: Tenant, variant: Variant) -> None:
    with FakeGuardian() as engine:
        nobody: ApiClient = moved(acme.user(), variant(USE_GUARDIAN_SERVICE="false", GUARDIAN_SERVICE_URL=engine.url))
        found = nobody.get(f"/users/{acme.admin.user_id}/roles").get_json()["roles"]

    assert [each["role"]["code"] for each in found] == ["administrator"]
    assert engine.seen == []
