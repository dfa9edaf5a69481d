"""flask mail: the worker as a process of its own, and what it gave up."""

from __future__ import annotations

import signal
import threading
from uuid import UUID

import click
from flask import current_app
from flask.cli import AppGroup

from app.core.jobs import outbox
from app.core.jobs.worker import Worker

mail = AppGroup("mail", help="The outbox.")


@mail.command("worker")
def work() -> None:
    """Send what waits in the outbox, until told to stop (TERM, INT)."""
    worker = Worker(current_app._get_current_object())  # type: ignore[attr-defined]
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    worker.start()
    stop.wait()
    worker.stop()


@mail.command("failed")
def failed() -> None:
    """List what was given up, mails and other jobs: id, kind, since when, why. No address is shown."""
    for each in outbox.list_failed():
        click.echo(f"{each.id}  {each.kind}  {each.created_at:%Y-%m-%d %H:%M:%S}  {each.error}")


@mail.command("retry")
@click.argument("ids", nargs=-1, type=click.UUID)
@click.option("--all", "all_of_them", is_flag=True, help="Everything that was given up.")
def retry(ids: tuple[UUID, ...], all_of_them: bool) -> None:
    """Try again what was given up."""
    if bool(ids) == all_of_them:
        raise click.UsageError("Give ids, or --all.")
    chosen = [each.id for each in outbox.list_failed()] if all_of_them else list(ids)
    click.echo(f"{outbox.retry(chosen)} of {len(chosen)} will be tried again.")
