"""flask openapi: the contract file."""

import sys

import click
from flask.cli import with_appcontext

from app.config.settings import ROOT
from app.core.openapi.document import dump_yaml
from app.system.docs import spec


@click.command("openapi")
@with_appcontext
@click.option("--check", is_flag=True, help="Fail when openapi.yml is not what the code declares.")
def openapi(check: bool) -> None:
    """Write openapi.yml."""
    path, text = ROOT / "openapi.yml", dump_yaml(spec())
    if not check:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        click.echo("openapi.yml is not current; run: flask openapi", err=True)
        sys.exit(1)
