"""The operator's flask commands by name; serving processes load none of them."""

from importlib import import_module

import click
from flask.cli import AppGroup

COMMANDS = {
    "customers": "app.customers.splitting",
    "db": "app.cli.database",
    "demo": "app.cli.demo",
    "doctor": "app.cli.doctor",
    "guardian": "app.cli.guardian",
    "mail": "app.cli.mail",
    "openapi": "app.cli.openapi",
    "storage": "app.cli.storage",
    "users": "app.cli.users",
}
"""Each command with its module, which defines it by the same name."""


class LazyGroup(AppGroup):
    """A group that imports the module of a command when the command is called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command
