"""What is written in the outbox happens, later, at least once, and only if its transaction did."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from app.base.clock import utcnow
from app.base.errors import Unavailable
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.jobs import outbox
from app.core.jobs.outbox import Job, claim, complete_in_transaction, enqueue, retry_or_fail
from app.core.jobs.worker import Worker
from tests.support.clients import Tenant
from tests.support.outbox import entries
from tests.support.waiting import wait_for

SOON = (timedelta(0), timedelta(0))


@pytest.fixture
def done(app: Flask) -> Iterator[list[Job]]:
    """The jobs of kind ``test.note`` that were worked off."""
    found: list[Job] = []
    app.extensions["identity"].jobs["test.note"] = found.append
    with app.app_context():
        yield found
    del app.extensions["identity"].jobs["test.note"]


@pytest.fixture
def failing(app: Flask) -> Iterator[list[Job]]:
    """The jobs of kind ``test.fail``, each of which was refused."""
    found: list[Job] = []

    def refuse(job: Job) -> None:
        found.append(job)
        raise Unavailable("Not now.")

    app.extensions["identity"].jobs["test.fail"] = refuse
    with app.app_context():
        yield found
    del app.extensions["identity"].jobs["test.fail"]


def ask(kind: str = "test.note", **payload: str) -> UUID:
    with unit_of_work():
        return enqueue(kind, payload)


def pass_time(seconds: float) -> None:
    """As if that much had gone by since everything."""
    earlier = timedelta(seconds=seconds)
    with unit_of_work():
        for each in db.session.scalars(select(Job)).all():
            values = {
                "due_at": each.due_at - earlier,
                "leased_until": each.leased_until and each.leased_until - earlier,
            }
            db.session.execute(update(Job).where(Job.id == each.id).values(values))


def test_one_job_is_claimed_whatever_plan_the_database_makes(app: Flask, done: list[Job]) -> None:
    for _ in range(5):
        ask()
    with unit_of_work():
        if db.engine.dialect.name == "postgresql":
            for each in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
                unlikely = text(f"SET LOCAL enable_{each} = off").execution_options(unguarded="a setting")
                db.session.execute(unlikely)
        claimed = db.session.execute(outbox._claim_statement(utcnow(), utcnow() + outbox.LEASE)).all()

    assert len(claimed) == 1


def test_a_job_is_worked_off_once_and_then_gone(app: Flask, done: list[Job]) -> None:
    wanted = ask(word="hello")

    assert Worker(app).drain() == 1
    assert Worker(app).drain() == 0
    assert [(job.id, job.kind, job.payload) for job in done] == [(wanted, "test.note", {"word": "hello"})]
    assert entries(app) == []


def test_a_job_knows_the_tenant_in_whose_transaction_it_was_asked_for(
    app: Flask, acme: Tenant, done: list[Job]
) -> None:
    with tenant(acme.company_id):
        ask()
    ask()

    Worker(app).drain()

    assert [job.tenant_id for job in done] == [acme.company_id, None]


def test_what_is_rolled_back_is_never_done(app: Flask, done: list[Job]) -> None:
    def change_its_mind() -> None:
        with unit_of_work():
            enqueue("test.note", {})
            raise RuntimeError("changed its mind")

    with pytest.raises(RuntimeError, match="changed its mind"):
        change_its_mind()

    assert Worker(app).drain() == 0
    assert done == []


def test_jobs_come_in_the_order_of_their_time_and_not_before_it(app: Flask, done: list[Job]) -> None:
    with unit_of_work():
        enqueue("test.note", {"word": "late"}, delay=timedelta(hours=1))
        enqueue("test.note", {"word": "first"})
        enqueue("test.note", {"word": "second"})

    Worker(app).drain()
    assert [job.payload["word"] for job in done] == ["first", "second"]

    pass_time(3601)
    Worker(app).drain()
    assert [job.payload["word"] for job in done] == ["first", "second", "late"]


def test_a_claimed_job_is_nobody_elses_until_its_lease_runs_out(app: Flask, done: list[Job]) -> None:
    wanted = ask()

    first = claim(timedelta(minutes=1))
    assert first is not None
    assert first.id == wanted
    assert claim() is None

    pass_time(61)
    second = claim()
    assert second is not None
    assert second.id == wanted


def test_whoever_lost_the_lease_can_neither_settle_nor_postpone(app: Flask, done: list[Job]) -> None:
    ask()
    late = claim(timedelta(0))
    holder = claim(timedelta(minutes=1))
    assert late is not None
    assert holder is not None

    complete_in_transaction(late)
    retry_or_fail(late, "too late")

    [entry] = entries(app)
    assert (entry.leased_until, entry.attempts) == (holder.leased_until, 2)
    complete_in_transaction(holder)
    assert entries(app) == []


def test_a_failure_is_tried_again_after_a_second_ten_a_minute_ten_and_an_hour_and_then_given_up(
    app: Flask, failing: list[Job]
) -> None:
    ask("test.fail")

    for seconds in (1, 10, 60, 600, 3600):
        before = utcnow()
        assert Worker(app).drain() == 1
        [entry] = entries(app)
        assert entry.failed_at is None
        assert before <= entry.due_at - timedelta(seconds=seconds) <= utcnow()
        pass_time(seconds)

    assert Worker(app).drain() == 1
    assert len(failing) == 6
    [entry] = entries(app)
    assert entry.failed_at is not None
    assert (entry.attempts, entry.error, entry.leased_until) == (6, "Not now.", None)
    pass_time(100_000)
    assert Worker(app).drain() == 0


def test_a_claim_counts_as_an_attempt_also_if_its_process_ends_without_a_word(app: Flask, done: list[Job]) -> None:
    ask()
    for _ in range(3):
        assert claim(timedelta(0))

    assert Worker(app, retries=SOON).drain() == 1

    [entry] = entries(app)
    assert (done, entry.failed_at is None, entry.error) == ([], False, "AttemptsUsedUp")
    assert outbox.retry([entry.id]) == 1
    assert Worker(app, retries=SOON).drain() == 1
    assert [job.id for job in done] == [entry.id]


def test_what_was_given_up_is_listed_and_begins_anew_when_told_to(app: Flask, failing: list[Job]) -> None:
    ask("test.fail")
    ask("test.fail", other="kind")
    worker = Worker(app, retries=())
    assert worker.drain() == 2

    found = outbox.list_failed()
    assert [each.kind for each in found] == ["test.fail", "test.fail"]
    assert outbox.retry([found[0].id]) == 1
    assert outbox.retry([found[0].id]) == 0

    assert worker.drain() == 1
    assert [job.id for job in failing] == [found[0].id, found[1].id, found[0].id]


def test_one_that_fails_holds_up_nothing_behind_it(app: Flask, done: list[Job], failing: list[Job]) -> None:
    ask("test.fail")
    ask()

    assert Worker(app).drain() == 2
    assert len(done) == 1
    assert len(entries(app)) == 1


def test_the_kind_of_a_newer_process_waits_for_one_that_knows_it(app: Flask, done: list[Job]) -> None:
    ask("test.unknown")

    Worker(app).drain()

    [entry] = entries(app)
    assert entry.error == "LookupError"
    assert entry.failed_at is None


def test_a_failure_that_names_an_address_leaves_none_behind(
    app: Flask, done: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_job: Job) -> None:
        raise OSError("550 no such mailbox ada@example.com")

    app.extensions["identity"].jobs["test.note"] = refuse
    ask()

    Worker(app).drain()

    assert entries(app)[0].error == "OSError"
    assert "ada@example.com" not in "".join(capsys.readouterr())


def test_a_thread_works_as_soon_as_something_is_asked_for_and_ends_with_the_job_at_hand(app: Flask) -> None:
    begun, go_on, finished = threading.Event(), threading.Event(), []

    def slow(job: Job) -> None:
        begun.set()
        go_on.wait(30)
        finished.append(job)

    app.extensions["identity"].jobs["test.note"] = slow
    worker = Worker(app)
    worker.start()
    try:
        with app.app_context():
            ask()
            ask()
        assert begun.wait(30)
        stopping = threading.Thread(target=worker.stop)
        stopping.start()
        wait_for(worker._stopping.is_set)
        go_on.set()
        stopping.join(30)
        assert not stopping.is_alive()
    finally:
        go_on.set()
        worker.stop()
        del app.extensions["identity"].jobs["test.note"]

    with app.app_context():
        assert len(finished) == 1
        assert len(entries(app, Job.kind.startswith("test."))) == 1
