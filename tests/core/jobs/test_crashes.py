"""Workers that are killed at any moment, and several at once: nothing is lost, and little is done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Self

from flask import Flask

from app.config.settings import ROOT
from app.core.db.transaction import unit_of_work
from app.core.jobs.outbox import RETRIES, enqueue
from tests.support.databases import ENVIRONMENT
from tests.support.marks import flaky
from tests.support.outbox import entries
from tests.support.waiting import wait_for

pytestmark = flaky

KILLS, JOBS = 30, 240


class Crew:
    """``start`` makes one more worker process and answers its id."""

    def __init__(self, database_url: str, notes: Path, lease_seconds: float) -> None:
        environ = {**os.environ, **ENVIRONMENT, "DATABASE_URL": database_url}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = [sys.executable, "-m", "tests.core.jobs.note_taker", str(notes), str(lease_seconds)]
        self._process = subprocess.Popen(command, cwd=ROOT, env=environ, text=True, bufsize=1, **pipes)  # type: ignore[call-overload]
        self._alive: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for each in list(self._alive):
            self.kill(each)
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self) -> int:
        self._process.stdin.write("start\n")
        self._alive.append(int(self._process.stdout.readline()))
        return self._alive[-1]

    def kill(self, worker: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
        self._alive.remove(worker)


def ask(app: Flask, number: int, kind: str = "test.note") -> list[str]:
    with app.app_context(), unit_of_work():
        return [str(enqueue(kind, {})) for _ in range(number)]


def noted(path: Path) -> Counter[str]:
    return Counter(path.read_text().split()) if path.exists() else Counter()


def test_a_worker_that_is_killed_thirty_times_loses_nothing(app: Flask, database_url: str, tmp_path: Path) -> None:
    notes, wanted, dice = tmp_path / "notes", ask(app, JOBS), random.Random(4)

    with Crew(database_url, notes, lease_seconds=0.5) as crew:
        workers = [crew.start(), crew.start()]
        for kill in range(KILLS):
            time.sleep(dice.uniform(0.0, 0.1))
            crew.kill(workers[kill % 2])
            workers[kill % 2] = crew.start()
        wait_for(lambda: not entries(app), lambda: len(entries(app)))

    found = noted(notes)
    assert set(found) == set(wanted)
    # Twice only what was being settled when its worker died.
    assert found.total() <= JOBS + KILLS


def test_four_workers_do_nothing_twice(app: Flask, database_url: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    with Crew(database_url, notes, lease_seconds=30) as crew:
        for _ in range(4):
            crew.start()
        wanted = ask(app, JOBS)
        wait_for(lambda: not entries(app), lambda: len(entries(app)))

    assert noted(notes) == Counter(wanted)


def test_a_job_that_kills_its_process_is_given_up_after_as_many_attempts_as_any_other(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    notes, [wanted] = tmp_path / "notes", ask(app, 1, "test.die")
    attempts = len(RETRIES) + 1

    with Crew(database_url, notes, lease_seconds=0.1) as crew:
        for attempt in range(1, attempts + 1):
            crew.start()
            wait_for(lambda attempt=attempt: noted(notes).total() == attempt, lambda: noted(notes))  # type: ignore[misc]
        crew.start()
        wait_for(lambda: entries(app)[0].failed_at is not None, lambda: noted(notes))

    [entry] = entries(app)
    assert (noted(notes), entry.error) == ({wanted: attempts}, "AttemptsUsedUp")
