"""flask demo: example data, and hints for using it."""

from collections.abc import Iterator, Sequence

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import IntegrityError

from app.core.services import services
from app.demo.companies import EXAMPLES
from app.demo.service import ACCOUNTS, ADMIN, CUSTOMERS, PASSWORD, SUBCONTRACTORS, USERS, DemoCompany, fill_companies

TEXT = """\
{companies}

Sign in with the password {password} as one of
{accounts}

In a browser: {url}/docs
With curl:
  curl -c cookies.txt -H 'Content-Type: application/json' {url}/auth/login \\
    -d '{{"email": "{email}", "password": "{password}"}}'
  curl -b cookies.txt '{url}/users?limit=3'"""


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
        message = "A company or user here has a name of the demo data. Use an empty database."
        raise click.ClickException(message) from None
    click.echo(_hints(companies, url))


def _hints(companies: Sequence[DemoCompany], url: str) -> str:
    summaries, accounts = "\n".join(map(_summary, companies)), "\n".join(_accounts())
    email = f"{ADMIN.name}@{EXAMPLES[0].domain}"
    return TEXT.format(companies=summaries, accounts=accounts, email=email, password=PASSWORD, url=url.rstrip("/"))


def _summary(company: DemoCompany) -> str:
    name = f"{company.example.name}{' (the platform company)' if company.is_platform else ''}"
    if not company.is_new:
        return f"{name} is already there."
    example = company.example
    people = f"{USERS} users, {CUSTOMERS} customers, {SUBCONTRACTORS} subcontractors"
    return f"{name}: {example.units} units, {example.positions} positions, {people}."


def _accounts() -> Iterator[str]:
    for account in (ADMIN, *ACCOUNTS.values()):
        addresses = ", ".join(f"{account.name}@{example.domain}" for example in EXAMPLES)
        yield f"  {addresses:<50} may {account.may}"
