"""The migrated databases: keys, indexes, references and row-level security."""

import pytest
from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.engine import Inspector

from app.core.db.models import db
from app.core.db.tenancy import GLOBAL_TABLES, PLATFORM_TABLES
from tests.support.databases import ROLE, Postgres, worker
from tests.support.marks import only_postgresql


@pytest.fixture
def inspector(app: Flask) -> Inspector:
    with app.app_context():
        return inspect(db.engine)


def tenant_tables(inspector: Inspector) -> list[str]:
    """Those that carry a company_id in the database, whatever the models say."""
    found = [
        table
        for table in inspector.get_table_names()
        if "company_id" in {column["name"] for column in inspector.get_columns(table)}
    ]
    return [table for table in found if table not in GLOBAL_TABLES]


def test_the_keys_to_sign_in_are_the_only_table_of_all_tenants() -> None:
    assert sorted(GLOBAL_TABLES) == ["login_key"]


def test_keys_of_tenant_tables_begin_with_the_tenant(inspector: Inspector) -> None:
    wrong = []

    for table in tenant_tables(inspector):
        keys = [inspector.get_pk_constraint(table)["constrained_columns"]]
        keys += [each["column_names"] for each in inspector.get_unique_constraints(table)]
        keys += [each["column_names"] for each in inspector.get_indexes(table) if each["unique"]]
        wrong += [f"{table}: {key}" for key in keys if key[0] != "company_id"]

    assert wrong == []


def test_every_index_of_a_tenant_table_begins_with_the_tenant(inspector: Inspector) -> None:
    indexes = {
        f"{table}: {each['name']}": each["column_names"]
        for table in tenant_tables(inspector)
        for each in inspector.get_indexes(table)
    }

    assert {name for name, columns in indexes.items() if columns[0] != "company_id"} == set()


def test_references_stay_within_the_tenant_and_do_nothing_by_themselves(inspector: Inspector) -> None:
    tables = tenant_tables(inspector)
    wrong = []

    for table in (*tables, *GLOBAL_TABLES):
        for key in inspector.get_foreign_keys(table):
            within = key["referred_table"] in tables
            composite = (key["constrained_columns"][0], key["referred_columns"][0]) == ("company_id", "company_id")
            if key["options"].get("ondelete") or key["options"].get("onupdate") or (within and not composite):
                wrong.append(f"{table}: {key['constrained_columns']}")

    assert wrong == []


POLICIES = text(
    "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polname, p.polcmd::text, p.polpermissive,"
    " pg_get_expr(p.polqual, c.oid) AS visible, pg_get_expr(p.polwithcheck, c.oid) AS writable"
    " FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
)
OWN_ROWS = "(company_id = (NULLIF(current_setting('app.company_id'::text, true), ''::text))::uuid)"
OWN_COMPANY = (
    "((id = (NULLIF(current_setting('app.company_id'::text, true), ''::text))::uuid)"
    " OR (current_setting('app.platform'::text, true) = 'on'::text))"
)


@only_postgresql
def test_every_tenant_table_has_forced_row_level_security_for_reading_and_writing(inspector: Inspector) -> None:
    protected = {*tenant_tables(inspector), *PLATFORM_TABLES}
    with inspector.engine.connect() as connection:
        policies = connection.execute(POLICIES).all()

    assert {each.relname for each in policies if each.polname} == protected
    for policy in policies:
        if policy.relname in protected:
            rule = OWN_COMPANY if policy.relname in PLATFORM_TABLES else OWN_ROWS
            assert policy[1:] == (True, True, "tenant", "*", True, rule, rule), policy.relname


@only_postgresql
def test_the_role_of_these_tests_is_one_that_row_level_security_holds_for(app: Flask, postgres: Postgres) -> None:
    asked = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s"

    with postgres.superuser(f"identity_{worker()}") as connection:
        assert connection.execute(asked, (ROLE,)).fetchone() == (False, False)
