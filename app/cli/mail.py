"""flask mail: the worker as a process of its own, and its failed jobs."""

import signal
import threading
from uuid import UUID

import click
from flask.cli import AppGroup, ScriptInfo, pass_script_info

from app.core.jobs import outbox
from app.core.jobs.worker import Worker

mail = AppGroup("mail", help="The outbox.")


@mail.command("worker")
@pass_script_info
def work(script: ScriptInfo) -> None:
    """Run the jobs of the outbox until a signal (TERM, INT)."""
    worker = Worker(script.load_app())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker.start()
    stop.wait()
    worker.stop()


@mail.command("failed")
def failed() -> None:
    """List failed mails and other jobs: id, kind, time of creation, error. No address is shown."""
    for job in outbox.list_failed():
        click.echo(f"{job.id}  {job.kind}  {job.created_at:%Y-%m-%d %H:%M:%S}  {job.error}")


@mail.command("retry")
@click.argument("ids", nargs=-1, type=click.UUID)
@click.option("--all", "all_of_them", is_flag=True, help="All failed jobs.")
def retry(ids: tuple[UUID, ...], all_of_them: bool) -> None:
    """Try failed jobs again."""
    if bool(ids) == all_of_them:
        raise click.UsageError("Give ids, or --all.")
    job_ids = [job.id for job in outbox.list_failed()] if all_of_them else list(ids)
    click.echo(f"{outbox.retry(job_ids)} of {len(job_ids)} will be tried again.")
