"""flask commands of the operator."""

from __future__ import annotations

import json
import sys

import click
from flask import Flask
from flask.cli import AppGroup

from app.config import ROOT
from app.core.db import unit_of_work
from app.core.kernel import kernel

guardian = AppGroup("guardian", help="The embedded policy engine.")


@guardian.command("sync")
def sync() -> None:
    """Load this service's permissions into the engine's catalogue."""
    from app.guardian.service import load_catalogue

    if not kernel().settings.embedded_guardian:
        click.echo("The policy engine is not embedded; nothing to do.")
        return
    with unit_of_work():
        load_catalogue(kernel().catalogue)


@guardian.command("catalogue")
def catalogue() -> None:
    """Print every permission as JSON, for loading into an external engine."""
    rows = [
        {"service": each.service, "resource_name": each.resource_name, "operation": each.operation, "platform": each.platform}
        for each in sorted(kernel().catalogue)
    ]
    click.echo(json.dumps(rows, indent=2))


@click.command("openapi")
@click.option("--check", is_flag=True, help="Fail when openapi.yml is not what the code declares.")
def openapi(check: bool) -> None:
    """Write openapi.yml."""
    from app.core.openapi import as_yaml
    from app.system.docs import spec

    path, text = ROOT / "openapi.yml", as_yaml(spec())
    if not check:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        click.echo("openapi.yml is not current; run: flask openapi", err=True)
        sys.exit(1)


def install(app: Flask) -> None:
    app.cli.add_command(guardian)
    app.cli.add_command(openapi)
