"""Migrations that run while the version before them serves."""

import re
import warnings
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_zero_downtime_migrations.backends.postgres.schema import UnsafeOperationWarning

from tests.postgres_server import postgres_server
from tests.service import run

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time anyway"),
]

# What locks a table for a moment at most, or not against reading and writing rows. A column with a constant default
# is no work, whatever the number of rows (PostgreSQL documentation, ALTER TABLE, notes).
HARMLESS = [
    r"(SET|RESET) .*",
    r"CREATE TABLE .*",
    r"CREATE (UNIQUE )?INDEX CONCURRENTLY .*",
    r"DROP INDEX CONCURRENTLY .*",
    r"ALTER TABLE \S+ ADD CONSTRAINT .* NOT VALID",
    r"ALTER TABLE \S+ VALIDATE CONSTRAINT .*",
    r"ALTER TABLE \S+ DROP CONSTRAINT .*",
    r"ALTER TABLE \S+ ADD COLUMN \S+ [^()]*(\(\d+\))?[^()]* NULL",
    r"ALTER TABLE \S+ ALTER COLUMN \S+ DROP NOT NULL",
]


def statements(name):
    """What PostgreSQL is sent by a migration, without the comments and the steps that are Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnsafeOperationWarning)
        out = StringIO()
        call_command("sqlmigrate", "booking", name, stdout=out, no_color=True)
    lines = [line for line in out.getvalue().splitlines() if line and not line.startswith("--")]
    # The command prints a transaction around them, which there is not.
    return [sql for sql in map(str.strip, " ".join(lines).split(";")) if sql not in {"", "BEGIN", "COMMIT"}]


def later_migrations():
    """All but the first one, before which there is nothing to serve."""
    names = sorted(name for app, name in MigrationLoader(None).disk_migrations if app == "booking")
    return names[1:]


@pytest.mark.parametrize("name", later_migrations())
def test_a_migration_has_no_step_that_locks_a_table_for_long(name):
    unsafe = [sql for sql in statements(name) if not any(re.fullmatch(form, sql) for form in HARMLESS)]
    assert unsafe == []


def test_no_seat_is_without_its_constraint_while_that_changes():
    steps = [sql for sql in statements("0005_holds_and_blocked_seats") if "UNIQUE" in sql or "DROP INDEX" in sql]
    standing, fewest = {"one_live_booking_per_show_and_seat"}, 1
    for step in steps:
        name = re.search(r'"(\w+)"', step)[1]
        standing = standing | {name} if step.startswith("CREATE") else standing - {name}
        fewest = min(fewest, len(standing))
    assert (fewest, standing) == (1, {"one_live_booking_per_show_and_seat"})


def test_an_index_that_is_built_the_usual_way_is_found():
    assert not any(re.fullmatch(form, 'CREATE INDEX "a" ON "booking_booking" ("show_id")') for form in HARMLESS)


@pytest.mark.server
def test_an_index_on_bookings_changes_while_somebody_has_the_lock_of_a_show():
    with postgres_server() as server:
        assert run(server.url, "manage.py", "migrate", "booking", "0005", "-v0").returncode == 0
        url = f"host={server.folder} user=postgres dbname=postgres"
        with psycopg.connect(url) as booking:
            booking.execute("SELECT id FROM booking_show FOR NO KEY UPDATE")
            done = run(server.url, "manage.py", "migrate", "booking", "0006", "-v0")
        with psycopg.connect(url) as connection:
            indexes = connection.execute(
                "SELECT indexdef FROM pg_indexes WHERE tablename = 'booking_booking'"
            ).fetchall()
    assert (done.returncode, done.stderr) == (0, "")
    assert not any(index.endswith("(show_id)") for (index,) in indexes)
