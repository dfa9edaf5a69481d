#!/bin/sh
# Run once by the postgres image on an empty volume: a plain role that owns its database.
# Row-level security does not bind superusers, so the service refuses to start as one.
set -eu

# psql quotes the password itself (:'…'), so that it cannot end the statement.
psql --no-psqlrc --set ON_ERROR_STOP=1 --set password="$IDENTITY_DB_PASSWORD" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE identity LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE identity OWNER identity;
SQL
