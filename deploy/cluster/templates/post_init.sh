#!/bin/sh
# Patroni runs this once, when the cluster is created. It creates the service's role and database. $$1 is the DSN.
exec ${postgresql_bin}/psql -qX -v ON_ERROR_STOP=1 "$$1" <<SQL
CREATE ROLE tickets LOGIN PASSWORD '${secret_tickets}';
ALTER ROLE tickets SET timezone TO 'UTC';
CREATE DATABASE tickets OWNER tickets;
SQL
