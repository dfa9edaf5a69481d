"""Creates companies of known sizes by SQL as their own tenant, and sessions by the service's own code."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from psycopg import sql
from sqlalchemy import Table, select
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from uuid_utils.compat import uuid7

from app.accounts.auth.sessions import ClientInfo, open_session
from app.accounts.onboarding.service import create_company
from app.base.clock import utcnow
from app.base.text import fold
from app.core.db.models import Model, db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.services import services
from scripts.bench.servers import Postgres

LARGE, SMALL, DEEP = "bench large", "bench small", "bench deep"
LARGE_ROWS = 100_000
# Users and customers, then units. A new company already has one unit and one user.
SIZES = ((LARGE, LARGE_ROWS, 5_000 - 1), (SMALL, 1_000, 50), (DEEP, 10, 10_000 + 1))
UNITS_PER_PARENT = 6
POSITIONS, CALLERS = 500, 20
PASSWORD = "correct horse battery staple"
STEP = timedelta(minutes=1)

# Needles of the search, in the e-mail address of one customer in 33,333, in 100 and in 4.
RARE, MEDIUM, COMMON = "zyxwv", "okonkwo", "northern"
FIRST_NAMES = ("Ada", "Björn", "Chidi", "Désirée", "Emil", "Fatima", "Grace", "Hiroshi", "Inés", "Jürgen")
SURNAMES = ("Abbott", "Bianchi", "Castro", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ito", "Jensen")
TRADES = ("Bakery", "Carpentry", "Design", "Electric", "Foods", "Garages", "Hotels", "Imports", "Joinery", "Kitchens")


@dataclass(frozen=True)
class Tenant:
    """``tokens`` are access tokens of different users."""

    company_id: UUID
    tokens: tuple[str, ...]


def seed(app: Flask, server: Postgres) -> None:
    """Fill the database, unless it is filled already."""
    if is_seeded(server):
        return
    with app.app_context():
        password_hash = services().passwords.hash(PASSWORD)
        for name, rows, units in SIZES:
            _create_company(name)
            _fill(server, name, password_hash, rows, units)
    with server.superuser() as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def is_seeded(server: Postgres) -> bool:
    with server.superuser() as connection:
        return connection.execute("SELECT FROM company WHERE name_key = %s", [DEEP]).rowcount > 0


def find_company(server: Postgres, name: str) -> UUID:
    with server.superuser() as connection:
        row = connection.execute("SELECT id FROM company WHERE name_key = %s", [name]).fetchone()
    assert row is not None
    company_id: UUID = row[0]
    return company_id


def open_tenant(app: Flask, server: Postgres, name: str) -> Tenant:
    company_id = find_company(server, name)
    with app.app_context(), tenant(company_id), unit_of_work():
        users = Model.metadata.tables["user"]
        own = {"unguarded": "the statement names one company"}
        statement = (
            select(users.c.id).where(users.c.company_id == company_id).order_by(users.c.created_at).limit(CALLERS)
        )
        ids = db.session.scalars(statement, execution_options=own).all()
        tokens = tuple(open_session(user_id, ClientInfo("127.0.0.1", "benchmark")).access_token for user_id in ids)
    return Tenant(company_id, tokens)


def _create_company(name: str) -> None:
    administrator = {"email": f"admin@{name.replace(' ', '-')}.example"}
    create_company(uuid7(), {"name": name}, administrator)


def _fill(server: Postgres, name: str, password_hash: str, rows: int, units: int) -> None:
    dice = random.Random(name)
    company_id, domain = find_company(server, name), f"{name.replace(' ', '-')}.example"
    with server.owner() as connection:
        connection.execute("SELECT set_config('app.company_id', %s, true)", [str(company_id)])
        tables = Model.metadata.tables
        org_units = list(_units(units))
        positions = [
            {"id": uuid7(), "title": f"Position {n}", "organization_unit_id": dice.choice(org_units)["id"]}
            for n in range(min(POSITIONS, units))
        ]
        people = [
            {"id": uuid7(), "password_hash": password_hash, "position_id": dice.choice(positions)["id"]}
            | _user(n, domain, dice)
            for n in range(rows - 1)
        ]
        keys = ({"user_id": person["id"], "email_key": fold(person["email"])} for person in people)
        _insert(connection, tables["organization_unit"], company_id, org_units)
        _insert(connection, tables["position"], company_id, positions)
        _insert(connection, tables["user"], company_id, people)
        _insert(connection, tables["login_key"], company_id, keys)
        _insert(connection, tables["customer"], company_id, (_customer(n, domain, dice) for n in range(rows)))


def _user(number: int, domain: str, dice: random.Random) -> dict[str, Any]:
    first, last = dice.choice(FIRST_NAMES), dice.choice(SURNAMES)
    return {
        "email": f"{fold(first)}.{fold(last)}.{number}@{_address(number)}.{domain}",
        "first_name": first,
        "last_name": last,
        "phone_number": f"+57 1 {number:07}",
    }


def _customer(number: int, domain: str, dice: random.Random) -> dict[str, Any]:
    trade, owner = dice.choice(TRADES), dice.choice(SURNAMES)
    return {
        "name": f"{owner} {trade} {number}",
        "email": f"office.{number}@{_address(number)}.{domain}",
        "contact_person": f"{dice.choice(FIRST_NAMES)} {owner}",
        "phone_number": f"+57 4 {number:07}",
        "address": f"Calle {number % 180} No. {number % 97}-{number % 61}",
    }


def _address(number: int) -> str:
    if number % 33_333 == 7:
        return RARE
    if number % 100 == 3:
        return MEDIUM
    return COMMON if number % 4 == 0 else f"mail{number % 50}"


def _units(count: int) -> Iterator[dict[str, Any]]:
    """A tree with six children below every inner unit; 5,000 units have six levels."""
    units: list[dict[str, Any]] = []
    for number in range(count):
        parent = units[(number - 1) // UNITS_PER_PARENT] if number else None
        unit_id = uuid7()
        unit = {
            "id": unit_id,
            "name": f"Unit {number}",
            "parent_id": parent["id"] if parent else None,
            "path": f"{parent['path'] if parent else ''}/{unit_id}",
            "level": parent["level"] + 1 if parent else 0,
        }
        units.append(unit)
        yield unit


def _insert(
    connection: psycopg.Connection[Any], table: Table, company_id: UUID, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Copy into a temporary table first, because row-level security forbids COPY into the table itself."""
    completed = (_complete(table, row, company_id, number) for number, row in enumerate(rows))
    first = next(completed)
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in first)
    names = {"table": sql.Identifier(table.name), "columns": columns}
    connection.execute(
        sql.SQL("CREATE TEMP TABLE incoming AS SELECT {columns} FROM {table} WITH NO DATA").format(**names)
    )
    with connection.cursor().copy(sql.SQL("COPY incoming ({columns}) FROM STDIN").format(**names)) as copy:
        for row in chain([first], completed):
            copy.write_row(tuple(row[name] for name in first))
    connection.execute(sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming").format(**names))
    connection.execute("DROP TABLE incoming")


def _complete(table: Table, row: Mapping[str, Any], company_id: UUID, number: int) -> dict[str, Any]:
    """The row with the values that the models would add."""
    common = {"company_id": company_id, "id": uuid7()} | _times(number)
    values = {name: value for name, value in common.items() if name in table.c} | _defaults(table) | dict(row)
    for column in table.c:
        if names := column.info.get("folds"):
            values[column.name] = "\n".join(fold(values[name]) for name in names if values.get(name))
    return values


SINCE = utcnow() - LARGE_ROWS * STEP


def _times(number: int) -> dict[str, datetime]:
    at = SINCE + number * STEP
    return {"created_at": at, "updated_at": at}


def _defaults(table: Table) -> dict[str, Any]:
    defaults = {column.name: column.default for column in table.c}
    return {name: default.arg for name, default in defaults.items() if isinstance(default, ScalarElementColumnDefault)}


def delete_created(server: Postgres, company: Tenant) -> None:
    """Delete the rows of the create case, so that the database can be reused."""
    with server.owner() as connection:
        connection.execute("SELECT set_config('app.company_id', %s, true)", [str(company.company_id)])
        connection.execute("DELETE FROM customer WHERE email LIKE 'bench.%@new.example'")
    with server.superuser() as connection:
        connection.execute("VACUUM (ANALYZE) customer")
