"""One's own address: asked for with the password, confirmed through the new mailbox, told to the old one."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update

from app.accounts.emails.mails import confirm_email
from app.base.clock import utcnow
from app.core.db.models import db
from app.core.db.transaction import unit_of_work
from app.core.jobs import outbox
from app.core.jobs.one_time_links import OneTimeLink
from app.core.jobs.outbox import Job, LeaseLost
from tests.support.clients import PASSWORD, ApiClient, Tenant, sign_in
from tests.support.clock import same_moment
from tests.support.everything import everything
from tests.support.letters import Letters
from tests.support.marks import both_databases, one_database
from tests.support.outbox import change_entries, make_due
from tests.support.rows import by_row

__all__ = ["everything", "same_moment"]
pytestmark = one_database
PATH, CONFIRM = "/users/me/email", "/auth/confirm-email"
NEW = "new@example.com"


def ask(user: ApiClient, new: Any = NEW, password: str = PASSWORD, **options: Any) -> Any:
    return user.post(PATH, {"new_email": new, "current_password": password}, **options)


def confirm(client: ApiClient, token: str) -> Any:
    return client.post(CONFIRM, {"token": token})


def asked(user: ApiClient, letters: Letters, new: str = NEW) -> str:
    assert ask(user, new).status_code == 202
    return letters.to(new).token


def another_session(company: Tenant, user: ApiClient) -> ApiClient:
    return sign_in(company.app, company.company_id, UUID(user.user_id), user.email)


# Asking


def test_nothing_changes_before_the_link_is_followed(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user(first_name="Wile")

    assert ask(user).status_code == 202

    mail = letters.to(NEW)
    assert mail.subject == "Confirm your new e-mail address"
    assert mail.link == "http://127.0.0.1:5000/confirm-email"
    assert user.get("/users/me").get_json()["email"] == user.email
    assert anonymous.post("/auth/login", {"email": NEW, "password": PASSWORD}).status_code == 401


@pytest.mark.usefixtures("same_moment")
def test_wrong_password_is_refused_and_slowed_down_together_with_its_change(acme: Tenant, letters: Letters) -> None:
    user = acme.user()

    answers = [ask(user, password="wrong password") for _ in range(3)]
    wrong = {"current_password": "wrong password", "new_password": "another good password"}
    changes = [user.patch("/users/me/change-password", wrong) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert list(answers[0].get_json()["errors"]) == ["current_password"]
    assert [answer.status_code for answer in changes] == [400, 400, 429]
    assert ask(user).status_code == 429
    assert letters.received() == []


@by_row("new", ["nobody", None, "a@example.com,b@example.com", ["a@example.com"], "a@b.example\r\nX: y"])
def test_address_that_is_none_is_refused(acme: Tenant, new: Any) -> None:
    answer = ask(acme.user(), new)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == ["new_email"]


def test_present_address_is_refused(acme: Tenant) -> None:
    user = acme.user()

    answer = ask(user, user.email.upper())

    assert (answer.status_code, list(answer.get_json()["errors"])) == (400, ["new_email"])


def test_old_address_is_told_before_anything_is_confirmed(acme: Tenant, letters: Letters) -> None:
    user = acme.user(first_name="Wile", language="fr")

    ask(user)

    mail = letters.to(user.email)
    assert mail.subject == "Une nouvelle adresse électronique a été demandée pour votre compte"
    assert NEW not in mail.text + mail.html


@both_databases
@pytest.mark.parametrize("password", [PASSWORD, "wrong password"])
def test_answer_and_statements_do_not_tell_whether_the_address_exists(
    acme: Tenant, globex: Tenant, statements: Any, password: str
) -> None:
    answers, sent = [], []
    for new in (NEW, globex.admin.email, globex.admin.email.upper(), acme.admin.email):
        user = acme.user()
        with statements() as found:
            answers.append(ask(user, new, password))
        sent.append(found)

    assert {answer.status_code for answer in answers} == {202 if password == PASSWORD else 400}
    assert len({answer.get_json()["message"] for answer in answers}) == 1
    assert sent == [sent[0]] * 4


@both_databases
def test_owner_of_a_taken_address_is_told_and_gets_no_link(acme: Tenant, globex: Tenant, letters: Letters) -> None:
    user, owner = acme.user(), globex.user(first_name="Grace")

    assert ask(user, owner.email).status_code == 202

    mails = {letter.to: letter for letter in letters.received()}
    assert set(mails) == {user.email, owner.email}
    assert mails[owner.email].subject == "Your e-mail address was requested for another account"
    assert "token" not in mails[owner.email].text
    assert user.email not in mails[owner.email].text
    assert mails[user.email].subject == "A new e-mail address was requested for your account"
    assert user.get("/users/me").get_json()["email"] == user.email


@both_databases
def test_owner_is_told_once_although_the_worker_dies_before_it_removes_the_job(
    acme: Tenant, globex: Tenant, letters: Letters
) -> None:
    ask(acme.user(), globex.admin.email)
    app = letters.mailbox.app
    make_due(app, Job.kind == "mail.confirm_email")
    with app.app_context():
        jobs = [outbox.claim() for _ in range(2)]
        [job] = [each for each in jobs if each is not None and each.kind == "mail.confirm_email"]
        assert confirm_email(job) is None
        change_entries(app, leased_until=None)
        with pytest.raises(LeaseLost):
            confirm_email(job)

    assert [letter.to for letter in letters.received()].count(globex.admin.email) == 1


def test_strangers_are_not_mailed_without_end(acme: Tenant, letters: Letters) -> None:
    user = acme.user()

    answers = [ask(user, f"stranger{number}@example.com").status_code for number in range(6)]

    assert answers == [202] * 5 + [429]
    assert len([letter for letter in letters.received() if letter.to != user.email]) <= 5


def test_budget_is_the_same_for_taken_addresses(acme: Tenant, globex: Tenant) -> None:
    user = acme.user()

    answers = [ask(user, globex.admin.email).status_code for _ in range(6)]

    assert answers == [202] * 5 + [429]


def test_form_that_another_site_sends_is_refused(acme: Tenant) -> None:
    user = acme.user()
    browser = ApiClient(acme.app, headers={"Cookie": f"access_token={user.token}"})

    answer = ask(browser, headers={"Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "CSRF_REJECTED")


# Confirming


@both_databases
def test_confirmed_address_is_the_sign_in_name(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user(first_name="Wile", language="fr")
    before = acme.admin.get(f"/users/{user.user_id}")
    token = asked(user, letters)

    assert confirm(anonymous, token).status_code == 200

    after = acme.admin.get(f"/users/{user.user_id}")
    assert (after.get_json()["email"], after.get_json()["is_verified"]) == (NEW, True)
    assert after.headers["ETag"] != before.headers["ETag"]
    assert anonymous.post("/auth/login", {"email": NEW, "password": PASSWORD}).status_code == 200
    assert anonymous.post("/auth/login", {"email": user.email, "password": PASSWORD}).status_code == 401
    assert letters.received() == []


@both_databases
def test_every_session_ends_but_the_one_that_follows_the_link(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    user = acme.user()
    other = another_session(acme, user)
    token = asked(user, letters)

    assert confirm(user, token).status_code == 200

    assert user.get("/users/me").get_json()["email"] == NEW
    assert other.get("/users/me").status_code == 401


def test_every_session_ends_where_the_link_is_followed_by_nobody_who_is_signed_in(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    user = acme.user()
    token = asked(user, letters)

    assert confirm(anonymous, token).status_code == 200

    assert user.get("/users/me").status_code == 401


def test_session_of_somebody_else_is_none_of_its_business(acme: Tenant, letters: Letters) -> None:
    user, stranger = acme.user(), acme.user()
    token = asked(user, letters)

    assert confirm(stranger, token).status_code == 200

    assert user.get("/users/me").status_code == 401
    assert stranger.get("/users/me").status_code == 200


@both_databases
def test_link_works_once(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    token = asked(acme.user(), letters)
    confirm(anonymous, token)

    again = confirm(anonymous, token)

    assert (again.status_code, again.get_json()["error_code"]) == (400, "INVALID_LINK")


@both_databases
def test_later_wish_takes_the_place_of_the_earlier(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()
    first = asked(user, letters, "first@example.com")
    second = asked(user, letters, "second@example.com")

    assert confirm(anonymous, first).status_code == 400
    assert confirm(anonymous, second).status_code == 200

    assert acme.admin.get(f"/users/{user.user_id}").get_json()["email"] == "second@example.com"


@both_databases
def test_address_that_was_taken_meanwhile_is_a_conflict(
    acme: Tenant, globex: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    user = acme.user()
    token = asked(user, letters)
    globex.admin.create("/users", {"email": NEW, "password": PASSWORD})

    answer = confirm(anonymous, token)

    assert answer.status_code == 409
    assert answer.get_json()["errors"] == {"email": ["Already in use."]}
    assert user.get("/users/me").get_json()["email"] == user.email


@both_databases
def test_expired_link_is_refused(acme: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine) -> None:
    token = asked(acme.user(), letters)
    with everything.begin() as connection:
        connection.execute(update(OneTimeLink).values(expires_at=utcnow()))

    assert confirm(anonymous, token).status_code == 400


def test_link_of_somebody_who_was_deactivated_is_refused(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()
    token = asked(user, letters)
    acme.admin.patch(f"/users/{user.user_id}", {"is_active": False})

    assert confirm(anonymous, token).status_code == 400


# What does not survive


def test_change_of_the_password_kills_a_pending_change_of_address(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    user = acme.user()
    token = asked(user, letters)
    change = {"current_password": PASSWORD, "new_password": "another good password"}
    assert user.patch("/users/me/change-password", change).status_code == 200

    assert confirm(anonymous, token).status_code == 400


def test_reset_by_an_administrator_kills_a_pending_change_of_address(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    user = acme.user()
    token = asked(user, letters)
    assert acme.admin.post(f"/users/{user.user_id}/admin-reset-password").status_code == 200

    assert confirm(anonymous, token).status_code == 400


def test_links_and_codes_to_the_former_address_die(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()
    anonymous.post("/auth/verify-email/request", {"email": user.email})
    verification = letters.one(user.email).token
    anonymous.post("/users/password-reset/request", {"email": user.email})
    code = next(line for line in letters.one(user.email).text.splitlines() if line.isdigit())
    confirm(anonymous, asked(user, letters))

    assert anonymous.post("/auth/verify-email", {"token": verification}).status_code == 400
    for email in (user.email, NEW):
        reset = {"email": email, "otp_code": code, "new_password": "another good password"}
        assert anonymous.post("/users/password-reset/confirm", reset).status_code == 400


def test_no_address_waits_readable_in_the_outbox(acme: Tenant) -> None:
    ask(acme.user())

    with acme.app.app_context(), unit_of_work(writes=False):
        waiting = json.dumps([each.payload for each in db.session.scalars(select(Job)).all()])

    assert "address" in waiting
    assert "@" not in waiting
