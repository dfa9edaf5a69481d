"""flask db: the commands of Flask-Migrate, and the rights of the role that serves."""

import click
from flask.cli import with_appcontext
from flask_migrate.cli import db
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.core.db.engine import CannotGrant, grant_to
from app.core.services import services

__all__ = ["db"]


@db.command("grant")  # type: ignore[untyped-decorator]
@with_appcontext
def grant() -> None:
    """Let the role of DATABASE_URL read and write rows, and nothing else; run as MIGRATION_DATABASE_URL."""
    settings = services().settings
    role = make_url(settings.database_url).username
    if not settings.migration_database_url or not role:
        raise click.ClickException("MIGRATION_DATABASE_URL and the role in DATABASE_URL are required.")
    try:
        grant_to(role)
    except CannotGrant as refusal:
        raise click.ClickException(str(refusal)) from None
    except SQLAlchemyError as error:
        raise click.ClickException(str(getattr(error, "orig", None) or error).strip()) from None
    click.echo(f"{role} may read and write rows.")
