"""flask guardian: the embedded policy engine and its catalogue of permissions."""

import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

import click
from flask.cli import AppGroup

from app import create_guardian
from app.base.errors import Invalid
from app.config.settings import ROOT
from app.core.db.transaction import unit_of_work
from app.core.services import services
from app.guardian.catalogue_files import FORMATS, as_cerbos, read_catalogue
from app.guardian.service import load_catalogue

guardian = AppGroup("guardian", help="The embedded policy engine.")


@guardian.command("sync")
def sync() -> None:
    """Load this service's permissions into the engine's catalogue."""
    if not services().settings.keeps_roles:
        click.echo("The roles are kept in another service; nothing to do.")
        return
    with unit_of_work():
        load_catalogue(services().catalogue)


@guardian.command("catalogue")
@click.option("--format", "form", type=click.Choice(("json", "guardian", "cerbos")), default="json", show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="With cerbos: a directory for its files."
)
def catalogue(form: str, output: Path | None) -> None:
    """Print every permission, for loading into an external engine."""
    if output is None:
        click.echo(FORMATS[form](), nl=False)
        return
    if form != "cerbos":
        raise click.UsageError("--output is for --format cerbos.")
    output.mkdir(parents=True, exist_ok=True)
    for name, text in as_cerbos().items():
        (output / name).write_text(text, encoding="utf-8")


@guardian.command("import")
@click.argument("file", type=click.File("rb"))
def import_catalogue(file: BinaryIO) -> None:
    """Add another service's permissions to the engine's catalogue.

    FILE is a JSON list of objects with service, resource_name, operation and perhaps description.
    """
    if not services().settings.keeps_roles:
        raise click.ClickException("The roles are kept in another service; import there.")
    try:
        permissions = read_catalogue(file.read())
    except Invalid as error:
        raise click.ClickException(f"{error.detail} {json.dumps(error.errors) if error.errors else ''}") from None
    with unit_of_work():
        load_catalogue(permissions)
    names = sorted({permission.service for permission in permissions})
    click.echo(f"Permissions: {len(permissions)}, of {', '.join(names) or 'no service'}.")


@guardian.command("serve")
@click.option("--bind", default="127.0.0.1:5001", show_default=True, help="Address, or unix:PATH.")
@click.argument("options", nargs=-1)
def serve(bind: str, options: tuple[str, ...]) -> None:
    """Serve the engine alone, for other services: gunicorn guardian_wsgi:app.

    It needs this service's database and keys; OPTIONS after -- go to gunicorn.
    """
    engine = create_guardian()
    with engine.app_context(), unit_of_work():
        load_catalogue(services().catalogue)
    os.chdir(ROOT)
    command = [sys.executable, "-m", "gunicorn", "--bind", bind, *options, "guardian_wsgi:app"]
    os.execv(sys.executable, command)  # noqa: S606
