"""flask doctor finds what stands in the way of moving in from the service of document 003."""

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import create_engine, text

from tests.support.databases import OWNER, Postgres, worker
from tests.support.rows import by_row

# A schema of its own, as the former service had it: nothing is unique.
FORMER = """
    CREATE TABLE company (id int PRIMARY KEY, name varchar(100));
    CREATE TABLE organization_unit (id int PRIMARY KEY, company_id int, parent_id int, name varchar(100));
    CREATE TABLE "user" (id int PRIMARY KEY, company_id int, email varchar(100))
"""
UNITS = [
    (1, 1, None, "Sales"), (2, 1, None, "sales"), (3, 2, None, "Sales"), (4, 1, 1, "North"), (5, 1, 2, "North"),
    (6, 1, 1, "South"),
]  # fmt: skip


@pytest.fixture
def former(database: str, postgres: Postgres, tmp_path: Path) -> str:
    """The URL of a database of the former service, with nothing to mend."""
    url = f"sqlite:///{tmp_path}/former.db"
    if database == "postgresql":
        postgres.create(f"former_{worker()}")
        url = postgres.url(f"former_{worker()}", OWNER)
    execute(url, *FORMER.split(";"))
    for row in UNITS:
        add_unit(url, *row)
    return url


def execute(url: str, *statements: str, **values: object) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), values)
    engine.dispose()


def add_unit(url: str, id: int, company_id: int, parent_id: int | None, name: str) -> None:
    values = {"id": id, "company_id": company_id, "parent_id": parent_id, "name": name}
    execute(url, "INSERT INTO organization_unit VALUES (:id, :company_id, :parent_id, :name)", **values)


def doctor(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["doctor", *arguments])


def test_data_that_can_move_in_has_no_finding(app: Flask, former: str) -> None:
    result = doctor(app, former)

    assert (result.exit_code, result.stdout) == (0, "")


def test_names_that_two_siblings_or_two_roots_have_are_listed_with_their_rows(app: Flask, former: str) -> None:
    add_unit(former, 7, 1, None, " Sales ")
    add_unit(former, 8, 1, 1, "South")

    result = doctor(app, former)

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        'organization_unit.name  company_id 1  parent_id (none)  "Sales"  rows 1, 7',
        'organization_unit.name  company_id 1  parent_id 1  "South"  rows 6, 8',
    ]


def test_addresses_that_are_one_mailbox_here_are_listed_without_being_shown(app: Flask, former: str) -> None:
    execute(former, "INSERT INTO \"user\" VALUES (1, 1, 'Ada@Example.net'), (2, 2, 'ada@example.net '), (3, 1, NULL)")

    result = doctor(app, former)

    assert (result.exit_code, result.stdout) == (1, "user.email  rows 1, 2\n")


@by_row(
    ("one", "other", "is_one"),
    [
        ("eva@münchen.example", "eva@xn--mnchen-3ya.example", True),
        ("eva@münchen.example", "eva@muenchen.example", False),
        ("strasse@example.net", "straße@example.net", True),
    ],
)
def test_internationalized_addresses_are_listed_only_where_they_are_one_mailbox_here(
    app: Flask, former: str, one: str, other: str, is_one: bool
) -> None:
    execute(former, 'DELETE FROM "user"')
    execute(former, 'INSERT INTO "user" VALUES (1, 1, :one), (2, 2, :other)', one=one, other=other)

    result = doctor(app, former)

    assert (result.exit_code, result.stdout) == ((1, "user.email  rows 1, 2\n") if is_one else (0, ""))


def test_the_database_of_the_service_itself_is_the_default_and_has_no_finding(app: Flask) -> None:
    assert doctor(app).exit_code == 0


def test_a_database_that_cannot_be_read_is_a_message(app: Flask, tmp_path: Path) -> None:
    for url in (
        f"sqlite:///{tmp_path}/no/such/folder.db",
        f"sqlite:///{tmp_path}/empty.db",
        "nonsense",
        "mysql://u:hunter22@h/d",
    ):
        result = doctor(app, url)

        assert result.exit_code == 1
        assert "Error: " in result.output
        assert "hunter22" not in result.output
        assert "Traceback" not in result.output
