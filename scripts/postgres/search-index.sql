-- Creates the indexes of ?search=. A superuser runs this once per database:
--     psql -d identity -f scripts/postgres/search-index.sql
-- It is optional: without it every search reads all rows of the company. Repeat it after a restore or
-- pg_upgrade, which keep the indexes but lose the mark on textlike(). A repetition does no harm.
-- It needs the extensions of PostgreSQL's contrib (Debian: part of the package postgresql).
--
-- Under row-level security an index serves only operators with a LEAKPROOF function. The errors of such a
-- function reveal nothing about a row. LIKE has no such mark, because a pattern with a trailing escape
-- character fails for some rows only. The service never builds such a pattern.
--
-- company_id comes first (btree_gin), so that a word common in other companies costs this one nothing.
-- About one writer in a hundred empties the pending list; a short list bounds that pause.
-- To undo: drop the indexes, then ALTER FUNCTION pg_catalog.textlike(text, text) NOT LEAKPROOF.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET maintenance_work_mem = '256MB';

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
ALTER FUNCTION pg_catalog.textlike(text, text) LEAKPROOF;

-- An interrupted CREATE INDEX CONCURRENTLY leaves invalid indexes; drop them.
SELECT format('DROP INDEX CONCURRENTLY %s', indexrelid::regclass)
FROM pg_index
WHERE NOT indisvalid AND indexrelid::regclass::text LIKE 'ix\_%\_text\_trgm'
\gexec

-- Tables below one customer need no index, because such a search reads that customer's few rows.
-- customer.contacts_text serves the search of all customers by their contacts.
SELECT format(
    'CREATE INDEX CONCURRENTLY IF NOT EXISTS %I ON %I USING gin (%s%I gin_trgm_ops)'
    ' WITH (gin_pending_list_limit = 256)',
    'ix_' || relname || '_' || searched.attname || '_trgm', relname,
    CASE WHEN tenant.attnum IS NULL THEN '' ELSE 'company_id, ' END, searched.attname
)
FROM pg_class
JOIN pg_attribute AS searched ON searched.attrelid = pg_class.oid AND searched.attname IN ('search_text', 'contacts_text')
LEFT JOIN pg_attribute AS tenant ON tenant.attrelid = pg_class.oid AND tenant.attname = 'company_id'
LEFT JOIN pg_attribute AS owner ON owner.attrelid = pg_class.oid AND owner.attname = 'customer_id'
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND owner.attnum IS NULL
ORDER BY relname, searched.attname
\gexec
