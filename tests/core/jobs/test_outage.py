"""The mail server goes away while codes are asked for: nobody notices, and every mail comes later, once."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from app.core.jobs.worker import Worker
from tests.fakes.smtp import Inbox, free_port, settings, smtp
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import flaky, one_database
from tests.support.outbox import entries, make_due
from tests.support.variants import Variant
from tests.support.waiting import wait_for

pytestmark = [one_database, flaky]

ASKED = 50
SOON = (timedelta(seconds=0.2),) * 40


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def sending(variant: Variant, port: int) -> Flask:
    return variant(**settings(Inbox(port=port)))


@pytest.fixture
def worker(sending: Flask) -> Iterator[None]:
    """As a process of the service has it, with less patience."""
    # The tests wait for an empty outbox.
    sending.extensions["identity"].recurring.clear()
    found = Worker(sending, retries=SOON)
    found.start()
    yield
    found.stop()


def test_codes_that_are_asked_for_while_the_mail_server_is_away_all_arrive_once(
    sending: Flask, worker: None, acme: Tenant, port: int
) -> None:
    people = [acme.user().email for _ in range(ASKED)]

    answers = [ApiClient(sending).post("/users/password-reset/request", {"email": each}) for each in people]
    assert {answer.status_code for answer in answers} == {200}
    wait_for(lambda: sum(entry.attempts for entry in entries(sending)) >= ASKED // 5)
    with smtp(port) as inbox:
        wait_for(lambda: not entries(sending), inbox.mails.__len__)

    assert Counter(mail["To"] for mail in inbox.mails) == Counter(people)
    assert len({mail["Message-ID"] for mail in inbox.mails}) == ASKED


@pytest.mark.parametrize("fault", ["421", "550", "drop"])
def test_a_server_that_refuses_gets_the_same_mail_again_with_a_new_code(
    sending: Flask, acme: Tenant, port: int, fault: str
) -> None:
    person = acme.user().email

    with smtp(port) as inbox:
        inbox.fault = fault
        ApiClient(sending).post("/users/password-reset/request", {"email": person})
        Worker(sending).drain()
        make_due(sending)
        inbox.fault = ""
        Worker(sending).drain()

    assert inbox.mails[-1]["To"] == person
    assert len({mail["Message-ID"] for mail in inbox.mails}) == 1
    assert entries(sending) == []
