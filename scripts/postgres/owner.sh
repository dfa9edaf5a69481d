#!/bin/sh
# Creates a plain role that owns its database. The postgres image runs this once, on an empty volume.
# The service refuses to start as a superuser, because row-level security does not bind superusers.
set -eu

# psql quotes the password (:'…'), so that it cannot end the statement.
psql --no-psqlrc --set ON_ERROR_STOP=1 --set password="$IDENTITY_DB_PASSWORD" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE identity LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE identity OWNER identity;
SQL
