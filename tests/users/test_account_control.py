"""Control of another user's account needs a permission of its own, and no more rights than one has."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import pytest

from tests.fakes.guardian import FakeGuardian, decides, decides_each
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.roles import CONTROL, give, role_with, user_with
from tests.support.rows import by_row
from tests.support.variants import Variant, variant

__all__ = ["variant"]

Json = dict[str, Any]
LACKED = "identity:customer:DELETE"


@dataclass(frozen=True)
class Action:
    """``permission`` is what the endpoint itself needs; ``{names}`` are ids of the ``Victim``."""

    permission: str
    method: str
    path: str
    body: Json | None = None


@dataclass(frozen=True)
class Victim:
    """Somebody with a role without permissions; ``other`` is one more of these."""

    user: ApiClient
    role: str
    assignment: str
    other: str

    def suffer(self, client: ApiClient, action: Action) -> Any:
        ids = {"user": self.user.user_id, "role": self.role, "assignment": self.assignment, "other": self.other}
        body = action.body and {
            name: value.format(**ids) if isinstance(value, str) else value for name, value in action.body.items()
        }
        return client.request(action.method, action.path.format(**ids), body)

    def state(self, acme: Tenant) -> Any:
        admin, user_id = acme.admin, self.user.user_id
        held = admin.get("/guardian/user-roles", query_string={"user_id": user_id}).get_json()
        return admin.get(f"/users/{user_id}").get_json(), held, self.user.get("/users/me").status_code


def victim_of(acme: Tenant, *more: str) -> Victim:
    user, role = acme.user(), role_with(acme)
    victim = Victim(user, role, give(acme, user, role), role_with(acme))
    if more:
        give(acme, user, role_with(acme, *more))
    return victim


USER, ASSIGNMENT = "/users/{user}", "/guardian/user-roles/{assignment}"
ACTIONS = [
    Action("identity:user:UPDATE", "PATCH", USER, {"email": "{user}@example.com"}),
    Action("identity:user:UPDATE", "PUT", USER, {"email": "{user}@example.com"}),
    Action("identity:user:UPDATE", "PATCH", USER, {"username": "{user}"}),
    Action("identity:user:UPDATE", "PATCH", USER, {"is_active": False}),
    Action("identity:user:DELETE", "DELETE", USER),
    Action("identity:admin_password_reset:UPDATE", "POST", f"{USER}/admin-reset-password"),
    Action("identity:user_role:CREATE", "POST", f"{USER}/roles", {"role_id": "{other}"}),
    Action("identity:user_role:DELETE", "DELETE", f"{USER}/roles/{{assignment}}"),
    Action("guardian:user_role:CREATE", "POST", "/guardian/user-roles", {"user_id": "{user}", "role_id": "{other}"}),
    Action("guardian:user_role:UPDATE", "PATCH", ASSIGNMENT, {"role_id": "{other}"}),
    Action("guardian:user_role:UPDATE", "PUT", ASSIGNMENT, {"user_id": "{user}", "role_id": "{other}"}),
    Action("guardian:user_role:DELETE", "DELETE", ASSIGNMENT),
    Action("guardian:role:DELETE", "DELETE", "/guardian/roles/{role}"),
]


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]


@one_database
@by_row("action", ACTIONS)
def test_permission_of_the_endpoint_alone_does_not_suffice(acme: Tenant, action: Action) -> None:
    clerk, victim = user_with(acme, action.permission), victim_of(acme)
    before = victim.state(acme)

    answer = victim.suffer(clerk, action)

    assert refusal(answer) == (403, "ACCESS_DENIED")
    assert victim.state(acme) == before


@by_row("action", ACTIONS)
def test_nobody_controls_somebody_with_more_permissions(acme: Tenant, action: Action) -> None:
    clerk, victim = user_with(acme, action.permission, CONTROL), victim_of(acme, LACKED)
    before = victim.state(acme)

    answer = victim.suffer(clerk, action)

    assert refusal(answer) == (403, "ROLE_ABOVE_OWN")
    assert victim.state(acme) == before


@by_row("action", ACTIONS)
def test_both_permissions_suffice_for_somebody_with_less(acme: Tenant, action: Action) -> None:
    clerk, victim = user_with(acme, action.permission, CONTROL), victim_of(acme)
    before = victim.state(acme) if action.method != "DELETE" else None

    answer = victim.suffer(clerk, action)

    assert answer.status_code in (200, 201, 204), answer.text
    if before is not None:
        assert victim.state(acme) != before


@one_database
@by_row("code", ["manager", None])
def test_who_reads_and_changes_people_by_default_controls_no_account(acme: Tenant, code: str | None) -> None:
    clerk, victim = acme.user(code) if code else user_with(acme, "identity:user:UPDATE"), victim_of(acme)

    taken_over = victim.suffer(clerk, ACTIONS[0])
    renamed = victim.suffer(clerk, Action("", "PATCH", USER, {"first_name": "Grace", "email": victim.user.email}))
    replaced = victim.suffer(clerk, Action("", "PUT", USER, {"first_name": "Ada", "email": victim.user.email.upper()}))

    assert refusal(taken_over) == (403, "ACCESS_DENIED")
    assert (renamed.status_code, replaced.status_code) == (200, 200)


# The attacks that were seen


def test_helpdesk_takes_no_role_from_an_administrator_to_reset_the_password_then(acme: Tenant) -> None:
    target = acme.user("administrator")
    [held] = acme.admin.get(f"/users/{target.user_id}/roles").get_json()["roles"]
    permissions = ("identity:user_role:DELETE", "guardian:user_role:UPDATE", "identity:admin_password_reset:UPDATE")
    helpdesk = user_with(acme, *permissions, "identity:user:UPDATE", CONTROL)

    answers = [
        helpdesk.delete(f"/users/{target.user_id}/roles/{held['id']}"),
        helpdesk.patch(f"/guardian/user-roles/{held['id']}", {"role_id": role_with(acme)}),
        helpdesk.patch(f"/guardian/user-roles/{held['id']}", {"user_id": helpdesk.user_id}),
        helpdesk.post(f"/users/{target.user_id}/admin-reset-password"),
        helpdesk.patch(f"/users/{target.user_id}", {"email": "taken.over@example.com"}),
    ]

    assert [refusal(answer) for answer in answers] == [(403, "ROLE_ABOVE_OWN")] * 5
    assert target.get("/users").status_code == 200


def test_assignment_is_not_moved_to_somebody_with_more_permissions(acme: Tenant) -> None:
    clerk, victim = user_with(acme, "guardian:user_role:UPDATE", CONTROL), victim_of(acme)
    above = victim_of(acme, LACKED)

    answer = victim.suffer(clerk, Action("", "PATCH", ASSIGNMENT, {"user_id": above.user.user_id}))

    assert refusal(answer) == (403, "ROLE_ABOVE_OWN")


def test_role_that_nobody_else_has_is_deleted_without_control(acme: Tenant) -> None:
    clerk, free = user_with(acme, "guardian:role:DELETE"), role_with(acme)
    give(acme, clerk, own := role_with(acme))

    assert [clerk.delete(f"/guardian/roles/{each}").status_code for each in (free, own)] == [204, 204]


def test_own_account_needs_no_control(acme: Tenant) -> None:
    clerk = user_with(acme, "identity:user:UPDATE", "identity:user_role:CREATE", "identity:user_role:DELETE")

    renamed = clerk.patch(f"/users/{clerk.user_id}", {"username": "mine"})
    given = clerk.post(f"/users/{clerk.user_id}/roles", {"role_id": role_with(acme, "identity:user:UPDATE")})
    taken = clerk.delete(given.headers["Location"])

    assert (renamed.status_code, given.status_code, taken.status_code) == (200, 201, 204)


# Invitations


def test_invitation_with_roles_and_its_revocation_need_control(acme: Tenant) -> None:
    permissions = ("identity:invitation:CREATE", "identity:invitation:DELETE", "identity:user_role:CREATE")
    clerk, inviter = user_with(acme, *permissions), user_with(acme, *permissions, CONTROL)
    wish = {"email": "noor@example.com", "role_ids": [role_with(acme)]}

    refused = clerk.post("/users/invitations", wish)
    made = inviter.create("/users/invitations", wish)
    kept = clerk.delete(f"/users/invitations/{made['id']}")
    revoked = inviter.delete(f"/users/invitations/{made['id']}")
    plain = clerk.post("/users/invitations", {"email": "else@example.com"})

    assert [refusal(answer) for answer in (refused, kept)] == [(403, "ACCESS_DENIED")] * 2
    assert (revoked.status_code, plain.status_code) == (204, 201)


# What changes between the question and the transaction


def test_account_that_changed_meanwhile_is_not_changed_back(acme: Tenant) -> None:
    clerk, victim = user_with(acme, "identity:user:UPDATE"), victim_of(acme)
    path, addresses = f"/users/{victim.user.user_id}", [f"address{n}@example.com" for n in range(10)]

    for old, new in zip([victim.user.email, *addresses[:-1]], addresses, strict=True):
        together = Barrier(2)

        def change(client: ApiClient, address: str, together: Barrier = together) -> int:
            together.wait()
            status: int = client.patch(path, {"email": address}).status_code
            return status

        with ThreadPoolExecutor() as pool:
            changed, kept = pool.map(change, (acme.admin, clerk), (new, old))
        if changed == 409:  # the two wrote at once, and the clerk's request, which changes nothing, was first
            changed = acme.admin.patch(path, {"email": new}).status_code

        assert changed == 200
        assert kept in (200, 403, 409)
        assert acme.admin.get(path).get_json()["email"] == new


# Engines elsewhere


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian() as running:
        yield running


@one_database
@pytest.mark.parametrize(("names", "asked_as"), [("", "user_account"), ("003", "admin_password_reset")])
def test_remote_guardian_is_asked_about_the_account(
    acme: Tenant, engine: FakeGuardian, variant: Variant, names: str, asked_as: str
) -> None:
    remote = variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_RESOURCE_NAMES=names)
    clerk, victim = ApiClient(remote, acme.admin.token), victim_of(acme)
    engine.behaviour = decides(lambda asked: (asked["resource_name"], asked["operation"]) != (asked_as, "UPDATE"))
    before = victim.state(acme)

    # Roles are kept there, and the engine's own API is there.
    answers = [victim.suffer(clerk, each) for each in ACTIONS if "/guardian/" not in each.path]

    assert [refusal(answer) for answer in answers] == [(403, "ACCESS_DENIED")] * 8
    assert victim.state(acme) == before
    engine.behaviour = decides(lambda _asked: True)
    assert victim.suffer(clerk, ACTIONS[0]).status_code == 200


@one_database
def test_authzen_engine_is_asked_about_this_very_account(acme: Tenant, engine: FakeGuardian, variant: Variant) -> None:
    remote = variant(GUARDIAN_PROTOCOL="authzen", GUARDIAN_SERVICE_URL=engine.url)
    clerk, victim = ApiClient(remote, acme.admin.token), victim_of(acme)
    engine.behaviour = decides_each(lambda asked: asked["resource"]["type"] != "user_account")

    answers = [victim.suffer(clerk, each) for each in ACTIONS[:-1]]

    assert [refusal(answer) for answer in answers] == [(403, "ACCESS_DENIED")] * len(answers)
    asked = [each.asked for each in engine.seen if each.method == "POST"]
    about = {each["resource"]["id"] for each in asked if each["resource"]["type"] == "user_account"}
    assert about == {victim.user.user_id}


def test_administrator_resets_an_administrator(acme: Tenant) -> None:
    second = acme.user("administrator")

    assert acme.admin.post(f"/users/{second.user_id}/admin-reset-password").status_code == 200
