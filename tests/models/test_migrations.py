"""Migrations that run while the version before them serves."""

import re
import warnings
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_zero_downtime_migrations.backends.postgres.schema import UnsafeOperationWarning

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time anyway"),
]

# Statements that lock a table only for a moment, or not against reads and writes. A column with a constant default
# is no work, whatever the number of rows (PostgreSQL documentation, ALTER TABLE, notes). A numeric type with more
# digits rewrites nothing, but the table is read once if a constraint checks the column.
HARMLESS = [
    r"(SET|RESET) .*",
    r"CREATE TABLE .*",
    r"CREATE (UNIQUE )?INDEX CONCURRENTLY .*",
    r"DROP INDEX CONCURRENTLY .*",
    r"ALTER TABLE \S+ ADD CONSTRAINT .* NOT VALID",
    r"ALTER TABLE \S+ ADD CONSTRAINT \S+ UNIQUE USING INDEX \S+",
    r"ALTER TABLE \S+ VALIDATE CONSTRAINT .*",
    r"ALTER TABLE \S+ DROP CONSTRAINT .*",
    r"ALTER TABLE \S+ ADD COLUMN \S+ [^()]*(\(\d+(, \d+)?\))?[^()]* NULL",
    r"ALTER TABLE \S+ ALTER COLUMN \S+ DROP NOT NULL",
    r"ALTER TABLE \S+ ALTER COLUMN \S+ TYPE numeric\(18, 3\)",
]


def statements(name):
    """Return the SQL of a migration for PostgreSQL, without comments and steps in Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnsafeOperationWarning)
        out = StringIO()
        call_command("sqlmigrate", "booking", name, stdout=out, no_color=True)
    lines = [line for line in out.getvalue().splitlines() if line and not line.startswith("--")]
    # The command prints a transaction around them, which there is not.
    return [sql for sql in map(str.strip, " ".join(lines).split(";")) if sql not in {"", "BEGIN", "COMMIT"}]


def later_migrations():
    """Return all migrations but the first one, before which no version serves."""
    names = sorted(name for app, name in MigrationLoader(None).disk_migrations if app == "booking")
    return names[1:]


@pytest.mark.parametrize("name", later_migrations())
def test_a_migration_has_no_step_that_locks_a_table_for_long(name):
    unsafe = [sql for sql in statements(name) if not any(re.fullmatch(form, sql) for form in HARMLESS)]
    assert unsafe == []


def test_an_index_that_is_not_built_concurrently_is_found():
    assert not any(re.fullmatch(form, 'CREATE INDEX "a" ON "booking_booking" ("show_id")') for form in HARMLESS)
