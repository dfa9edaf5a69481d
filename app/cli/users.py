"""flask users: the operator's help for users and administrators."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import click
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts.auth.service import Account, find_account
from app.accounts.passwords.service import set_temporary_password, temporary_password
from app.base.errors import ApiError
from app.base.roles import ADMINISTRATOR
from app.base.text import CANONICAL_UUID, fold, normalize_email
from app.companies.models import Company
from app.core.db.models import db
from app.core.db.transaction import company_transaction, platform_session
from app.core.services import services
from app.users.events import on_user_deactivated
from app.users.models import User
from app.users.schemas import UserSchema
from app.users.service import create_user

users = AppGroup("users", help="Accounts, by the operator of this host.")
PERSON = UserSchema(only=("email", "first_name", "last_name"))
ACCOUNT = click.argument("account", metavar="EMAIL_OR_USERNAME")


@users.command("create-admin")
@click.option("--company", required=True, help="Its id, company_key or name.")
@click.option("--email", required=True)
@click.option("--first-name")
@click.option("--last-name")
@click.option("--own-password", is_flag=True, help="Ask for the password, or read it from standard input.")
def create_admin(company: str, own_password: bool, **options: str | None) -> None:
    """Create an administrator of a company, and print a temporary password unless --own-password is set."""
    company_id = _find_company(company)
    with _report_refusal():
        values = PERSON.checked({name: value for name, value in options.items() if value is not None})
        password = _read_password(values["email"]) if own_password else temporary_password()
        values |= {"password_hash": services().passwords.hash(password), "password_reset_required": not own_password}
        with company_transaction(company_id):
            user_id = create_user(values | {"is_verified": True}).id
            services().tenant_roles.assign_default(user_id, ADMINISTRATOR)
    click.echo(f"Made: {values['email']}, user {user_id} of company {company_id}.")
    if not services().settings.keeps_roles:
        click.echo("The roles are kept in another service: give the role of an administrator there.")
    if not own_password:
        _print_temporary(password)


def _read_password(address: str) -> str:
    """Raises Invalid."""
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    services().passwords.check_acceptable(password, address)
    return password


@users.command("reset-password")
@ACCOUNT
def reset_password(account: str) -> None:
    """Set a temporary password for a user and end their sessions."""
    row, password = _find_account(account), temporary_password()
    password_hash = services().passwords.hash(password)
    with company_transaction(row.company_id):
        set_temporary_password(row.user_id, password_hash)
    if not row.is_active:
        click.echo("The account is not active and stays so.")
    _print_temporary(password)


@users.command("deactivate")
@ACCOUNT
def deactivate(account: str) -> None:
    """Deactivate a user and end their sessions. The last administrator of a company is refused."""
    row = _find_account(account)
    with _report_refusal(), company_transaction(row.company_id):
        services().tenant_roles.check_not_last_administrator(row.user_id)
        db.session.scalars(select(User).where(User.id == row.user_id)).one().is_active = False
        db.session.flush()
        on_user_deactivated.emit(row.user_id)
    click.echo("Deactivated." if row.is_active else "It was not active already; all sessions have ended.")


def _print_temporary(password: str) -> None:
    hours = services().settings.temporary_password_ttl_hours
    click.echo(f"Temporary password, to be changed at the next sign-in within {hours} hours: {password}")


@contextmanager
def _report_refusal() -> Iterator[None]:
    """Turn refusals of the service into errors of the command."""
    try:
        yield
    except ApiError as error:
        reasons = [f"{name}: {' '.join(messages)}" for name, messages in (error.errors or {}).items()]
        raise click.ClickException("; ".join(reasons) or error.detail) from None
    except IntegrityError:
        raise click.ClickException("There is an account with this e-mail address already.") from None


def _find_company(text: str) -> UUID:
    """Raises ClickException unless the text names exactly one."""
    has_name = (Company.name_key == fold(text)) | (Company.company_key == text)
    condition = Company.id == UUID(text) if CANONICAL_UUID.fullmatch(text) else has_name
    with platform_session() as session:
        rows = session.execute(select(Company.id, Company.name).where(condition).order_by(Company.id)).all()
    if not rows:
        raise click.ClickException("There is no such company.")
    if len(rows) > 1:
        raise click.ClickException("\n  ".join(["Give the id; this could be", *(f"{id}  {name}" for id, name in rows)]))
    company_id: UUID = rows[0].id
    return company_id


def _find_account(text: str) -> Account:
    """Raises ClickException unless the text names exactly one."""
    candidates = (find_account("email", normalize_email(text)), find_account("username", text.strip()))
    accounts = {account.user_id: account for account in candidates if account is not None}
    if not accounts:
        raise click.ClickException("There is no such account.")
    if len(accounts) > 1:
        raise click.ClickException("One account has this as e-mail address, another as user name.")
    return next(iter(accounts.values()))
