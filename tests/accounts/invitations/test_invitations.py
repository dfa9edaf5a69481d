"""Inviting somebody: who may, and what is there at once."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine
from uuid_utils.compat import uuid7

from app.base.errors import Unavailable
from app.guardian.directory import EmbeddedRoleDirectory
from tests.accounts.invitations.inviting import ADDRESS, PATH, Json, invite
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything, row_counts
from tests.support.letters import Letters
from tests.support.marks import both_databases, one_database
from tests.support.roles import CONTROL, role_id, role_with, user_with
from tests.support.rows import by_row

__all__ = ["everything"]
pytestmark = one_database


def rows(everything: Engine) -> dict[str, int]:
    """Without the deltas of maintained totals, which are added up now and then."""
    return {name: count for name, count in row_counts(everything).items() if name != "row_count"}


def roles_of(company: Tenant, user_id: str) -> list[str]:
    found = company.admin.get(f"/users/{user_id}/roles").get_json()["roles"]
    return [each["role"]["code"] for each in found]


# Refusals


def test_who_may_not_invite_invites_nobody(acme: Tenant, everything: Engine) -> None:
    manager, before = acme.user("manager"), rows(everything)

    answer = manager.post(PATH, {"email": ADDRESS})

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ACCESS_DENIED")
    assert rows(everything) == before


def test_roles_are_given_only_by_who_may_give_roles(acme: Tenant, everything: Engine) -> None:
    inviter = user_with(acme, "identity:invitation:CREATE")
    before, viewer = rows(everything), role_id(acme, "viewer")

    refused = inviter.post(PATH, {"email": ADDRESS, "role_ids": [viewer]})

    assert (refused.status_code, refused.get_json()["error_code"]) == (403, "ACCESS_DENIED")
    assert rows(everything) == before
    assert inviter.post(PATH, {"email": ADDRESS}).status_code == 201


def test_nobody_invites_to_more_than_they_hold_and_nothing_is_left_of_the_attempt(
    acme: Tenant, letters: Letters, everything: Engine
) -> None:
    inviter = user_with(acme, "identity:invitation:CREATE", "identity:user_role:CREATE", CONTROL)
    harmless, above = role_with(acme), role_id(acme, "administrator")
    before = rows(everything)

    answer = inviter.post(PATH, {"email": ADDRESS, "role_ids": [harmless, above]})

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ROLE_ABOVE_OWN")
    assert rows(everything) == before
    assert letters.received() == []


def test_role_of_another_company_is_not_found(acme: Tenant, globex: Tenant, everything: Engine) -> None:
    foreign, before = role_id(globex, "viewer"), rows(everything)

    answer = acme.admin.post(PATH, {"email": ADDRESS, "role_ids": [role_id(acme, "viewer"), foreign]})

    assert (answer.status_code, answer.get_json()["error_code"]) == (404, "ROLE_NOT_FOUND")
    assert rows(everything) == before


@by_row(
    ("values", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": None}, "email"),
        ({"position_id": str(uuid7())}, "position_id"),
        ({"role_ids": [str(uuid7())] * 21}, "role_ids"),
        ({"role_ids": ["x"]}, "role_ids"),
        ({"role_ids": str(uuid7())}, "role_ids"),
        ({"language": "de"}, "language"),
        ({"first_name": "x" * 51}, "first_name"),
        ({"password": PASSWORD}, "password"),
        ({"is_active": True}, "is_active"),
        ({"invited_by": str(uuid7())}, "invited_by"),
    ],
)
def test_value_that_does_not_fit_is_named(acme: Tenant, everything: Engine, values: Json, field: str) -> None:
    before = rows(everything)

    answer = acme.admin.post(PATH, {"email": ADDRESS} | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [field]
    assert rows(everything) == before


@both_databases
def test_taken_address_is_a_conflict_also_in_another_company(acme: Tenant, globex: Tenant) -> None:
    for taken in (acme.admin.email, globex.admin.email.upper()):
        answer = acme.admin.post(PATH, {"email": taken})

        assert answer.status_code == 409
        assert answer.get_json()["errors"] == {"email": ["Already in use."]}


# Inviting


def test_invited_user_exists_at_once_and_can_do_nothing(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    made = invite(acme, first_name="Wile", last_name="Coyote", language="fr")

    user = acme.admin.get(f"/users/{made['user_id']}").get_json()
    expected = {"email": ADDRESS, "first_name": "Wile", "last_name": "Coyote", "language": "fr"}
    assert user | expected | {"is_active": False, "is_verified": False} == user
    assert set(made) == {
        "id", "user_id", "email", "first_name", "last_name", "position_id", "invited_by", "created_at", "updated_at",
        "expires_at",
    }  # fmt: skip
    assert made["invited_by"] == acme.admin.user_id
    assert anonymous.post("/auth/login", {"email": ADDRESS, "password": PASSWORD}).status_code == 401
    mail = letters.one(ADDRESS)
    assert mail.subject == "Vous avez reçu une invitation"
    assert "Bonjour Wile," in mail.text
    assert "Ada vous invite à rejoindre l’entreprise acme." in mail.text


def test_roles_are_there_before_the_invitation_is_accepted(acme: Tenant, letters: Letters) -> None:
    roles = [role_id(acme, "viewer"), role_id(acme, "manager")]

    made = invite(acme, role_ids=[*roles, roles[0]])

    assert sorted(roles_of(acme, made["user_id"])) == ["manager", "viewer"]
    assert letters.one(ADDRESS)


@both_databases
def test_invitations_are_listed_and_read_with_what_the_user_has_now(acme: Tenant) -> None:
    made = invite(acme)
    other = invite(acme, email="other@example.com")
    acme.admin.patch(f"/users/{made['user_id']}", {"first_name": "Wile"})

    listed = acme.admin.get(PATH).get_json()["data"]

    assert listed == [made | {"first_name": "Wile"}, other]
    assert acme.admin.get(f"{PATH}/{made['id']}").get_json() == listed[0]
    filtered = acme.admin.get(f"{PATH}?user_id={other['user_id']}").get_json()["data"]
    assert filtered == [other]


def test_reading_costs_a_fixed_number_of_statements(acme: Tenant, statements: Any) -> None:
    made = [invite(acme, email=f"user{number}@example.com") for number in range(5)]

    with statements() as listing:
        acme.admin.get(PATH)
    with statements() as reading:
        acme.admin.get(f"{PATH}/{made[0]['id']}")

    # One for the session, one for the engine's decision.
    assert (len(listing), len(reading)) == (3, 3)


@both_databases
def test_failure_while_roles_are_given_leaves_nobody(
    app: Flask, acme: Tenant, letters: Letters, everything: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(everything)
    monkeypatch.setattr(app.extensions["identity"], "role_directory", Failing())

    answer = acme.admin.post(PATH, {"email": ADDRESS, "role_ids": [role_id(acme, "viewer"), role_id(acme, "manager")]})

    assert answer.status_code == 503
    assert rows(everything) == before
    assert letters.received() == []


class Failing(EmbeddedRoleDirectory):
    """An engine that is gone after the first assignment."""

    assigned = 0

    def assign(self, user_id: UUID, role_id: UUID, actor: Any) -> Any:
        if self.assigned:
            raise Unavailable("Gone.")
        self.assigned += 1
        return super().assign(user_id, role_id, actor)

    def unassign(self, user_id: UUID, assignment_id: UUID, actor: Any) -> None:
        raise Unavailable("Gone.")
