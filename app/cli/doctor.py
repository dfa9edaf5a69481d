"""flask doctor: rows of the former service that this one would refuse, to be mended before they are moved in."""

import json
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click
from flask.cli import with_appcontext
from sqlalchemy import Engine, MetaData, Table, create_engine, inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.base.text import fold, normalize_email
from app.config.environment import with_driver
from app.config.faults import DATABASES
from app.core.services import services

BATCH = 1000


class Unique(NamedTuple):
    """A column whose values, in the form that this service stores or compares, differ within the scope."""

    table: str
    scope: tuple[str, ...]
    column: str
    form: Callable[[str], str]
    is_shown: bool = True


def trimmed(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


RULES = (
    Unique("organization_unit", ("company_id", "parent_id"), "name", trimmed),
    Unique("company", (), "name", lambda name: fold(trimmed(name))),
    Unique("user", (), "email", lambda email: fold(normalize_email(email)), is_shown=False),
    Unique("user", (), "username", lambda name: fold(trimmed(name)), is_shown=False),
    Unique("customer", ("company_id",), "email", normalize_email, is_shown=False),
)


@click.command("doctor")
@click.argument("url", required=False)
@with_appcontext
def doctor(url: str | None) -> None:
    """List rows of the former service whose names or addresses are not unique here.

    URL is its database (default: DATABASE_URL). Nothing is changed. The exit status is 1 after a finding.
    """
    url = with_driver(url) if url else services().settings.database_url
    if not url.startswith(DATABASES):
        raise click.ClickException("URL must start with sqlite:///, postgresql:// or postgres://.")
    engine = create_engine(url, hide_parameters=True)
    try:
        with Session(engine) as session:
            tables = {rule: table for rule in RULES if (table := _table(engine, rule)) is not None}
            findings = [line for rule, table in tables.items() for line in _findings(session, rule, table)]
    except SQLAlchemyError as error:
        raise click.ClickException(str(getattr(error, "orig", None) or error).strip()) from None
    finally:
        engine.dispose()
    if not tables:
        raise click.ClickException("No table there has the name and the columns of the former service.")
    for line in findings:
        click.echo(line)
    if findings:
        sys.exit(1)
    click.echo("No name or address stands in the way.", err=True)


def _findings(session: Session, rule: Unique, table: Table) -> Iterator[str]:
    """One line for each value that several rows have."""
    rows: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    columns = [table.c[name] for name in ("id", rule.column, *rule.scope)]
    for row in session.execute(select(*columns).order_by(table.c.id)).yield_per(BATCH):
        if row[1]:
            rows[(*row[2:], rule.form(row[1]))].append(row[0])
    for (*scope, value), ids in rows.items():
        if len(ids) > 1:
            places = [f"{name} {place or '(none)'}" for name, place in zip(rule.scope, scope, strict=True)]
            shown = [json.dumps(value, ensure_ascii=False)] if rule.is_shown else []
            yield "  ".join([f"{rule.table}.{rule.column}", *places, *shown, f"rows {', '.join(map(str, ids))}"])


def _table(engine: Engine, rule: Unique) -> Table | None:
    """The table of that name, also in the plural; None without it or one of its columns."""
    for name in (rule.table, f"{rule.table}s"):
        if inspect(engine).has_table(name):
            table = Table(name, MetaData(), autoload_with=engine, resolve_fks=False)
            return table if {"id", rule.column, *rule.scope} <= {*table.c.keys()} else None
    return None
