"""Links that several follow at once, and one address that several sign up with."""

from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from app.accounts.invitations.models import Invitation
from app.users.models import LoginKey, User
from tests.across.races.fleet import SIZE, Answer, Fleet, Wish, by
from tests.support.clients import PASSWORD, ApiClient, Tenant, unique
from tests.support.everything import everything
from tests.support.letters import Letters, letters
from tests.support.mailbox import Mailbox

__all__ = ["everything", "letters"]
ROUNDS = 6
Json = dict[str, Any]


def statuses(answers: list[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)


def invited(company: Tenant, letters: Letters) -> tuple[Json, str]:
    """An invitation and its token."""
    made = company.admin.create("/users/invitations", {"email": f"{unique('invited')}@example.com"})
    return made, letters.one(made["email"]).token


def acceptance(token: str) -> Wish:
    return Wish("POST", "/auth/accept-invitation", {"token": token, "password": PASSWORD})


def test_one_of_several_acceptances_gets_in(acme: Tenant, fleet: Fleet, letters: Letters) -> None:
    for _ in range(ROUNDS):
        made, token = invited(acme, letters)

        answers = fleet.race(*[acceptance(token)] * SIZE)

        assert statuses(answers) == [200, 400, 400, 400]
        assert {answer.body.get("error_code") for answer in answers} == {None, "INVALID_LINK"}
        assert acme.admin.get(f"/users/{made['user_id']}").get_json()["is_active"] is True


def test_one_of_several_verifications_counts(acme: Tenant, fleet: Fleet, letters: Letters) -> None:
    for _ in range(ROUNDS):
        user = acme.user()
        ApiClient(acme.app).post("/auth/verify-email/request", {"email": user.email})
        wish = Wish("POST", "/auth/verify-email", {"token": letters.one(user.email).token})

        assert statuses(fleet.race(*[wish] * SIZE)) == [200, 400, 400, 400]


def test_one_of_several_confirmations_counts(acme: Tenant, fleet: Fleet, letters: Letters) -> None:
    for _ in range(ROUNDS):
        user, new = acme.user(), f"{unique('new')}@example.com"
        user.post("/users/me/email", {"new_email": new, "current_password": PASSWORD})
        wish = Wish("POST", "/auth/confirm-email", {"token": letters.to(new).token})

        assert statuses(fleet.race(*[wish] * SIZE)) == [200, 400, 400, 400]
        assert letters.received() == []


def test_change_of_address_that_was_asked_for_with_a_former_password_never_happens(
    acme: Tenant, fleet: Fleet, letters: Letters
) -> None:
    for _ in range(ROUNDS * 2):
        user, new = acme.user(), f"{unique('new')}@example.com"
        change = {"current_password": PASSWORD, "new_password": "another good password"}
        asking = by(user, "POST", "/users/me/email", {"new_email": new, "current_password": PASSWORD})

        asked, _, changed, _ = fleet.race(
            asking, asking, by(user, "PATCH", "/users/me/change-password", change), asking
        )

        assert changed.status == 200
        assert asked.status in (202, 400, 409)
        links = [letter.token for letter in letters.received() if letter.to == new]
        answers = [ApiClient(acme.app).post("/auth/confirm-email", {"token": token}).status_code for token in links]
        assert 200 not in answers


def test_acceptance_and_what_ends_an_invitation_leave_a_user_or_none(
    acme: Tenant, fleet: Fleet, letters: Letters, everything: Engine
) -> None:
    for number in range(ROUNDS * 2):
        made, token = invited(acme, letters)
        user = f"/users/{made['user_id']}"
        ends = (
            by(acme.admin, "DELETE", f"/users/invitations/{made['id']}"),
            by(acme.admin, "DELETE", user),
            by(acme.admin, "PATCH", user, {"email": f"{unique('other')}@example.com"}),
            by(acme.admin, "PATCH", user, {"is_active": True}),
        )[number % 4]
        again = by(acme.admin, "POST", f"/users/invitations/{made['id']}/resend")

        accepted, ended, *_ = fleet.race(acceptance(token), ends, acceptance(token), again)

        letters.received()
        with everything.connect() as connection:
            waits = connection.scalar(select(Invitation.id).where(Invitation.id == UUID(made["id"])))
            is_active = connection.scalar(select(User.is_active).where(User.id == UUID(made["user_id"])))
        assert accepted.status in (200, 400), accepted.body
        assert ended.status in (200, 204, 404, 409), ended.body
        assert not (waits and is_active)
        if accepted.status == 200 and ended.status in (404, 409):
            assert is_active is True


def test_of_several_who_follow_the_link_of_a_registration_one_gets_in(
    acme: Tenant, fleet: Fleet, letters: Letters, everything: Engine
) -> None:
    _open(acme, acme)
    for _ in range(ROUNDS):
        email = f"{unique('wile')}@example.com"
        assert _asked(acme, _sign_up(email, acme)) == 202

        answers = fleet.race(*[_verification(letters.one(email).token)] * SIZE)

        assert statuses(answers) == [200, 400, 400, 400]
        assert {answer.body.get("error_code") for answer in answers} == {None, "INVALID_LINK"}
        _check_one_account(everything, email)


def test_of_several_registrations_of_an_address_the_first_that_is_followed_makes_the_account(
    acme: Tenant, globex: Tenant, fleet: Fleet, everything: Engine
) -> None:
    _open(acme, acme, globex)
    for _ in range(ROUNDS // 2):
        email = f"{unique('wile')}@example.com"
        wishes = [_sign_up(email, company) for company in (acme, globex, acme, globex)]
        assert statuses(fleet.race(*wishes)) == [202] * SIZE
        fleet.race(*[Wish("WORK", "")] * SIZE)
        mails = Letters(Mailbox(acme.app, fleet.mails)).received()
        assert [letter.to for letter in mails] == [email] * SIZE

        answers = fleet.race(*[_verification(letter.token) for letter in mails])

        assert statuses(answers) == [200, 409, 409, 409]
        assert [each.body["errors"] for each in answers if each.status == 409] == [{"email": ["Already in use."]}] * 3
        _check_one_account(everything, email)
        assert _asked(acme, Wish("POST", "/auth/login", {"email": email, "password": PASSWORD})) == 200


def _open(platform: Tenant, *companies: Tenant) -> None:
    for company in companies:
        opened = {"customer_registration": "open"}
        assert platform.admin.patch(f"/companies/{company.company_id}", opened).status_code == 200


def _asked(company: Tenant, wish: Wish) -> int:
    return ApiClient(company.app).post(wish.path, wish.values).status_code


def _verification(token: str) -> Wish:
    return Wish("POST", "/auth/verify-email", {"token": token})


def _check_one_account(everything: Engine, email: str) -> None:
    with everything.connect() as connection:
        [user_id] = connection.scalars(select(User.id).where(User.email == email)).all()
        assert connection.scalars(select(LoginKey.user_id).where(LoginKey.email_key == email)).all() == [user_id]


def _sign_up(email: str, company: Tenant) -> Wish:
    person = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    return Wish("POST", "/auth/register", person | {"company_id": str(company.company_id)})
