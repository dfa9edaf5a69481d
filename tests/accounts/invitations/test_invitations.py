"""Invitations: made, listed, sent again and revoked, and nobody hands out roles that way which they lack."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine
from uuid_utils.compat import uuid7

from app.base.errors import Unavailable
from app.guardian.directory import EmbeddedRoleDirectory
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything, row_counts
from tests.support.letters import Letters
from tests.support.marks import one_database
from tests.support.roles import role_id, role_with, user_with
from tests.support.rows import by_row

__all__ = ["everything"]
PATH = "/users/invitations"
ADDRESS = "wile@example.com"
Json = dict[str, Any]


def invite(company: Tenant, **values: Any) -> Json:
    return company.admin.create(PATH, {"email": ADDRESS} | values)


def accept(anonymous: ApiClient, token: str, password: str = PASSWORD) -> Any:
    return anonymous.post("/auth/accept-invitation", {"token": token, "password": password})


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
    inviter = user_with(acme, "identity:invitation:CREATE", "identity:user_role:CREATE")
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


@one_database
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
    clerk = user_with(acme, "identity:invitation:DELETE")

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


def test_invitation_outlives_who_made_it(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    inviter = acme.user("administrator")
    made = inviter.create(PATH, {"email": ADDRESS})
    assert acme.admin.delete(f"/users/{inviter.user_id}").status_code == 204

    assert acme.admin.get(f"{PATH}/{made['id']}").get_json()["invited_by"] is None

    mail = letters.one(ADDRESS)
    assert "An administrator invited you" in mail.text
    assert accept(anonymous, mail.token).status_code == 200
