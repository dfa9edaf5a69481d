"""Executes the jobs of the outbox, in a thread of every serving process or in a process of its own."""

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.base.clock import utcnow
from app.core.db.faults import reason_of
from app.core.jobs import recurring
from app.core.jobs.outbox import LEASE, RETRIES, Job, claim, complete_in_transaction, retry_or_fail
from app.core.services import Services, services

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
STOP_SECONDS = 20.0


class AttemptsUsedUp(RuntimeError):
    """The last attempt ended its process, and so recorded no failure."""


class Worker:
    """``drain`` executes the due jobs; ``start`` and ``stop`` control a thread that waits for more."""

    def __init__(self, app: Flask, *, retries: tuple[timedelta, ...] = RETRIES, lease: timedelta = LEASE) -> None:
        self._app, self._retries, self._lease = app, retries, lease
        self._services: Services = app.extensions["identity"]
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name="outbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its current job."""
        self._stopping.set()
        self._services.wake.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def run(self) -> None:
        is_scheduled = False
        while not self._stopping.is_set():
            self._services.wake.clear()
            try:
                if not is_scheduled:
                    self._schedule()
                    is_scheduled = True
                self.drain()
            except Exception as error:
                # Without its thread this process would send no more mails.
                log.warning("outbox_unavailable", reason=reason_of(error))
            # The jitter separates the polls of processes that started together.
            self._services.wake.wait(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311

    def _schedule(self) -> None:
        with self._app.app_context():
            recurring.schedule()

    def drain(self) -> int:
        """Execute the due jobs, one after another. Returns the number of attempts."""
        attempts = 0
        with self._app.app_context():
            try:
                while not self._stopping.is_set() and (job := claim(self._lease)) is not None:
                    self._execute(job)
                    attempts += 1
            finally:
                services().mailer.close()
        return attempts

    def _execute(self, job: Job) -> None:
        try:
            if job.attempts > len(self._retries) + 1:
                raise AttemptsUsedUp()
            self._handler(job)(job)
        except Exception as error:
            self._record_failure(job, error)
        else:
            self._complete(job)

    def _complete(self, job: Job) -> None:
        """Retries until the lease ends: a pause of the database must not send an accepted mail again."""
        lease_end = job.leased_until or utcnow()
        interval = self._services.recurring.get(job.kind)
        while True:
            try:
                return recurring.postpone(job, interval) if interval else complete_in_transaction(job)
            except SQLAlchemyError:
                if utcnow() + timedelta(seconds=POLL_SECONDS) >= lease_end:
                    raise
                time.sleep(POLL_SECONDS)

    def _handler(self, job: Job) -> Callable[[Job], None]:
        """Raises LookupError, in an older process, for the kind of a newer one, which will execute it."""
        handler = self._services.jobs.get(job.kind)
        if handler is None:
            raise LookupError(f"No handler for {job.kind}.")
        return handler

    def _record_failure(self, job: Job, error: Exception) -> None:
        """Stores and logs no text of the error: an SMTP refusal repeats the recipient's address."""
        reason = reason_of(error)
        follows = self._try_later(job, reason)
        event = "outbox_job_failed" if follows else "outbox_job_given_up"
        log.warning(event, kind=job.kind, job_id=job.id, attempts=job.attempts, reason=reason)

    def _try_later(self, job: Job, reason: str) -> bool:
        """False if the job is given up."""
        interval = self._services.recurring.get(job.kind)
        if interval is None:
            return retry_or_fail(job, reason, self._retries)
        recurring.postpone(job, interval, reason)
        return True


def start_worker(app: Flask) -> Worker | None:
    """None where another process executes the jobs."""
    services: Services = app.extensions["identity"]
    if not services.jobs or services.settings.mail_worker == "external":
        return None
    worker = Worker(app)
    worker.start()
    return worker
