"""The mails that tell somebody what happened to their password."""

import pytest

from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.mailbox import Mailbox, html_of, text_of
from tests.support.marks import both_databases, one_database

pytestmark = one_database

NEW = "entirely different"


def change(person: ApiClient) -> None:
    answer = person.patch("/users/me/change-password", {"current_password": PASSWORD, "new_password": NEW})
    assert answer.status_code == 200


def test_a_change_is_told_to_the_address_of_the_account(mailbox: Mailbox, person: ApiClient) -> None:
    change(person)

    mail = mailbox.one()
    assert mail.get_all("To") == [person.email]
    assert mail["Subject"] == "Your password was changed"
    assert NEW not in mail.as_string()


def test_a_change_that_is_refused_tells_nothing(mailbox: Mailbox, person: ApiClient) -> None:
    person.patch("/users/me/change-password", {"current_password": "wrong password", "new_password": NEW})

    assert mailbox.received() == []


@pytest.mark.parametrize(
    ("language", "subject", "greeted"),
    [
        ("en", "An administrator reset your password", "Hello Ada,"),
        ("fr", "Un administrateur a réinitialisé votre mot de passe", "Bonjour Ada,"),
    ],
)
def test_notices_speak_the_language_of_the_user(
    mailbox: Mailbox, acme: Tenant, language: str, subject: str, greeted: str
) -> None:
    person = acme.user(first_name="Ada", language=language)

    acme.admin.post(f"/users/{person.user_id}/admin-reset-password")

    mail = mailbox.one()
    assert mail["Subject"] == subject
    assert text_of(mail).startswith(greeted)
    assert f'lang="{language}"' in html_of(mail)


@pytest.mark.parametrize("name", [None, "", "http://evil.example", "evil.example"])
def test_without_a_usable_name_the_greeting_has_none(mailbox: Mailbox, acme: Tenant, name: str | None) -> None:
    change(acme.user(first_name=name))

    assert text_of(mailbox.one()).startswith("Hello,")


@both_databases
def test_somebody_who_is_gone_by_then_is_told_nothing(mailbox: Mailbox, acme: Tenant) -> None:
    person = acme.user()
    change(person)
    assert acme.admin.delete(f"/users/{person.user_id}").status_code == 204

    assert mailbox.received() == []
