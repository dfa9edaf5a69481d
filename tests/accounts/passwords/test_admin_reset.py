"""POST /users/{id}/admin-reset-password."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts.passwords.service import DIGITS, LOWER, SYMBOLS, UPPER, temporary_password
from app.users.models import User
from tests.accounts.auth.browser import Browser, execute, now, signed_in, user_row
from tests.accounts.passwords.codes import ago, confirm, given_code
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.mailbox import Mailbox, text_of
from tests.support.marks import both_databases, one_database
from tests.support.roles import CONTROL, user_with
from tests.support.variants import Variant

pytestmark = one_database

NEW = "Tr0ubadour & harmonium"


def path_of(person: ApiClient) -> str:
    return f"/users/{person.user_id}/admin-reset-password"


# Refusals


def test_who_lacks_the_permission_is_refused(acme: Tenant, person: ApiClient) -> None:
    for role in ("manager", "viewer", "customer", None):
        answer = acme.user(role).post(path_of(person))
        assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ACCESS_DENIED")
    assert ApiClient(acme.app).post(path_of(person)).status_code == 401


def test_users_of_another_company_are_not_found(globex: Tenant, person: ApiClient) -> None:
    answers = [globex.admin.post(path) for path in (path_of(person), f"/users/{uuid4()}/admin-reset-password")]

    assert {(each.status_code, each.get_json()["error_code"]) for each in answers} == {(404, "USER_NOT_FOUND")}
    assert person.get("/users/me").status_code == 200


def test_nobody_resets_themselves(acme: Tenant) -> None:
    answer = acme.admin.post(path_of(acme.admin))

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "OWN_ACCOUNT")
    assert acme.admin.get("/users/me").status_code == 200


def test_nobody_takes_over_somebody_above(acme: Tenant) -> None:
    clerk = user_with(acme, "identity:admin_password_reset:UPDATE", CONTROL)

    answer = clerk.post(path_of(acme.admin))

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ROLE_ABOVE_OWN")
    assert acme.admin.get("/users/me").status_code == 200
    assert clerk.post(path_of(acme.user())).status_code == 200


@pytest.mark.parametrize("body", [{"password": "chosen by me"}, {"id": "x"}])
def test_the_password_cannot_be_chosen(acme: Tenant, person: ApiClient, body: dict[str, str]) -> None:
    assert acme.admin.post(path_of(person), body).status_code == 400
    assert person.get("/users/me").status_code == 200


# The reset


def test_the_answer_is_that_of_document_003(acme: Tenant, person: ApiClient) -> None:
    answer = acme.admin.post(path_of(person))

    shown = answer.get_json()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(shown.pop("temporary_password")) == 12
    assert shown == {
        "message": "Password reset successful",
        "password_reset_required": True,
        "note": "User must change password on next login. This is the only time the temporary password will be shown.",
    }


@both_databases
def test_the_temporary_password_signs_in_and_must_be_changed(app: Flask, acme: Tenant, person: ApiClient) -> None:
    browser, before = signed_in(app, person), user_row(app, person)

    temporary = acme.admin.post(path_of(person), {}).get_json()["temporary_password"]

    assert (browser.get("/users/me").status_code, browser.post("/auth/refresh").status_code) == (401, 401)
    assert Browser(app).log_in(person.email).status_code == 401
    again = Browser(app)
    assert again.log_in(person.email, temporary).get_json()["password_reset_required"] is True
    assert again.get("/customers").get_json()["error_code"] == "PASSWORD_CHANGE_REQUIRED"
    change = {"current_password": temporary, "new_password": NEW}
    assert again.patch("/users/me/change-password", change).status_code == 200
    assert again.get("/users/me").get_json()["password_reset_required"] is False
    after = user_row(app, person)
    assert after.row_version == before.row_version + 2
    assert after.last_password_change
    assert now() - after.last_password_change < timedelta(minutes=1)


def test_the_user_is_told_without_the_password(mailbox: Mailbox, acme: Tenant, person: ApiClient) -> None:
    temporary = acme.admin.post(path_of(person)).get_json()["temporary_password"]

    mail = mailbox.one()

    assert mail.get_all("To") == [person.email]
    assert mail["Subject"] == "An administrator reset your password"
    assert text_of(mail).startswith("Hello Ada,")
    assert temporary not in mail.as_string()


def test_whoever_is_inactive_or_invited_stays_so_and_is_not_told(
    mailbox: Mailbox, app: Flask, acme: Tenant, person: ApiClient
) -> None:
    execute(app, acme, update(User).where(User.id == UUID(person.user_id)).values(is_active=False, password_hash=None))

    temporary = acme.admin.post(path_of(person)).get_json()["temporary_password"]

    answer = Browser(app).log_in(person.email, temporary)
    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ACCOUNT_DISABLED")
    assert mailbox.received() == []


def test_temporary_passwords_have_every_kind_of_character_and_differ() -> None:
    made = [temporary_password() for _ in range(500)]

    assert len(set(made)) == len(made)
    for each in made:
        assert len(each) == 12
        assert all(set(each) & set(kind) for kind in (UPPER, LOWER, DIGITS, SYMBOLS))
        assert set(each) <= set(UPPER + LOWER + DIGITS + SYMBOLS)


def test_it_is_another_password_each_time(acme: Tenant, person: ApiClient) -> None:
    made = {acme.admin.post(path_of(person)).get_json()["temporary_password"] for _ in range(3)}

    assert len(made | {PASSWORD}) == 4


# Its end


def age(acme: Tenant, person: ApiClient, **spans: float) -> None:
    """As if the password had been set earlier, and the user had been there before."""
    then = ago(**spans)
    values = {"last_password_change": then, "created_at": then - timedelta(days=1)}
    execute(acme.app, acme, update(User).where(User.id == UUID(person.user_id)).values(**values))


@both_databases
def test_temporary_password_ends_after_72_hours(app: Flask, acme: Tenant, person: ApiClient) -> None:
    temporary = acme.admin.post(path_of(person)).get_json()["temporary_password"]
    age(acme, person, hours=71.9)
    browser = Browser(app)
    assert browser.log_in(person.email, temporary).status_code == 200

    age(acme, person, hours=72)

    late = Browser(app).log_in(person.email, temporary)
    assert (late.status_code, late.get_json()["error_code"]) == (401, "INVALID_CREDENTIALS")
    assert late.get_json()["message"] == Browser(app).log_in(person.email, "wrong password").get_json()["message"]
    assert ApiClient(app).post("/verify_password", {"email": person.email, "password": temporary}).status_code == 403
    change = {"current_password": temporary, "new_password": NEW}
    refused = browser.patch("/users/me/change-password", change)
    assert (refused.status_code, list(refused.get_json()["errors"])) == (400, ["current_password"])


def test_owner_and_administrator_set_another_password_after_its_end(
    app: Flask, acme: Tenant, person: ApiClient
) -> None:
    acme.admin.post(path_of(person))
    age(acme, person, days=4)

    again = acme.admin.post(path_of(person)).get_json()["temporary_password"]
    assert Browser(app).log_in(person.email, again).status_code == 200
    age(acme, person, days=4)
    assert confirm(app, person.email, given_code(person), NEW).status_code == 200

    assert Browser(app).log_in(person.email, NEW).get_json()["password_reset_required"] is False


def test_password_of_ones_own_has_no_end(app: Flask, acme: Tenant, person: ApiClient) -> None:
    age(acme, person, days=4000)

    assert Browser(app).log_in(person.email).status_code == 200


def test_settings_say_when_temporary_passwords_end(variant: Variant, acme: Tenant, person: ApiClient) -> None:
    app = variant(TEMPORARY_PASSWORD_TTL_HOURS="2")
    temporary = acme.admin.post(path_of(person)).get_json()["temporary_password"]
    age(acme, person, hours=1.9)
    assert Browser(app).log_in(person.email, temporary).status_code == 200

    age(acme, person, hours=2)

    assert Browser(app).log_in(person.email, temporary).status_code == 401


def test_mail_says_for_how_long_the_temporary_password_works(mailbox: Mailbox, acme: Tenant, person: ApiClient) -> None:
    acme.admin.post(path_of(person))

    assert "within 72 hours" in text_of(mailbox.one())
