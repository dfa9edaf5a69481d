"""Asking for a code to reset a password: the answer, and the mail."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Flask

from app.accounts.passwords.mails import password_reset
from app.core.jobs.outbox import claim
from app.core.jobs.worker import Worker
from tests.accounts.passwords.codes import REQUEST, ask, code_in
from tests.fakes.smtp import settings, smtp
from tests.support.clients import ApiClient, Tenant
from tests.support.mailbox import Mailbox, html_of, text_of
from tests.support.marks import both_databases, one_database
from tests.support.outbox import entries
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database

SENTENCE = {"message": "If an account with this email exists, a password reset code has been sent."}
WORTHLESS: tuple[Any, ...] = (
    None, True, 7, 1e3, "", " ", "ada", "@", "ada@", "ada@example.com, eve@example.com", "ada@example.com,eve@x.com",
    "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nBcc: eve@example.com", "\x00", "\ud800@example.com",
    '"ada@example.com,eve"@example.com', "Ada <ada@example.com>", ["ada@example.com"], {"a": "ada@example.com"},
    "ada@example.com" + " " * 300, "a" * 10_000 + "@example.com", "{{7*7}}@example.com\n",
)  # fmt: skip


# The answer


def test_whatever_the_object_says_the_answer_is_the_same(app: Flask, person: ApiClient) -> None:
    emails = (*WORTHLESS, "ada@example.com", "nobody@example.com")
    bodies = [{"email": each} for each in emails]
    bodies += [{}, {"mail": "x"}, {"email": "ada@example.com", "more": [1]}, {"": None}]

    answers = [ApiClient(app).post(REQUEST, body) for body in bodies]

    assert [(each.status_code, each.get_json()) for each in answers] == [(200, SENTENCE)] * len(bodies)


@by_row(("data", "kind", "status"), [("[]", "json", 400), ("{", "json", 400), ("a=b", "text", 415)])
def test_what_is_no_object_is_refused(app: Flask, data: str, kind: str, status: int) -> None:
    answer = ApiClient(app).request("POST", REQUEST, data=data, content_type=f"application/{kind}")

    assert answer.status_code == status
    assert entries(app) == []


def test_another_site_cannot_ask(app: Flask) -> None:
    answer = ask(app, "ada@example.com", headers={"Origin": "https://evil.example"})

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "CSRF_REJECTED")
    assert entries(app) == []


@both_databases
def test_each_request_is_one_row_of_one_shape_without_the_address(app: Flask, person: ApiClient) -> None:
    for email in (person.email, "nobody@example.com", ["x"], "not an address"):
        ask(app, email)

    written = entries(app)
    assert len(written) == 4
    assert {(row.kind, row.tenant_id, tuple(row.payload)) for row in written} == {
        ("mail.password_reset", None, ("address_hash", "address"))
    }
    assert "example.com" not in json.dumps([row.payload for row in written])
    assert written[0].payload["address_hash"] != written[1].payload["address_hash"]


@both_databases
def test_an_account_costs_no_statement_more_than_none(app: Flask, person: ApiClient, statements: Any) -> None:
    with statements() as known:
        ask(app, person.email)
    with statements() as unknown:
        ask(app, "nobody@example.com")
    with statements() as worthless:
        ask(app, {"a": 1})

    assert known == unknown == worthless
    assert len(known) == 1


@pytest.fixture
def log(variant: Variant) -> Iterator[tuple[Flask, Callable[[], str]]]:
    before, written = structlog.get_config(), io.BytesIO()
    talkative = variant(LOG_LEVEL="DEBUG")
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(written))
    yield talkative, lambda: written.getvalue().decode()
    structlog.configure(**before)


def test_a_request_is_logged_with_its_origin_and_not_with_the_address(
    person: ApiClient, log: tuple[Flask, Callable[[], str]]
) -> None:
    talkative, written = log

    ask(talkative, person.email, environ_overrides={"REMOTE_ADDR": "203.0.113.9"})

    [line] = [each for each in map(json.loads, written().splitlines()) if each["event"] == "reset_requested"]
    assert line["ip"] == "203.0.113.9"
    assert len(line["address_hash"]) == 12
    assert person.email not in written()


# The mail


def test_the_code_comes_by_mail_to_the_account_alone(mailbox: Mailbox, person: ApiClient) -> None:
    ask(mailbox.app, "  ADA@Example.COM ")

    mail = mailbox.one()

    assert mail.get_all("To") == ["ada@example.com"]
    assert (mail["Cc"], mail["Bcc"]) == (None, None)
    text, html = text_of(mail), html_of(mail)
    assert mail["Subject"] == "Your code to reset your password"
    assert text.startswith("Hello Ada,")
    assert code_in(text) in html
    assert "15 minutes" in text
    assert "Do not share this code" in text


def test_the_mail_speaks_the_language_of_the_user(mailbox: Mailbox, acme: Tenant) -> None:
    ask(mailbox.app, acme.user(language="fr", first_name="Zoé").email)

    mail = mailbox.one()

    assert mail["Subject"] == "Votre code pour réinitialiser votre mot de passe"
    assert text_of(mail).startswith("Bonjour Zoé,")
    assert "15 minutes" in text_of(mail)
    assert 'lang="fr"' in html_of(mail)


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("straße@example.com", "strasse@example.com"),
        ("zoë@example.com", "ZOE\u0308@example.com"),
        ("kelvin@example.com", "\u212aelvin@example.com"),
    ],
)
def test_the_mail_goes_to_the_stored_address_and_not_to_what_was_asked(
    app: Flask, acme: Tenant, stored: str, asked: str
) -> None:
    acme.user(email=stored)

    ask(app, asked)

    with app.app_context():
        job = claim()
        assert job is not None
        mail = password_reset(job)
    assert mail is not None
    assert mail.to == stored


@both_databases
@pytest.mark.parametrize("asked", ["ad\u0131@example.com", "AD\u0130@example.com", "\u0430di@example.com"])
def test_an_address_that_only_looks_alike_is_nobodys(mailbox: Mailbox, acme: Tenant, asked: str) -> None:
    acme.user(email="adi@example.com")

    assert ask(mailbox.app, asked).status_code == 200

    assert mailbox.received() == []


def test_what_is_no_address_leads_to_no_mail(mailbox: Mailbox, person: ApiClient) -> None:
    for email in WORTHLESS:
        ask(mailbox.app, email)

    assert len(entries(mailbox.app)) == len(WORTHLESS)
    assert mailbox.received() == []
    assert entries(mailbox.app) == []


@pytest.mark.parametrize(
    "name",
    ["<b>Ada</b>", "{{ 7777*7777 }}{% raw %}", "Ada\r\nBcc: eve@example.com", "http://evil.example", "Ada\u2028x"],
)
def test_a_name_stays_text(mailbox: Mailbox, acme: Tenant, name: str) -> None:
    person = acme.user(first_name=name)

    ask(mailbox.app, person.email)

    mail = mailbox.one()
    assert mail.get_all("To") == [person.email]
    assert set(mail.keys()) <= {
        "Content-Type", "MIME-Version", "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted",
    }  # fmt: skip
    assert "60481729" not in text_of(mail)
    assert "<b>" not in html_of(mail)
    assert "evil.example" not in text_of(mail)
    assert "Bcc" not in "".join(mail.keys())


def test_over_smtp_there_is_one_recipient(variant: Variant, person: ApiClient) -> None:
    with smtp() as inbox:
        mailbox = Mailbox(variant(**settings(inbox)), None)  # type: ignore[arg-type]
        ask(mailbox.app, "Ada@EXAMPLE.com")
        ask(mailbox.app, "ada@example.com, eve@example.com")
        Worker(mailbox.app).drain()

    assert [each.rcpt_tos for each in inbox.accepted] == [["ada@example.com"]]
