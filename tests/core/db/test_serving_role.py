"""The role that serves owns nothing: it reads and writes rows, and cannot switch a policy off."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg import errors, sql

from app import create_app
from app.config.settings import ROOT
from tests.across.faults.service import environment
from tests.support.databases import OWNER, ROLE, TEMPLATE, Postgres, dispose, settings_for, worker
from tests.support.marks import only_postgresql
from tests.support.rows import by_row
from tests.support.variants import PRODUCTION

pytestmark = only_postgresql


@pytest.fixture
def name(postgres: Postgres) -> Iterator[str]:
    """A database of this test's own."""
    name = f"granted_{worker()}"
    postgres.create(name, TEMPLATE)
    yield name
    with postgres.superuser() as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def connect(postgres: Postgres, name: str, role: str) -> psycopg.Connection[Any]:
    return psycopg.connect(postgres.url(name, role), autocommit=True)


def run(command: str, postgres: Postgres, name: str, role: str = ROLE, owner: str = OWNER) -> tuple[int, str]:
    """``flask db …`` with both roles."""
    app = create_app(settings_for(postgres.url(name, role), MIGRATION_DATABASE_URL=postgres.url(name, owner)))
    with app.app_context():
        result = app.test_cli_runner().invoke(args=["db", command])
    dispose(app)
    return result.exit_code, result.output


@by_row(
    "statement",
    [
        "ALTER TABLE customer DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE customer NO FORCE ROW LEVEL SECURITY",
        "ALTER POLICY tenant ON customer USING (true)",
        "DROP POLICY tenant ON customer",
        "CREATE POLICY everything ON customer USING (true)",
        "ALTER TABLE customer OWNER TO CURRENT_USER",
        "TRUNCATE customer CASCADE",
        "DROP TABLE customer",
        "CREATE TABLE public.own (id int)",
        "CREATE TRIGGER own BEFORE INSERT ON customer EXECUTE FUNCTION count_inserted()",
        "CREATE FUNCTION public.own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION add_row_count",
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
        f"SET ROLE {OWNER}",
        "SET session_replication_role = replica",
        f"GRANT {OWNER} TO CURRENT_USER",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
    ],
)
def test_the_serving_role_cannot_switch_a_policy_off(app: Flask, postgres: Postgres, statement: str) -> None:
    with connect(postgres, f"identity_{worker()}", ROLE) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_without_row_security_the_serving_role_sees_nothing_at_all(app: Flask, postgres: Postgres) -> None:
    with connect(postgres, f"identity_{worker()}", ROLE) as connection:
        connection.execute("SET row_security = off")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT count(*) FROM customer")


def test_grant_takes_back_what_the_role_had_before(postgres: Postgres, name: str) -> None:
    with connect(postgres, name, OWNER) as owner:
        owner.execute(
            f"GRANT ALL ON customer, alembic_version TO {ROLE}; GRANT ALL ON SCHEMA public TO {ROLE}".encode()
        )

    assert run("grant", postgres, name) == (0, f"{ROLE} may read and write rows.\n")

    for statement in ("TRUNCATE customer CASCADE", "DELETE FROM alembic_version", "CREATE TABLE own (id int)"):
        with connect(postgres, name, ROLE) as serving, pytest.raises(errors.InsufficientPrivilege):
            serving.execute(statement.encode())


def test_a_table_of_a_later_migration_needs_no_other_grant(postgres: Postgres, name: str) -> None:
    with connect(postgres, name, OWNER) as owner:
        owner.execute("CREATE TABLE later (id serial PRIMARY KEY)")

    with connect(postgres, name, ROLE) as serving:
        serving.execute("INSERT INTO later DEFAULT VALUES; UPDATE later SET id = 7; DELETE FROM later")
        with pytest.raises(errors.InsufficientPrivilege):
            serving.execute("TRUNCATE later")


def test_grant_refuses_the_owner_a_member_of_it_and_a_superuser(postgres: Postgres, name: str) -> None:
    member = f"member_{worker()}"
    with postgres.superuser() as connection:
        connection.execute(f"DROP ROLE IF EXISTS {member}; CREATE ROLE {member} LOGIN IN ROLE {OWNER}".encode())

    answers = [run("grant", postgres, name, role) for role in (OWNER, member, "postgres")]

    with postgres.superuser() as connection:
        connection.execute(f"DROP ROLE {member}".encode())
    assert [code for code, _ in answers] == [1, 1, 1]
    assert [
        output for _, output in answers if "owns the tables, or is a member of the role that does" not in output
    ] == []


def test_grant_by_a_role_that_does_not_own_the_tables_is_refused(postgres: Postgres, name: str) -> None:
    code, output = run("grant", postgres, name, OWNER, ROLE)

    assert (code, output) == (1, "Error: The role of MIGRATION_DATABASE_URL does not own the tables.\n")


def test_grant_before_the_migrations_says_what_comes_first(postgres: Postgres, name: str) -> None:
    postgres.create(name)

    code, output = run("grant", postgres, name)

    assert (code, output) == (1, "Error: The database is not migrated: flask db upgrade comes first.\n")


def test_grant_to_a_role_that_does_not_exist_says_so(postgres: Postgres, name: str) -> None:
    code, output = run("grant", postgres, name, "nobody")

    assert code == 1
    assert 'role "nobody" does not exist' in output
    assert "Traceback" not in output


def test_grant_without_an_owner_says_what_is_missing(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["db", "grant"])

    assert result.exit_code == 1
    assert "MIGRATION_DATABASE_URL" in result.output


def test_migrations_run_as_the_owner(postgres: Postgres, name: str) -> None:
    postgres.create(name)

    assert run("upgrade", postgres, name) == (0, "")

    with connect(postgres, name, OWNER) as owner:
        found = owner.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert found == [(OWNER,)]


READY_TWICE = """
import wsgi
assert [wsgi.app.test_client().get("/health/ready").status_code for _ in range(2)] == [200, 200]
"""


@pytest.mark.parametrize(("role", "warnings"), [(ROLE, 0), (OWNER, 1)])
def test_a_deployment_with_one_role_for_both_is_warned_once(
    postgres: Postgres, name: str, role: str, warnings: int
) -> None:
    settings = environment(**PRODUCTION, DATABASE_URL=postgres.url(name, role))

    found = subprocess.run(
        [sys.executable, "-c", READY_TWICE], cwd=ROOT, env=settings, capture_output=True, text=True, check=True
    )

    assert found.stdout.count("database_role_owns_the_tables") == warnings
