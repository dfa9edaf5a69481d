"""Who gets a code to reset a password, and that two of them are live."""

from datetime import timedelta
from uuid import UUID

from flask import Flask
from sqlalchemy import update

from app.companies.models import Company
from app.core.jobs.outbox import Job
from app.core.jobs.worker import Worker
from app.core.services import services
from app.users.models import User
from tests.accounts.auth.browser import execute
from tests.accounts.passwords.codes import (
    ago,
    another,
    ask,
    code_in,
    confirm,
    given_code,
    live,
    mailed_code,
    pass_time,
    refusal,
    rows,
)
from tests.fakes.smtp import settings, smtp
from tests.support.clients import ApiClient, Tenant
from tests.support.mailbox import Mailbox, text_of
from tests.support.marks import one_database
from tests.support.outbox import change_entries, entries, make_due
from tests.support.variants import Variant


@one_database
def test_nobody_who_cannot_sign_in_gets_a_code(mailbox: Mailbox, acme: Tenant, globex: Tenant) -> None:
    away, invited = acme.user(is_active=False), acme.user(is_active=False)
    execute(mailbox.app, acme, update(User).where(User.id == UUID(invited.user_id)).values(password_hash=None))
    execute(mailbox.app, globex, update(Company).values(status="suspended"))

    for email in (away.email, invited.email, globex.admin.email, "nobody@example.com"):
        ask(mailbox.app, email)

    assert mailbox.received() == []


@one_database
def test_somebody_active_without_a_password_gets_one(mailbox: Mailbox, acme: Tenant, person: ApiClient) -> None:
    execute(mailbox.app, acme, update(User).where(User.id == UUID(person.user_id)).values(password_hash=None))

    code = mailed_code(mailbox, person)

    assert confirm(mailbox.app, person.email, code).status_code == 200


@one_database
def test_a_request_older_than_a_code_lives_is_dropped(mailbox: Mailbox, person: ApiClient) -> None:
    ask(mailbox.app, person.email)
    change_entries(mailbox.app, created_at=ago(minutes=15, seconds=1))

    assert mailbox.received() == []
    assert (rows(person), entries(mailbox.app)) == ([], [])


@one_database
def test_a_request_from_before_a_change_of_the_password_is_dropped(mailbox: Mailbox, person: ApiClient) -> None:
    ask(mailbox.app, person.email)
    answer = person.patch(
        "/users/me/change-password",
        {"current_password": "correct horse battery staple", "new_password": "entirely different"},
    )
    assert answer.status_code == 200

    assert [mail["Subject"] for mail in mailbox.received()] == ["Your password was changed"]
    assert rows(person) == []


def test_the_sixth_code_of_a_day_is_not_made(mailbox: Mailbox, person: ApiClient) -> None:
    for _ in range(6):
        ask(mailbox.app, person.email)

    assert len(mailbox.received()) == 5
    assert len(rows(person)) == 5
    pass_time(person, timedelta(hours=24))
    assert len(mailed_code(mailbox, person)) == 6
    assert len(rows(person)) == 1


# Two live codes


def test_a_new_request_invalidates_all_codes_but_the_latest(mailbox: Mailbox, person: ApiClient) -> None:
    first, *latest = (mailed_code(mailbox, person) for _ in range(3))

    assert len(live(person)) == 2
    refused = another(first) if first in latest else first
    assert refused in latest or refusal(confirm(mailbox.app, person.email, refused))[0] == 400
    assert confirm(mailbox.app, person.email, latest[0]).status_code == 200


def test_an_older_request_that_is_worked_off_later_makes_no_code(mailbox: Mailbox, person: ApiClient) -> None:
    ask(mailbox.app, person.email)
    [older] = entries(mailbox.app)
    change_entries(mailbox.app, due_at=ago(minutes=-10))
    newer = mailed_code(mailbox, person)

    make_due(mailbox.app, Job.id == older.id)

    assert mailbox.received() == []
    assert confirm(mailbox.app, person.email, newer).status_code == 200


def mailed_and_lost(variant: Variant, person: ApiClient) -> tuple[Flask, str]:
    """The code in a mail that the server took without saying so, and the application that sent it."""
    with smtp() as inbox:
        inbox.fault = "drop"
        failing = variant(**settings(inbox))
        ask(failing, person.email)
        Worker(failing).drain()
    [lost] = inbox.mails
    return failing, code_in(text_of(lost))


def test_another_attempt_to_mail_makes_a_new_code_and_counts_once(
    variant: Variant, mailbox: Mailbox, person: ApiClient
) -> None:
    failing, first = mailed_and_lost(variant, person)
    confirm(failing, person.email, another(first))
    make_due(failing)

    second = code_in(text_of(mailbox.one()))

    [row] = rows(person)
    assert row.attempts == 1
    assert first == second or refusal(confirm(failing, person.email, first))[0] == 400
    assert confirm(failing, person.email, second).status_code == 200


@one_database
def test_another_attempt_after_the_code_was_used_makes_none(
    variant: Variant, mailbox: Mailbox, person: ApiClient
) -> None:
    failing, code = mailed_and_lost(variant, person)
    assert confirm(failing, person.email, code).status_code == 200
    make_due(failing)

    assert [mail["Subject"] for mail in mailbox.received()] == ["Your password was changed"]
    assert live(person) == []


@one_database
def test_another_attempt_after_all_guesses_were_made_makes_none(
    variant: Variant, mailbox: Mailbox, person: ApiClient
) -> None:
    failing, code = mailed_and_lost(variant, person)
    for _ in range(3):
        confirm(failing, person.email, another(code))
    make_due(failing)

    assert mailbox.received() == []


@one_database
def test_neither_the_code_nor_its_plain_hash_is_stored(person: ApiClient) -> None:
    code = given_code(person)

    [row] = rows(person)
    assert row.otp_code.startswith("$argon2id$")
    with person.app.app_context():
        assert not services().passwords.verify(row.otp_code, code)
