"""Invitations that are sent again, revoked or overtaken."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.guardian.directory import EmbeddedRoleDirectory
from tests.accounts.invitations.inviting import ADDRESS, PATH, invite
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.letters import Letters
from tests.support.marks import both_databases, one_database
from tests.support.roles import CONTROL, role_id, user_with

pytestmark = one_database


def accept(anonymous: ApiClient, token: str, password: str = PASSWORD) -> Any:
    return anonymous.post("/auth/accept-invitation", {"token": token, "password": password})


# Sending again


def test_sending_again_kills_the_link_before(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    made = invite(acme)
    first = letters.one(ADDRESS).token

    answer = acme.admin.post(f"{PATH}/{made['id']}/resend")

    assert answer.status_code == 200
    assert answer.get_json()["expires_at"] > made["expires_at"]
    second = letters.one(ADDRESS).token
    assert accept(anonymous, first).status_code == 400
    assert accept(anonymous, second).status_code == 200


def test_invitation_that_was_never_mailed_is_repaired_by_sending_it_again(
    app: Flask, acme: Tenant, anonymous: ApiClient, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the process had died while the roles were given."""
    kernel = app.extensions["identity"]
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "role_directory", Dying())
        with pytest.raises(SystemExit):
            acme.admin.post(PATH, {"email": ADDRESS, "role_ids": [role_id(acme, "viewer")]})
    assert letters.received() == []
    [made] = acme.admin.get(PATH).get_json()["data"]

    assert acme.admin.post(f"{PATH}/{made['id']}/resend").status_code == 200

    assert accept(anonymous, letters.one(ADDRESS).token).status_code == 200


class Dying(EmbeddedRoleDirectory):
    def assign(self, user_id: UUID, role_id: UUID, actor: Any) -> Any:
        raise SystemExit


# Revoking


@both_databases
def test_revoked_invitation_takes_the_user_along(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    made = invite(acme, role_ids=[role_id(acme, "viewer")])
    token = letters.one(ADDRESS).token

    assert acme.admin.delete(f"{PATH}/{made['id']}").status_code == 204

    assert acme.admin.get(f"/users/{made['user_id']}").status_code == 404
    assert acme.admin.get(f"{PATH}/{made['id']}").status_code == 404
    assert accept(anonymous, token).status_code == 400
    assert invite(acme)["user_id"] != made["user_id"]


def test_nobody_revokes_the_invitation_of_somebody_above_them(acme: Tenant) -> None:
    made = invite(acme, role_ids=[role_id(acme, "administrator")])
    clerk = user_with(acme, "identity:invitation:DELETE", CONTROL)

    answer = clerk.delete(f"{PATH}/{made['id']}")

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ROLE_ABOVE_OWN")
    assert acme.admin.get(f"{PATH}/{made['id']}").status_code == 200


def test_accepted_invitation_can_be_neither_revoked_nor_sent_again(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    made = invite(acme)
    accept(anonymous, letters.one(ADDRESS).token)

    assert acme.admin.delete(f"{PATH}/{made['id']}").status_code == 404
    assert acme.admin.post(f"{PATH}/{made['id']}/resend").status_code == 404

    assert acme.admin.get(PATH).get_json()["data"] == []
    assert acme.admin.get(f"/users/{made['user_id']}").status_code == 200


# Whatever else happens to the user


@both_databases
def test_invitation_of_a_user_who_is_deleted_is_gone(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    made = invite(acme)
    token = letters.one(ADDRESS).token

    assert acme.admin.delete(f"/users/{made['user_id']}").status_code == 204

    assert acme.admin.get(f"{PATH}/{made['id']}").status_code == 404
    assert accept(anonymous, token).status_code == 400


def test_activation_by_an_administrator_ends_the_invitation(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    made = invite(acme)
    token, user = letters.one(ADDRESS).token, f"/users/{made['user_id']}"
    acme.admin.patch(user, {"is_active": True})
    acme.admin.patch(user, {"is_active": False})

    answer = accept(anonymous, token)

    assert answer.status_code == 400
    assert acme.admin.get(user).get_json()["is_active"] is False
    assert acme.admin.get(PATH).get_json()["data"] == []


def test_link_to_a_former_address_does_not_work(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    made = invite(acme)
    stray = letters.one(ADDRESS).token
    acme.admin.patch(f"/users/{made['user_id']}", {"email": "right@example.com"})
    letters.received()

    assert accept(anonymous, stray).status_code == 400
    assert acme.admin.post(f"{PATH}/{made['id']}/resend").get_json()["email"] == "right@example.com"

    assert accept(anonymous, letters.one("right@example.com").token).status_code == 200


@both_databases
def test_invitation_outlives_who_made_it(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    inviter = acme.user("administrator")
    made = inviter.create(PATH, {"email": ADDRESS})
    assert acme.admin.delete(f"/users/{inviter.user_id}").status_code == 204

    assert acme.admin.get(f"{PATH}/{made['id']}").get_json()["invited_by"] is None

    mail = letters.one(ADDRESS)
    assert "An administrator invited you" in mail.text
    assert accept(anonymous, mail.token).status_code == 200
