"""Forks worker processes when told to; their jobs append a line to a file, slowly enough to be killed at it."""

import os
import signal
import sys
import time
from datetime import timedelta

from app import create_app
from app.config.environment import load_settings
from app.core.jobs.outbox import Job
from app.core.jobs.worker import Worker


def main(path: str, lease_seconds: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            work(path, timedelta(seconds=float(lease_seconds)))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


def work(path: str, lease: timedelta) -> None:
    app = create_app(load_settings())

    def note(job: Job) -> None:
        time.sleep(0.005)
        with open(path, "a", encoding="ascii") as file:
            file.write(f"{job.id}\n")
            file.flush()
            os.fsync(file.fileno())
        time.sleep(0.005)

    def note_and_die(job: Job) -> None:
        note(job)
        os.kill(os.getpid(), signal.SIGKILL)

    app.extensions["identity"].jobs |= {"test.note": note, "test.die": note_and_die}
    # The tests wait for an empty outbox.
    app.extensions["identity"].recurring.clear()
    Worker(app, lease=lease).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
