"""What strangers type can be no more than a name in the mails that others get."""

import pytest
from flask import Flask
from sqlalchemy import Engine, update

from app.companies.models import Company
from app.core.jobs.mail import Mail, plain_name, render
from app.users.models import User
from tests.support.clients import Tenant
from tests.support.everything import everything
from tests.support.letters import Letter, Letters
from tests.support.marks import one_database

pytestmark = one_database

__all__ = ["everything"]
ADDRESS = "wile@example.com"
OWN = (
    "verify_email",
    "already_registered",
    "invitation",
    "confirm_email",
    "email_changed",
    "email_change_requested",
    "address_requested",
)
VALUES = {
    "greeting": " Wile", "link": "https://id.example.com/x#token=y", "hours": 24, "days": 7, "day": "20 November 2026",
    "time": "10:00 UTC", "company": "Initech", "inviter": "Ada",
}  # fmt: skip


def paragraphs(mail: Letter) -> int:
    return len(mail.text.strip().split("\n\n"))


def invitation(company: Tenant, everything: Engine, letters: Letters, name: str) -> Letter:
    """With the name in every place that shows one."""
    with everything.begin() as connection:
        connection.execute(update(Company).values(name=name))
        connection.execute(update(User).values(first_name=name, last_name=name))
    company.admin.create("/users/invitations", {"email": ADDRESS, "first_name": name[:50]})
    return letters.one(ADDRESS)


@pytest.mark.parametrize(
    "name", ["evil.example", "https://evil", "see evil.example/x now", "mail me@evil", "Wile \u202egpj", "a\\evil"]
)
def test_name_that_could_be_taken_for_a_link_is_left_out(
    acme: Tenant, everything: Engine, letters: Letters, name: str
) -> None:
    mail = invitation(acme, everything, letters, name)

    assert "evil" not in mail.text + mail.html
    assert "gpj" not in mail.text + mail.html
    assert "An administrator invited you to the account of a company." in mail.text
    assert mail.html.count("<a ") == 1


def test_name_begins_no_paragraph(acme: Tenant, everything: Engine, letters: Letters) -> None:
    plain = invitation(acme, everything, letters, "Wile")
    [made] = acme.admin.get("/users/invitations").get_json()["data"]
    acme.admin.delete(f"/users/invitations/{made['id']}")

    mail = invitation(acme, everything, letters, "Wile\n\nCall us")

    assert paragraphs(mail) == paragraphs(plain)
    assert "company Wile Call us" in mail.text


@pytest.mark.parametrize("name", ["<b>Wile</b>", "{{ 7777*7777 }}", "{% raw %}", "'\" onclick=x"])
def test_name_is_text_and_nothing_else(acme: Tenant, everything: Engine, letters: Letters, name: str) -> None:
    mail = invitation(acme, everything, letters, name)

    assert "<b>" not in mail.html
    assert 'onclick=x"' not in mail.html
    assert "60481729" not in mail.text
    assert name in mail.text or plain_name(name) == ""


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", OWN)
def test_every_mail_is_worded_in_both_languages(app: Flask, name: str, language: str) -> None:
    with app.app_context():
        mail = render(name, Mail("wile@example.com", language, VALUES), "an-id")
        other = render(name, Mail("wile@example.com", "fr" if language == "en" else "en", VALUES), "an-id")

    assert mail.subject.strip()
    assert "\n" not in mail.subject
    assert mail.subject != other.subject
    assert "{" not in mail.text + mail.subject
    assert f'lang="{language}"' in mail.html
