"""flask demo: example data."""

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import IntegrityError

from app.core.services import services
from app.demo.hints import hints
from app.demo.service import fill_companies


@click.command("demo")
@click.option("--url", default="http://127.0.0.1:5000", show_default=True, help="Where the service is, for the hints.")
@with_appcontext
def demo(url: str) -> None:
    """Fill two example companies and print how to sign in; development only."""
    if services().settings.is_deployed:
        raise click.ClickException("The demo data has known passwords: development and testing only.")
    try:
        companies = fill_companies()
    except IntegrityError:
        raise click.ClickException(
            "A company or user here has a name of the demo data. Use an empty database."
        ) from None
    click.echo(hints(companies, url))
