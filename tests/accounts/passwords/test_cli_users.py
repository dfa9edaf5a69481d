"""flask users: the operator's commands."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from app.users.models import User
from tests.accounts.auth.browser import Browser, execute
from tests.accounts.passwords.codes import ago
from tests.support.clients import PASSWORD, Tenant
from tests.support.mailbox import Mailbox
from tests.support.marks import both_databases, one_database

pytestmark = one_database


def run(app: Flask, *arguments: str, **options: Any) -> tuple[int, str]:
    found = app.test_cli_runner().invoke(args=["users", *arguments], **options)
    return found.exit_code, found.output


def temporary_in(output: str) -> str:
    found = re.search(r"next sign-in within 72 hours: (\S{12})$", output, re.MULTILINE)
    assert found, output
    return found[1]


@pytest.mark.parametrize("named_by", ["id", "name", "key", "NAME"])
def test_an_administrator_is_made_in_a_company(app: Flask, acme: Tenant, globex: Tenant, named_by: str) -> None:
    acme.admin.patch(f"/companies/{globex.company_id}", {"company_key": "GX1"})
    company = {"id": str(globex.company_id), "name": "globex", "key": "GX1", "NAME": "GLOBEX"}[named_by]

    status, output = run(app, "create-admin", "--company", company, "--email", "New@Example.com", "--first-name", "Eve")

    assert status == 0, output
    browser = Browser(app)
    shown = browser.log_in("new@example.com", temporary_in(output)).get_json()
    assert shown["user"]["company_id"] == str(globex.company_id)
    assert (shown["user"]["first_name"], shown["password_reset_required"]) == ("Eve", True)
    browser.patch(
        "/users/me/change-password", {"current_password": temporary_in(output), "new_password": "entirely different"}
    )
    assert browser.get("/users").status_code == 200


@both_databases
def test_temporary_password_of_a_new_administrator_ends_too(app: Flask, acme: Tenant) -> None:
    _, output = run(app, "create-admin", "--company", "acme", "--email", "new@example.com")
    late = update(User).where(User.email == "new@example.com").values(created_at=ago(hours=72))

    execute(app, acme, late)

    assert Browser(app).log_in("new@example.com", temporary_in(output)).status_code == 401


def test_the_password_may_come_from_standard_input(app: Flask, acme: Tenant) -> None:
    arguments = ("create-admin", "--company", "acme", "--email", "new@example.com", "--own-password")

    status, output = run(app, *arguments, input=f"{PASSWORD}\n")

    assert (status, PASSWORD in output) == (0, False)
    assert Browser(app).log_in("new@example.com").get_json()["password_reset_required"] is False


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"--company": "nothing"}, "There is no such company."),
        ({"--company": "00000000-0000-0000-0000-000000000001"}, "There is no such company."),
        ({"--email": "admin@acme.example"}, "There is an account with this e-mail address already."),
        ({"--email": "nonsense"}, "email: Not a valid email address."),
        ({"--first-name": "x" * 51}, "first_name: Longer than maximum length 50."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(
    app: Flask, acme: Tenant, options: dict[str, str], said: str
) -> None:
    given = {"--company": "acme", "--email": "new@example.com"} | options

    status, output = run(app, "create-admin", *(word for pair in given.items() for word in pair))

    assert (status, said in output) == (1, True), output
    assert acme.admin.get("/users").get_json()["pagination"]["total"] == 1


def test_a_weak_password_is_refused(app: Flask, acme: Tenant) -> None:
    arguments = ("create-admin", "--company", "acme", "--email", "new@example.com", "--own-password")

    status, output = run(app, *arguments, input="short\n")

    assert (status, "Must have at least 8 characters." in output) == (1, True)


def test_a_word_that_means_two_companies_is_refused_with_their_ids(app: Flask, acme: Tenant, globex: Tenant) -> None:
    acme.admin.patch(f"/companies/{acme.company_id}", {"company_key": "globex"})

    status, output = run(app, "create-admin", "--company", "globex", "--email", "new@example.com")

    assert status == 1
    assert str(acme.company_id) in output
    assert str(globex.company_id) in output


@both_databases
@pytest.mark.parametrize("by", ["email", "username"])
def test_a_reset_prints_a_temporary_password_and_ends_the_sessions(
    app: Flask, mailbox: Mailbox, globex: Tenant, by: str
) -> None:
    person = globex.user(username="somebody")

    status, output = run(app, "reset-password", person.email if by == "email" else "SomeBody")

    assert status == 0, output
    assert person.get("/users/me").status_code == 401
    answer = Browser(app).log_in(person.email, temporary_in(output))
    assert answer.get_json()["password_reset_required"] is True
    assert mailbox.one().get_all("To") == [person.email]


def test_a_reset_of_somebody_inactive_leaves_them_inactive(app: Flask, acme: Tenant) -> None:
    person = acme.user(is_active=False)

    status, output = run(app, "reset-password", person.email)

    assert (status, "not active" in output) == (0, True)
    assert Browser(app).log_in(person.email, temporary_in(output)).status_code == 403


def test_deactivation_ends_the_sessions(app: Flask, globex: Tenant) -> None:
    person = globex.user()

    assert run(app, "deactivate", person.email) == (0, "Deactivated.\n")

    assert person.get("/users/me").status_code == 401
    assert Browser(app).log_in(person.email).status_code == 403
    assert run(app, "deactivate", person.email)[0] == 0


@both_databases
def test_the_last_administrator_stays(app: Flask, globex: Tenant) -> None:
    status, output = run(app, "deactivate", globex.admin.email)

    assert (status, "without an administrator" in output) == (1, True)
    assert globex.admin.get("/users/me").status_code == 200


@pytest.mark.parametrize("command", ["reset-password", "deactivate"])
def test_an_unknown_account_is_said_to_be_none(app: Flask, acme: Tenant, command: str) -> None:
    assert run(app, command, "nobody@example.com") == (1, "Error: There is no such account.\n")


@both_databases
def test_a_name_that_means_two_accounts_is_refused(app: Flask, acme: Tenant, globex: Tenant) -> None:
    globex.user(username=acme.user(email="same@example.com").email)

    status, output = run(app, "reset-password", "same@example.com")

    assert (status, "another as user name" in output) == (1, True)
