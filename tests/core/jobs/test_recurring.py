"""Jobs that recur are executed for ever, once per interval, whatever happens to them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from app.core.jobs import recurring
from app.core.jobs.outbox import LEASE, Job
from app.core.jobs.worker import Worker
from tests.accounts.auth.browser import now
from tests.support.outbox import change_entries, entries, make_due
from tests.support.waiting import wait_for

KIND = "test.hourly"
HOUR = timedelta(hours=1)


@pytest.fixture
def done(app: Flask) -> Iterator[list[Job]]:
    """The executions of the only recurring job."""
    kernel, found = app.extensions["identity"], list[Job]()
    before, kernel.recurring = kernel.recurring, {KIND: HOUR}
    kernel.jobs[KIND] = found.append
    yield found
    kernel.recurring = before
    del kernel.jobs[KIND]


def schedule(app: Flask) -> None:
    with app.app_context():
        recurring.schedule()


def test_a_job_is_due_at_once_and_then_after_its_interval(app: Flask, done: list[Job]) -> None:
    for _ in range(3):
        schedule(app)

    assert (Worker(app).drain(), Worker(app).drain()) == (1, 0)

    [entry] = entries(app)
    assert timedelta(minutes=59) < entry.due_at - now() <= HOUR
    assert (entry.attempts, entry.leased_until, entry.failed_at) == (0, None, None)
    make_due(app)
    assert Worker(app).drain() == 1
    assert len(done) == 2


def test_a_failure_waits_for_the_next_interval_and_is_never_given_up(app: Flask, done: list[Job]) -> None:
    def fail(_job: Job) -> None:
        raise OSError("no")

    schedule(app)
    app.extensions["identity"].jobs[KIND] = fail

    for _ in range(8):
        assert Worker(app).drain() == 1
        make_due(app)

    [entry] = entries(app)
    assert (entry.error, entry.failed_at, entry.attempts) == ("OSError", None, 0)


def test_a_job_that_ends_its_process_is_tried_again_each_hour(app: Flask, done: list[Job]) -> None:
    schedule(app)
    change_entries(app, attempts=7, leased_until=now() - LEASE)

    Worker(app).drain()

    [entry] = entries(app)
    assert (entry.failed_at, entry.attempts) == (None, 0)
    make_due(app)
    Worker(app).drain()
    assert len(done) == 1


def test_a_job_that_an_older_process_gave_up_starts_again(app: Flask, done: list[Job]) -> None:
    schedule(app)
    change_entries(app, attempts=6, failed_at=now())

    schedule(app)

    assert Worker(app).drain() == 1


def test_a_worker_schedules_what_recurs(app: Flask, done: list[Job]) -> None:
    worker = Worker(app)
    worker.start()
    try:
        wait_for(lambda: bool(done))
    finally:
        worker.stop()

    [entry] = entries(app)
    assert entry.kind == KIND
