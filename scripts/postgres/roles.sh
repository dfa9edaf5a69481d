#!/bin/sh
# Creates the database, the role that owns it and migrates it, and the role that serves from it. The postgres image
# runs this once, on an empty volume; running it again changes the passwords, and moves a database that the serving
# role owned to the owner. The service refuses a superuser, because row-level security does not bind one.
set -eu

# psql quotes the passwords (:'…'), so that they cannot end the statement.
psql --no-psqlrc --set ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname postgres \
    --set serving="$IDENTITY_DB_PASSWORD" --set owner="$IDENTITY_OWNER_PASSWORD" <<'SQL'
SELECT 'CREATE ROLE ' || name FROM unnest(ARRAY['identity', 'identity_owner']) AS name
WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec
ALTER ROLE identity LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'serving';
ALTER ROLE identity_owner LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'owner';
SELECT 'CREATE DATABASE identity OWNER identity_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'identity') \gexec
ALTER DATABASE identity OWNER TO identity_owner;
\connect identity
REASSIGN OWNED BY identity TO identity_owner;
SQL
