"""Works off the outbox: a thread of every serving process, or a process of its own."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.base.clock import utcnow
from app.base.errors import ApiError
from app.core.jobs.job import Job
from app.core.jobs.outbox import LEASE, RETRIES, claim, complete_in_transaction, retry_or_fail
from app.core.services import Services, services

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
STOP_SECONDS = 20.0


class Worker:
    """``drain`` on the caller's thread, or ``start`` and ``stop`` a thread that waits for more."""

    def __init__(self, app: Flask, *, retries: tuple[timedelta, ...] = RETRIES, lease: timedelta = LEASE) -> None:
        self._app, self._retries, self._lease = app, retries, lease
        self._kernel: Services = app.extensions["identity"]
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name="outbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends after the job at hand."""
        self._stopping.set()
        self._kernel.wake.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def run(self) -> None:
        while not self._stopping.is_set():
            self._kernel.wake.clear()
            try:
                self.drain()
            except Exception as error:
                # A thread that ended would leave this process without anybody who sends its mails.
                log.warning("outbox_unavailable", reason=type(error).__name__)
            # The jitter keeps the processes of one start from asking together for ever.
            self._kernel.wake.wait(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311

    def drain(self) -> int:
        """Every job that is due now, one after another. Returns how many were tried."""
        tried = 0
        with self._app.app_context():
            try:
                while not self._stopping.is_set() and (job := claim(self._lease)) is not None:
                    self._work(job)
                    tried += 1
            finally:
                services().mailer.close()
        return tried

    def _work(self, job: Job) -> None:
        try:
            self._handler(job)(job)
        except Exception as error:
            self._note(job, error)
            return
        self._settle(job)

    def _settle(self, job: Job) -> None:
        """As long as the lease lasts: a mail that was accepted must not go again because the database paused."""
        while True:
            try:
                return complete_in_transaction(job)
            except SQLAlchemyError:
                if utcnow() + timedelta(seconds=POLL_SECONDS) >= job.leased_until:
                    raise
                time.sleep(POLL_SECONDS)

    def _handler(self, job: Job) -> Callable[[Job], None]:
        """An older process may meet the kind of a newer one, which will come for it."""
        found = self._kernel.jobs.get(job.kind)
        if found is None:
            raise LookupError(f"No handler for {job.kind}.")
        return found

    def _note(self, job: Job, error: Exception) -> None:
        """What is stored and logged names no address: the text of an SMTP refusal repeats the recipient."""
        reason = error.detail if isinstance(error, ApiError) else type(error).__name__
        follows = retry_or_fail(job, reason, self._retries)
        event = "outbox_job_failed" if follows else "outbox_job_given_up"
        log.warning(event, kind=job.kind, job_id=job.id, attempts=job.attempts + 1, reason=reason)


def start_worker(app: Flask) -> Worker | None:
    """None where another process does the work."""
    found: Services = app.extensions["identity"]
    if not found.jobs or found.settings.mail_worker == "external":
        return None
    worker = Worker(app)
    worker.start()
    return worker
