"""flask storage: compare the storage with the database, and list failed removals."""

import sys

import click
from flask.cli import AppGroup

from app.base.errors import ApiError
from app.clients.storage.interface import Unlistable
from app.core.files.check import check_storage
from app.core.jobs import outbox

storage = AppGroup("storage", help="Avatars, logos and documents in storage.")
JOBS = "storage."


@storage.command("check")
@click.option("--repair", is_flag=True, help="Remove orphans, hide missing pictures, try failed removals again.")
def check_all(repair: bool) -> None:
    """List objects without an owner, missing objects, and failed removals.

    The exit status is 1 if there are findings and no repair.
    """
    try:
        count = _check_objects(repair) + _check_removals(repair)
    except ApiError as error:
        raise click.ClickException(error.detail) from None
    if count and not repair:
        sys.exit(1)


def _check_objects(repair: bool) -> int:
    count = 0
    try:
        for line in check_storage(repair=repair):
            click.echo(line)
            count += 1
    except Unlistable as error:
        click.echo(f"{error.detail} Only failed removals are listed.", err=True)
    return count


def _check_removals(repair: bool) -> int:
    failed = outbox.list_failed(JOBS)
    for job in failed:
        click.echo(f"failed    {job.id}  {job.created_at:%Y-%m-%d %H:%M:%S}  {job.error}")
        for file in job.payload["files"]:
            for path, reference in file["objects"].items():
                click.echo(f"  {job.tenant_id}/{file['bucket_type']}/{file['bucket_id']}/{path}  {reference}".rstrip())
    if repair and failed:
        click.echo(f"  {outbox.retry([job.id for job in failed])} will be tried again")
    return len(failed)
