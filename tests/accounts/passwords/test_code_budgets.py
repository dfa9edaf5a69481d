"""A stranger cannot void or use up the codes of an owner at a network from which the owner signed in."""

from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts.auth.models import AuthSession
from app.accounts.passwords.mails import password_reset
from app.core.jobs.outbox import Job, claim
from app.core.security.encryption import seal
from tests.accounts.auth.browser import Browser, execute, now
from tests.accounts.passwords import codes
from tests.accounts.passwords.codes import NEW, another, code_in, pass_time, rows
from tests.support.clients import ApiClient, Tenant
from tests.support.mailbox import Mailbox, text_of
from tests.support.marks import one_database
from tests.support.outbox import change_entries, entries

HOME, OFFICE, AWAY, ELSEWHERE = "198.51.100.7", "192.0.2.7", "203.0.113.9", "2001:db8:0:1::7"


def at(address: str) -> dict[str, dict[str, str]]:
    return {"environ_overrides": {"REMOTE_ADDR": address}}


def ask(app: Flask, person: ApiClient, address: str, times: int = 1) -> None:
    for _ in range(times):
        assert codes.ask(app, person.email, **at(address)).status_code == 200


def confirm(app: Flask, person: ApiClient, code: str, address: str, new: str = NEW) -> int:
    body = {"email": person.email, "otp_code": code, "new_password": new}
    return ApiClient(app).post(codes.CONFIRM, body, **at(address)).status_code


def mailed(mailbox: Mailbox, person: ApiClient, address: str) -> str:
    ask(mailbox.app, person, address)
    return code_in(text_of(mailbox.one()))


@pytest.fixture
def owner(app: Flask, person: ApiClient) -> ApiClient:
    """Signed in at home and at the office."""
    for address in (HOME, OFFICE):
        assert Browser(app, address=address).log_in(person.email).status_code == 200
    return person


def test_stranger_does_not_void_the_code_of_an_owner_at_home(mailbox: Mailbox, owner: ApiClient) -> None:
    code = mailed(mailbox, owner, HOME)

    ask(mailbox.app, owner, AWAY, 6)
    assert len(mailbox.received()) == 5

    assert confirm(mailbox.app, owner, code, HOME) == 200


def test_stranger_does_not_use_up_the_guesses_of_an_owner_at_home(mailbox: Mailbox, owner: ApiClient) -> None:
    code = mailed(mailbox, owner, HOME)

    assert [confirm(mailbox.app, owner, another(code), AWAY) for _ in range(9)] == [400] * 9
    assert confirm(mailbox.app, owner, code, AWAY) == 400
    assert [row.attempts for row in rows(owner)] == [0]

    assert confirm(mailbox.app, owner, code, HOME) == 200


def test_stranger_does_not_use_up_the_codes_of_an_owner_at_home(mailbox: Mailbox, owner: ApiClient) -> None:
    ask(mailbox.app, owner, AWAY, 6)
    mailbox.received()

    assert confirm(mailbox.app, owner, mailed(mailbox, owner, HOME), HOME) == 200


def test_known_network_is_the_whole_24_or_64(app: Flask, mailbox: Mailbox, owner: ApiClient) -> None:
    Browser(app, address=ELSEWHERE).log_in(owner.email)
    first, second = mailed(mailbox, owner, "198.51.100.200"), mailed(mailbox, owner, "2001:db8:0:1:ffff::1")

    assert confirm(app, owner, first, "198.51.101.7") == 400
    assert confirm(app, owner, first, "198.51.100.3", "velvet canyon trumpet") == 200
    assert confirm(app, owner, second, ELSEWHERE) == 400


def test_each_known_network_has_five_codes_a_day(mailbox: Mailbox, owner: ApiClient) -> None:
    for address in (HOME, OFFICE, AWAY):
        ask(mailbox.app, owner, address, 6)
        assert len(mailbox.received()) == 5

    pass_time(owner, timedelta(days=1))
    assert mailed(mailbox, owner, HOME)


def test_all_other_networks_share_one_budget(mailbox: Mailbox, owner: ApiClient) -> None:
    code = mailed(mailbox, owner, AWAY)
    assert confirm(mailbox.app, owner, another(code), ELSEWHERE) == 400
    assert [row.attempts for row in rows(owner)] == [1]

    ask(mailbox.app, owner, ELSEWHERE, 3)
    ask(mailbox.app, owner, AWAY, 2)

    assert len(mailbox.received()) == 4


def test_fifteen_guesses_a_day_are_all(mailbox: Mailbox, owner: ApiClient) -> None:
    for _ in range(5):
        wrong = another(mailed(mailbox, owner, AWAY))
        assert {confirm(mailbox.app, owner, wrong, AWAY) for _ in range(4)} == {400}
    last = [row.attempts for row in rows(owner)]

    assert confirm(mailbox.app, owner, wrong, AWAY) == 400

    assert last == [row.attempts for row in rows(owner)] == [3] * 5


def test_latest_two_codes_are_valid(mailbox: Mailbox, owner: ApiClient) -> None:
    first, second, third = (mailed(mailbox, owner, HOME) for _ in range(3))

    if first not in (second, third):
        assert confirm(mailbox.app, owner, first, HOME) == 400
    assert confirm(mailbox.app, owner, second, HOME) == 200
    assert confirm(mailbox.app, owner, third, HOME) == 400


def test_each_of_two_codes_has_its_own_guesses(mailbox: Mailbox, owner: ApiClient) -> None:
    first = mailed(mailbox, owner, HOME)
    for _ in range(3):
        confirm(mailbox.app, owner, another(first), HOME)
    second = mailed(mailbox, owner, HOME)

    assert first == second or confirm(mailbox.app, owner, first, HOME) == 400
    assert confirm(mailbox.app, owner, second, HOME) == 200


def test_used_code_kills_those_of_every_network(mailbox: Mailbox, owner: ApiClient) -> None:
    at_home, away = mailed(mailbox, owner, HOME), mailed(mailbox, owner, AWAY)

    assert confirm(mailbox.app, owner, away, AWAY) == 200

    assert confirm(mailbox.app, owner, at_home, HOME) == 400
    assert codes.live(owner) == []


def test_network_of_another_account_or_of_long_ago_is_not_known(
    acme: Tenant, mailbox: Mailbox, owner: ApiClient
) -> None:
    Browser(mailbox.app, address=AWAY).log_in(acme.user().email)
    long_ago = update(AuthSession).where(AuthSession.user_id == UUID(owner.user_id))
    execute(mailbox.app, acme, long_ago.values(last_used_at=now() - timedelta(days=90)))

    ask(mailbox.app, owner, HOME, 3)
    ask(mailbox.app, owner, AWAY, 3)

    assert len(mailbox.received()) == 5


def test_code_stays_in_its_budget_when_its_network_becomes_known_before_the_next_attempt_to_mail_it(
    app: Flask, person: ApiClient
) -> None:
    ask(app, person, AWAY)
    with app.app_context():
        job = claim()
        assert job is not None
        lost = password_reset(job)
        Browser(app, address=AWAY).log_in(person.email)
        assert password_reset(job)

    assert lost
    assert [row.network for row in rows(person)] == [""]


@one_database
@pytest.mark.parametrize(
    ("address", "network"),
    [(AWAY, "203.0.0.0/16"), ("2001:db8:aaaa:bbbb::1", "2001:db8::/32"), ("::ffff:203.0.113.9", "203.0.0.0/16")],
)
def test_mail_names_the_time_and_the_network_of_the_request(
    mailbox: Mailbox, person: ApiClient, address: str, network: str
) -> None:
    ask(mailbox.app, person, address)
    [job] = entries(mailbox.app)

    text = text_of(mailbox.one())

    assert network in text
    assert f"{job.created_at.day} {job.created_at:%B %Y} at {job.created_at:%H:%M} UTC" in text
    assert address not in text


@one_database
def test_request_of_the_former_release_is_mailed_without_a_network(mailbox: Mailbox, person: ApiClient) -> None:
    ask(mailbox.app, person, HOME)
    [job] = entries(mailbox.app)
    with mailbox.app.app_context():
        former = job.payload | {"address": seal("password-reset-address", person.email)}
    change_entries(mailbox.app, Job.id == job.id, payload=former)

    text = text_of(mailbox.one())

    assert "network" not in text
    assert confirm(mailbox.app, person, code_in(text), AWAY) == 200


@one_database
def test_known_and_unknown_accounts_and_networks_take_the_same_steps(
    mailbox: Mailbox, owner: ApiClient, statements: object
) -> None:
    app, sent = mailbox.app, []
    wrong = another(mailed(mailbox, owner, HOME))

    for email, address in ((owner.email, HOME), (owner.email, AWAY), ("nobody@example.com", AWAY)):
        body = {"email": email, "otp_code": wrong, "new_password": NEW}
        with statements() as found:  # type: ignore[operator]
            ApiClient(app).post(codes.CONFIRM, body, **at(address))
        sent.append(len(found))

    assert sent[1] == sent[2]
    assert sent[0] == sent[1] - 1
