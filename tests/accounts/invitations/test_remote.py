"""Roles of an invitation where a remote engine keeps them: given with the inviter's token, taken back on failure."""

import pytest
from flask import Flask
from sqlalchemy import Engine

from tests.access.conftest import admin, data, engine, remote
from tests.fakes.guardian import Exchange, answers
from tests.fakes.roles import FakeRoles
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything, row_counts
from tests.support.letters import Letters
from tests.support.marks import one_database
from tests.support.variants import variant

__all__ = ["admin", "data", "engine", "everything", "remote", "variant"]
pytestmark = one_database
PATH = "/users/invitations"
ADDRESS = "wile@example.com"


def test_engine_is_given_the_roles_before_the_mail_leaves(
    data: FakeRoles, admin: ApiClient, letters: Letters, anonymous: ApiClient
) -> None:
    roles = [data.role("One"), data.role("Two")]

    made = admin.create(PATH, {"email": ADDRESS, "role_ids": roles})

    assert [(each["user_id"], each["role_id"]) for each in data.assignments] == [
        (made["user_id"], role) for role in roles
    ]
    accepted = anonymous.post("/auth/accept-invitation", {"token": letters.one(ADDRESS).token, "password": PASSWORD})
    assert accepted.status_code == 200


@pytest.mark.parametrize(("status", "seen"), [(403, 403), (500, 502)])
def test_roles_that_were_given_are_taken_back_when_one_cannot_be(
    data: FakeRoles, admin: ApiClient, letters: Letters, everything: Engine, status: int, seen: int
) -> None:
    roles, before = [data.role("One"), data.role("Two")], row_counts(everything)["user"]
    # The role is read before it is assigned: the second one cannot be.
    data.faults[f"GET /roles/{roles[1]}"] = answers(status, {"message": "No."})

    answer = admin.post(PATH, {"email": ADDRESS, "role_ids": roles})

    assert answer.status_code == seen
    assert any(asked.startswith("DELETE /user-roles/") for asked in data.asked)
    assert data.assignments == []
    assert row_counts(everything)["user"] == before
    assert letters.received() == []


def test_first_administrator_is_invited_without_a_role_of_ours(
    acme: Tenant, remote: Flask, data: FakeRoles, admin: ApiClient, letters: Letters
) -> None:
    admin.create("/companies", {"name": "Initech", "admin": {"email": ADDRESS}})

    assert letters.one(ADDRESS)
    assert data.assignments == []


def test_role_whose_assignment_got_no_answer_is_taken_back_too(
    data: FakeRoles, admin: ApiClient, letters: Letters, everything: Engine
) -> None:
    roles = [data.role("One"), data.role("Two")]
    before = row_counts(everything)["user"]

    def assign_and_hang_up(exchange: Exchange) -> bool:
        wanted = exchange.seen.asked
        data.assign(wanted["user_id"], wanted["role_id"])
        return False

    data.faults["POST /user-roles"] = assign_and_hang_up

    answer = admin.post(PATH, {"email": ADDRESS, "role_ids": roles})

    assert answer.status_code in (502, 503, 504)
    assert data.assignments == []
    assert row_counts(everything)["user"] == before
