"""POST /users/password-reset/confirm."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts.passwords.codes import PasswordResetOtp
from app.companies.models import Company
from app.users.models import User
from tests.accounts.auth.browser import Browser, execute, now, signed_in, user_row
from tests.accounts.auth.external import mint
from tests.accounts.auth.interrupted import Interrupted
from tests.accounts.passwords.codes import (
    CONFIRM,
    NEW,
    REFUSED,
    another,
    confirm,
    given_code,
    live,
    pass_time,
    refusal,
    rows,
)
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.mailbox import Mailbox, text_of
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database

# Refusals


def test_a_wrong_code_is_refused(app: Flask, person: ApiClient) -> None:
    code = given_code(person)

    assert refusal(confirm(app, person.email, another(code))) == REFUSED
    assert Browser(app).log_in(person.email).status_code == 200


@pytest.mark.parametrize("email", ["nobody@example.com", "not an address", "", "ada@example.com, eve@example.com"])
def test_an_unknown_address_gets_the_same_answer(app: Flask, person: ApiClient, email: str) -> None:
    code = given_code(person)

    if email:
        assert refusal(confirm(app, email, code)) == REFUSED
    else:
        assert confirm(app, email, code).status_code == 400


def test_without_a_code_the_answer_is_the_same(app: Flask, person: ApiClient) -> None:
    assert refusal(confirm(app, person.email, "123456")) == REFUSED


@pytest.mark.parametrize(
    "write",
    [
        lambda code: f" {code}",
        lambda code: f"{code}\n",
        lambda code: f"{code[:3]} {code[3:]}",
        lambda code: "".join(chr(ord(digit) + 0xFEE0) for digit in code),
        lambda code: "".join(chr(ord(digit) - ord("0") + 0x0660) for digit in code),
        lambda code: int(code),
        lambda code: [code],
        lambda code: code + code,
        lambda code: "",
        lambda code: None,
    ],
)
def test_only_the_six_digits_are_the_code_and_anything_else_is_no_guess(
    app: Flask, person: ApiClient, write: Any
) -> None:
    code = given_code(person)

    assert confirm(app, person.email, write(code)).status_code == 400

    assert [row.attempts for row in rows(person)] == [0]
    assert confirm(app, person.email, code).status_code == 200


@pytest.mark.parametrize("new", ["short", "ada@example.com", "ADA", "password", "x" * 129, None, 12345678])
def test_a_new_password_that_breaks_a_rule_costs_no_guess(app: Flask, person: ApiClient, new: Any) -> None:
    code = given_code(person)

    answer = confirm(app, person.email, code, new)

    assert answer.status_code == 400
    assert set(answer.get_json()["errors"]) == {"new_password"}
    assert [row.attempts for row in rows(person)] == [0]


@by_row("missing", ["email", "otp_code", "new_password"])
def test_a_body_without_a_field_is_refused(app: Flask, missing: str) -> None:
    body = {"email": "ada@example.com", "otp_code": "123456", "new_password": NEW}
    del body[missing]

    assert set(ApiClient(app).post(CONFIRM, body).get_json()["errors"]) == {missing}


def test_another_site_cannot_confirm(app: Flask, person: ApiClient) -> None:
    body = {"email": person.email, "otp_code": given_code(person), "new_password": NEW}

    answer = ApiClient(app).post(CONFIRM, body, headers={"Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "CSRF_REJECTED")
    assert [row.attempts for row in rows(person)] == [0]


@both_databases
def test_the_right_code_is_refused_after_three_wrong_ones(app: Flask, person: ApiClient) -> None:
    code = given_code(person)
    for _ in range(3):
        confirm(app, person.email, another(code))

    assert refusal(confirm(app, person.email, code)) == REFUSED
    assert [row.attempts for row in rows(person)] == [3]


@both_databases
def test_the_third_guess_is_still_one(app: Flask, person: ApiClient) -> None:
    code = given_code(person)
    for _ in range(2):
        confirm(app, person.email, another(code))

    assert confirm(app, person.email, code).status_code == 200


def test_the_number_of_guesses_is_a_setting(variant: Variant, person: ApiClient) -> None:
    strict, code = variant(PASSWORD_RESET_OTP_MAX_ATTEMPTS="1"), given_code(person)
    confirm(strict, person.email, another(code))

    assert refusal(confirm(strict, person.email, code)) == REFUSED


@both_databases
def test_a_guess_is_counted_although_the_comparison_never_ends(variant: Variant, person: ApiClient) -> None:
    code, broken = given_code(person), variant()

    def crash() -> None:
        raise RuntimeError("The process ends here.")

    broken.extensions["identity"].passwords = Interrupted(crash)

    assert confirm(broken, person.email, code, may_crash=True).status_code == 500
    assert [row.attempts for row in rows(person)] == [1]


@both_databases
def test_a_code_works_once(app: Flask, person: ApiClient) -> None:
    code = given_code(person)
    assert confirm(app, person.email, code).status_code == 200

    assert refusal(confirm(app, person.email, code, "something else again")) == REFUSED
    assert Browser(app).log_in(person.email, NEW).status_code == 200


@both_databases
def test_of_two_at_once_the_later_one_is_refused(variant: Variant, app: Flask, person: ApiClient) -> None:
    code, slow = given_code(person), variant()
    slow.extensions["identity"].passwords = Interrupted(lambda: _used(app, person, code))

    assert refusal(confirm(slow, person.email, code, "the later password")) == REFUSED
    assert Browser(app).log_in(person.email, NEW).status_code == 200


def _used(app: Flask, person: ApiClient, code: str) -> None:
    assert confirm(app, person.email, code).status_code == 200


@both_databases
def test_a_code_that_is_replaced_while_it_is_compared_is_refused(variant: Variant, person: ApiClient) -> None:
    code, slow = given_code(person), variant()
    slow.extensions["identity"].passwords = Interrupted(lambda: _replaced(person))

    assert refusal(confirm(slow, person.email, code)) == REFUSED


def _replaced(person: ApiClient) -> None:
    [row] = rows(person)
    given_code(person, instead_of=row)


@both_databases
def test_an_expired_code_is_refused(app: Flask, person: ApiClient) -> None:
    code = given_code(person)
    pass_time(person, timedelta(minutes=15))

    assert refusal(confirm(app, person.email, code)) == REFUSED


def test_a_code_of_another_account_is_refused(app: Flask, acme: Tenant, person: ApiClient) -> None:
    other = acme.user()
    code, _own = given_code(other), given_code(person)

    assert refusal(confirm(app, person.email, code)) == REFUSED
    assert confirm(app, other.email, code).status_code == 200


def test_a_row_copied_to_another_account_does_not_work_there(app: Flask, acme: Tenant, person: ApiClient) -> None:
    other, code = acme.user(), given_code(person)
    execute(app, acme, update(PasswordResetOtp).values(user_id=UUID(other.user_id)))

    assert refusal(confirm(app, other.email, code)) == REFUSED


def test_a_changed_password_ends_the_code(app: Flask, person: ApiClient) -> None:
    code = given_code(person)
    change = {"current_password": PASSWORD, "new_password": "entirely different"}
    assert person.patch("/users/me/change-password", change).status_code == 200

    assert refusal(confirm(app, person.email, code)) == REFUSED


def test_a_reset_by_an_administrator_ends_the_code(app: Flask, acme: Tenant, person: ApiClient) -> None:
    code = given_code(person)
    assert acme.admin.post(f"/users/{person.user_id}/admin-reset-password").status_code == 200

    assert refusal(confirm(app, person.email, code)) == REFUSED


def test_nobody_deactivated_meanwhile_gets_in(app: Flask, acme: Tenant, person: ApiClient) -> None:
    code = given_code(person)
    assert acme.admin.patch(f"/users/{person.user_id}", {"is_active": False}).status_code == 200

    assert refusal(confirm(app, person.email, code)) == REFUSED
    assert user_row(app, person).is_active is False


def test_nobody_of_a_suspended_company_gets_in(app: Flask, globex: Tenant) -> None:
    person = globex.user()
    code = given_code(person)
    execute(app, globex, update(Company).values(status="suspended"))

    assert refusal(confirm(app, person.email, code)) == REFUSED


@both_databases
def test_an_account_that_is_deactivated_during_the_comparison_stays_as_it_is(
    variant: Variant, app: Flask, acme: Tenant, person: ApiClient
) -> None:
    code, slow = given_code(person), variant()
    leave = update(User).where(User.id == UUID(person.user_id)).values(is_active=False)
    slow.extensions["identity"].passwords = Interrupted(lambda: execute(app, acme, leave))
    before = user_row(app, person).password_hash

    assert refusal(confirm(slow, person.email, code)) == REFUSED
    assert user_row(app, person).password_hash == before
    assert [row.used_at for row in rows(person)] == [None]


@both_databases
def test_an_unknown_address_writes_as_much_as_a_guess(app: Flask, person: ApiClient, statements: Any) -> None:
    def written(sent: list[str]) -> list[str]:
        return [each.split()[0] for each in sent if not each.startswith("SELECT")]

    code = given_code(person)
    with statements() as guessed:
        confirm(app, person.email, another(code))
    with statements() as unknown:
        confirm(app, "nobody@example.com", "123456")

    assert written(guessed) == ["UPDATE"]
    assert written(unknown) == ["UPDATE", "INSERT"]
    assert [each for each in guessed if each.startswith("SELECT")] == [
        each for each in unknown if each.startswith("SELECT")
    ]


# The reset


@both_databases
def test_a_right_code_sets_the_password_and_ends_every_session(app: Flask, acme: Tenant, person: ApiClient) -> None:
    browser, stranger = signed_in(app, person), acme.user()
    execute(app, acme, update(User).where(User.id == UUID(person.user_id)).values(password_reset_required=True))
    before, code = user_row(app, person), given_code(person)

    answer = confirm(app, person.email.upper(), code)

    assert (answer.status_code, answer.get_json()) == (200, {"message": "Password reset successful"})
    assert "Set-Cookie" not in answer.headers
    after = user_row(app, person)
    assert after.row_version == before.row_version + 1
    assert (after.password_reset_required, after.is_verified) == (False, before.is_verified)
    assert after.last_password_change
    assert timedelta(0) <= now() - after.last_password_change < timedelta(minutes=1)
    assert (browser.get("/users/me").status_code, browser.post("/auth/refresh").status_code) == (401, 401)
    assert person.get("/users/me").status_code == 401
    assert stranger.get("/users/me").status_code == 200
    assert Browser(app).log_in(person.email).status_code == 401
    assert Browser(app).log_in(person.email, NEW).status_code == 200


def test_a_token_of_an_external_service_ends_too(app: Flask, person: ApiClient) -> None:
    external = ApiClient(app, mint(person, iat=now() - timedelta(seconds=5)))
    assert external.get("/users/me").status_code == 200

    confirm(app, person.email, given_code(person))

    assert external.get("/users/me").status_code == 401


def test_the_owner_is_told_by_mail(mailbox: Mailbox, person: ApiClient) -> None:
    confirm(mailbox.app, person.email, given_code(person))

    mail = mailbox.one()
    assert mail.get_all("To") == [person.email]
    assert mail["Subject"] == "Your password was changed"
    assert NEW not in mail.as_string()
    assert f"on {now().day} {now():%B %Y} at " in text_of(mail)


def test_no_code_is_left_alive(app: Flask, person: ApiClient) -> None:
    confirm(app, person.email, given_code(person))

    assert live(person) == []
