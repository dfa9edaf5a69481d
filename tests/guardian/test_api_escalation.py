"""Nobody rises above themselves by editing roles."""

import pytest

from tests.guardian.editing import HELD, LACKED, POLICIES, ROLES, Json, id_of, policy_with, refusal, role_of
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.roles import user_with
from tests.support.served import Through

pytestmark = one_database

EDITS = ("guardian:role:UPDATE", "guardian:role:DELETE", "guardian:policy:UPDATE", "guardian:policy:DELETE")


def editor(company: Tenant) -> ApiClient:
    """May edit every role and policy, and read customers."""
    return user_with(company, *EDITS, HELD)


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("PUT", "", {"name": "Mine"}),
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/policies", {"policy_id": "{other}"}),
        ("POST", "/policies/{other}", None),
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

    answer = editor(acme).request(method, path + suffix.format(own=own["id"], other=other["id"]), wanted)

    assert refusal(answer) == (403, "ROLE_ABOVE_OWN")
    assert (admin.get(path).get_json(), admin.get(f"{path}/policies").get_json()) == before


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("PUT", "", {"name": "Mine"}),
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/permissions", {"permission_id": id_of("guardian:role:UPDATE")}),
        ("POST", f"/permissions/{id_of('guardian:role:UPDATE')}", None),
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


@both_databases
def test_permission_that_one_lacks_is_not_added(acme: Tenant, engine: Through) -> None:
    policy = policy_with(engine(acme.admin), "Empty")
    someone = engine(editor(acme))
    permissions = f"{POLICIES}/{policy['id']}/permissions"

    lacked = someone.post(permissions, {"permission_id": id_of(LACKED)})
    held = someone.post(permissions, {"permission_id": id_of(HELD)})

    assert refusal(lacked) == (403, "ROLE_ABOVE_OWN")
    assert held.status_code == 201


@both_databases
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
