"""Row-level security, triggers and functions of tenant tables, for migrations.

Released migrations call these functions. Never edit one; add another function instead.
"""

from __future__ import annotations

from collections.abc import Callable

Execute = Callable[[str], None]

OWN = "company_id = nullif(current_setting('app.company_id', true), '')::uuid"
OWN_COMPANY = f"{OWN.replace('company_id =', 'id =', 1)} OR current_setting('app.platform', true) = 'on'"


def protect(execute: Execute, dialect: str, table: str, rule: str = OWN) -> None:
    """Enable row-level security by ``rule``, also for the owner of the table (FORCE)."""
    if dialect != "postgresql":
        return
    execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
    execute(f'CREATE POLICY tenant ON "{table}" USING ({rule}) WITH CHECK ({rule})')


POSTGRESQL_FUNCTIONS = (
    # Folds the deltas of one kind into one row. With SKIP LOCKED nobody waits, and two folds take different rows.
    """
    CREATE FUNCTION fold_row_count(tenant uuid, kind text) RETURNS void LANGUAGE sql AS $$
        WITH gone AS (
            DELETE FROM row_count
            WHERE company_id = tenant AND id IN (
                SELECT id FROM row_count WHERE company_id = tenant AND counted = kind
                ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
            )
            RETURNING delta
        )
        INSERT INTO row_count (company_id, counted, delta)
        SELECT tenant, kind, sum(delta) FROM gone HAVING count(*) > 0
    $$
    """,
    # About every 64th statement folds, so that a reader sums some dozens of rows.
    """
    CREATE FUNCTION add_row_count(tenant uuid, kind text, change bigint) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO row_count (company_id, counted, delta) VALUES (tenant, kind, change);
        IF random() < 1.0 / 64 THEN
            PERFORM fold_row_count(tenant, kind);
        END IF;
    END $$
    """,
    """
    CREATE FUNCTION count_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE tenant uuid; n bigint;
    BEGIN
        FOR tenant, n IN SELECT company_id, count(*) FROM new_rows GROUP BY company_id LOOP
            PERFORM add_row_count(tenant, TG_TABLE_NAME, n);
        END LOOP;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION count_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE tenant uuid; n bigint;
    BEGIN
        FOR tenant, n IN SELECT company_id, count(*) FROM old_rows GROUP BY company_id LOOP
            PERFORM add_row_count(tenant, TG_TABLE_NAME, -n);
        END LOOP;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION count_active() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE tenant uuid; n bigint;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            FOR tenant, n IN SELECT company_id, count(*) FROM new_rows WHERE is_active GROUP BY company_id LOOP
                PERFORM add_row_count(tenant, TG_TABLE_NAME || '.active', n);
            END LOOP;
        ELSIF TG_OP = 'DELETE' THEN
            FOR tenant, n IN SELECT company_id, count(*) FROM old_rows WHERE is_active GROUP BY company_id LOOP
                PERFORM add_row_count(tenant, TG_TABLE_NAME || '.active', -n);
            END LOOP;
        ELSE
            FOR tenant, n IN
                SELECT company_id, sum(change) FROM (
                    SELECT company_id, is_active::int AS change FROM new_rows
                    UNION ALL SELECT company_id, -(is_active::int) FROM old_rows
                ) AS changes GROUP BY company_id HAVING sum(change) <> 0
            LOOP
                PERFORM add_row_count(tenant, TG_TABLE_NAME || '.active', n);
            END LOOP;
        END IF;
        RETURN NULL;
    END $$
    """,
    # Reads each company's totals as that company, so that no policy is widened for the platform's list.
    """
    CREATE FUNCTION company_totals(ids uuid[])
    RETURNS TABLE (company_id uuid, counted text, total bigint) LANGUAGE plpgsql AS $$
    DECLARE tenant uuid; before text := coalesce(current_setting('app.company_id', true), '');
    BEGIN
        FOREACH tenant IN ARRAY ids LOOP
            PERFORM set_config('app.company_id', tenant::text, true);
            RETURN QUERY
                SELECT c.company_id, c.counted::text, sum(c.delta)::bigint FROM row_count c
                WHERE c.company_id = tenant AND c.counted IN ('user', 'user.active')
                GROUP BY c.company_id, c.counted;
        END LOOP;
        PERFORM set_config('app.company_id', before, true);
    END $$
    """,
)

DROPPED_FUNCTIONS = (
    "company_totals(uuid[])",
    "count_active()",
    "count_deleted()",
    "count_inserted()",
    "add_row_count(uuid, text, bigint)",
    "fold_row_count(uuid, text)",
)


def create_functions(execute: Execute, dialect: str) -> None:
    if dialect == "postgresql":
        for function in POSTGRESQL_FUNCTIONS:
            execute(function)


def drop_functions(execute: Execute, dialect: str) -> None:
    if dialect == "postgresql":
        for function in DROPPED_FUNCTIONS:
            execute(f"DROP FUNCTION {function}")


def count(execute: Execute, dialect: str, table: str) -> None:
    """Maintain the row count of a table per tenant, for every statement."""
    if dialect == "postgresql":
        _trigger(execute, table, "INSERT", "REFERENCING NEW TABLE AS new_rows", "count_inserted")
        _trigger(execute, table, "DELETE", "REFERENCING OLD TABLE AS old_rows", "count_deleted")
        return
    _sqlite_trigger(execute, table, "INSERT", "NEW", table, "1", "1")
    _sqlite_trigger(execute, table, "DELETE", "OLD", table, "-1", "1")


def count_active_users(execute: Execute, dialect: str) -> None:
    if dialect == "postgresql":
        both = "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
        _trigger(execute, "user", "INSERT", "REFERENCING NEW TABLE AS new_rows", "count_active")
        _trigger(execute, "user", "DELETE", "REFERENCING OLD TABLE AS old_rows", "count_active")
        _trigger(execute, "user", "UPDATE", both, "count_active")
        return
    _sqlite_trigger(execute, "user", "INSERT", "NEW", "user.active", "1", "NEW.is_active")
    _sqlite_trigger(execute, "user", "DELETE", "OLD", "user.active", "-1", "OLD.is_active")
    changed = "NEW.is_active <> OLD.is_active"
    _sqlite_trigger(
        execute, "user", "UPDATE OF is_active", "NEW", "user.active", "NEW.is_active - OLD.is_active", changed
    )


def _trigger(execute: Execute, table: str, when: str, referencing: str, function: str) -> None:
    execute(
        f'CREATE TRIGGER {function}_{when.lower()} AFTER {when} ON "{table}" {referencing}'
        f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )


def _sqlite_trigger(
    execute: Execute, table: str, when: str, row: str, counted: str, change: str, condition: str
) -> None:
    """Maintain one counter row. One is enough, because SQLite has one writer at a time."""
    name = f"count_{counted.replace('.', '_')}_{when.split()[0].lower()}"
    mine = f"company_id = {row}.company_id AND counted = '{counted}'"
    execute(
        f'CREATE TRIGGER {name} AFTER {when} ON "{table}" FOR EACH ROW WHEN {condition} BEGIN'
        f" INSERT INTO row_count (company_id, id, counted, delta)"
        f" SELECT {row}.company_id, (SELECT coalesce(max(id), 0) + 1 FROM row_count), '{counted}', 0"
        f" WHERE NOT EXISTS (SELECT 1 FROM row_count WHERE {mine});"
        f" UPDATE row_count SET delta = delta + ({change}) WHERE {mine};"
        f" END"
    )


# ``<table>.size`` is the sum of the column ``size``. No UPDATE changes that column.
POSTGRESQL_SIZES = """
    CREATE FUNCTION add_sizes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE tenant uuid; n bigint;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            FOR tenant, n IN SELECT company_id, sum(size) FROM new_rows GROUP BY company_id LOOP
                PERFORM add_row_count(tenant, TG_TABLE_NAME || '.size', n);
            END LOOP;
        ELSE
            FOR tenant, n IN SELECT company_id, sum(size) FROM old_rows GROUP BY company_id LOOP
                PERFORM add_row_count(tenant, TG_TABLE_NAME || '.size', -n);
            END LOOP;
        END IF;
        RETURN NULL;
    END $$
"""


def create_sizes(execute: Execute, dialect: str) -> None:
    if dialect == "postgresql":
        execute(POSTGRESQL_SIZES)


def drop_sizes(execute: Execute, dialect: str) -> None:
    if dialect == "postgresql":
        execute("DROP FUNCTION add_sizes()")


def add_sizes(execute: Execute, dialect: str, table: str) -> None:
    """Maintain the total of a table's sizes per tenant, for every INSERT and DELETE."""
    if dialect == "postgresql":
        _trigger(execute, table, "INSERT", "REFERENCING NEW TABLE AS new_rows", "add_sizes")
        _trigger(execute, table, "DELETE", "REFERENCING OLD TABLE AS old_rows", "add_sizes")
        return
    _sqlite_trigger(execute, table, "INSERT", "NEW", f"{table}.size", "NEW.size", "1")
    _sqlite_trigger(execute, table, "DELETE", "OLD", f"{table}.size", "-OLD.size", "1")


# The trigger runs before each statement, so that every change of a role locks the company's row first and two
# changes cannot deadlock. Without a tenant, an operator makes the change, and every company's version rises.
RAISE_POLICY_VERSION = """
    CREATE FUNCTION raise_policy_version() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE company SET policy_version = policy_version + 1
        WHERE id = coalesce(nullif(current_setting('app.company_id', true), '')::uuid, id);
        RETURN NULL;
    END $$
"""


def create_policy_version(execute: Execute, dialect: str) -> None:
    if dialect == "postgresql":
        execute(RAISE_POLICY_VERSION)


def drop_policy_version(execute: Execute, dialect: str) -> None:
    if dialect == "postgresql":
        execute("DROP FUNCTION raise_policy_version()")


def raise_policy_version(execute: Execute, dialect: str, table: str) -> None:
    """Raise the company's ``policy_version`` with every change of the table, in the same transaction."""
    if dialect == "postgresql":
        execute(
            f'CREATE TRIGGER raise_policy_version BEFORE INSERT OR UPDATE OR DELETE ON "{table}"'
            " FOR EACH STATEMENT EXECUTE FUNCTION raise_policy_version()"
        )
        return
    for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        execute(
            f'CREATE TRIGGER {_policy_trigger(table, event)} AFTER {event} ON "{table}" FOR EACH ROW BEGIN'
            f" UPDATE company SET policy_version = policy_version + 1 WHERE id = {row}.company_id; END"
        )


def keep_policy_version(execute: Execute, dialect: str, table: str) -> None:
    """Drop the triggers of ``raise_policy_version``."""
    if dialect == "postgresql":
        execute(f'DROP TRIGGER raise_policy_version ON "{table}"')
        return
    for event in ("INSERT", "UPDATE", "DELETE"):
        execute(f"DROP TRIGGER {_policy_trigger(table, event)}")


def _policy_trigger(table: str, event: str) -> str:
    return f"policy_version_{table}_{event.lower()}"
