-- Indexes for ?search=, once per database, by a superuser:
--     psql -d identity -f scripts/postgres/search-index.sql
-- Optional: everything works without it, only search reads every row of the company then. Repeat it after a
-- restore or pg_upgrade, which keep the indexes but not the mark on textlike(); repeating does no harm.
-- Needs the extensions of PostgreSQL's contrib (Debian: part of the package postgresql).
--
-- Under row-level security an index may serve only operators whose function is LEAKPROOF, that is, tells
-- nothing of a row by its errors. LIKE is not marked: a pattern that ends in its escape character is an error
-- for some rows only. The service never builds such a pattern.
--
-- company_id comes first (btree_gin), so that a word that is common in other companies costs this one nothing.
-- The short pending list bounds the pause of the one writer in some hundred who has to empty it.
-- To undo: drop the indexes, then ALTER FUNCTION pg_catalog.textlike(text, text) NOT LEAKPROOF.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET maintenance_work_mem = '256MB';

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
ALTER FUNCTION pg_catalog.textlike(text, text) LEAKPROOF;

-- What an interrupted CREATE INDEX CONCURRENTLY left behind.
SELECT format('DROP INDEX CONCURRENTLY %s', indexrelid::regclass)
FROM pg_index
WHERE NOT indisvalid AND indexrelid::regclass::text LIKE 'ix\_%\_text\_trgm'
\gexec

-- What belongs to one customer is searched among that customer's few rows; customer.contacts_text is how all
-- customers are searched by their contacts.
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
