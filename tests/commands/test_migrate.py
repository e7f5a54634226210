"""manage.py migrate in two processes at the same time."""

import subprocess
import sys
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections

from booking.management.commands import migrate
from movieticket.sqlite.base import DatabaseWrapper
from tests.postgres_server import postgres_server
from tests.service import PROJECT, environment

pytestmark = pytest.mark.server


@contextmanager
def empty_database(vendor, folder):
    if vendor == "sqlite":
        yield f"sqlite:///{folder}/db.sqlite3"
    else:
        with postgres_server() as server:
            yield server.url


def start_migrate(database_url, *apps):
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate", *apps, "--verbosity", "0"],
        env=environment(database_url),
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    )


# On PostgreSQL with all migrations: the lock must not block those that build an index concurrently.
@pytest.mark.parametrize(("vendor", "apps"), [("sqlite", ["sessions"]), ("postgresql", [])])
def test_two_first_starts_wait_for_a_lock_that_ends_with_its_process_and_succeed(vendor, apps, tmp_path):
    with empty_database(vendor, tmp_path) as url:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER], env=environment(url), cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout.readline() == "locked\n"
        waiting = [start_migrate(url, *apps) for _ in range(2)]
        for process in waiting:
            assert process.stderr.readline() == "Waiting for another migration to finish.\n"
        holder.kill()
        holder.communicate()
        assert [process.communicate(timeout=120) for process in waiting] == [(None, "")] * 2
        assert [process.returncode for process in waiting] == [0, 0]


HOLDER = """
import time, django
django.setup()
from django.db import connection
from booking.management.commands.migrate import Command
with Command()._lock(connection):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.mark.django_db(transaction=True)
def test_a_check_does_not_wait_for_the_lock(monkeypatch):
    def wait(_):
        raise AssertionError("It waits.")

    monkeypatch.setattr(migrate, "sleep", wait)
    with migrate.Command()._lock(connection):
        call_command("migrate", check_unapplied=True)
        with pytest.raises(AssertionError, match="It waits"):
            call_command("migrate", verbosity=0, stderr=StringIO())


@pytest.fixture
def sqlite(request):
    """A function that returns a connection to the SQLite database of this name."""
    config = {"ENGINE": "movieticket.sqlite", "NAME": request.param}
    return DatabaseWrapper(connections.configure_settings({"default": config})["default"], "own")


@pytest.mark.parametrize("sqlite", [":memory:"], indirect=True)
def test_a_database_in_memory_needs_no_lock(sqlite):
    with migrate._sqlite_lock(sqlite) as try_lock:
        assert try_lock()


@pytest.mark.parametrize("sqlite", ["/no/such/folder/db.sqlite3"], indirect=True)
def test_a_missing_folder_is_reported_by_sqlite(sqlite):
    with pytest.raises(OperationalError, match="unable to open database file"), migrate._sqlite_lock(sqlite):
        pass


# Executed without the signals of the command, as if another migration followed in the same run.
ADD_COLUMN = """
import django
django.setup()
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from booking.models import Show
executor = MigrationExecutor(connection)
executor.migrate(executor.loader.graph.leaf_nodes())
field = models.CharField(max_length=20, default="")
field.set_attributes_from_name("added_column")
with connection.schema_editor() as editor:
    editor.add_field(Show, field)
"""


def test_a_later_migration_can_add_a_column_to_a_new_database(tmp_path):
    """SQLite replaces the table, which is impossible while a trigger of another table reads it."""
    with empty_database("sqlite", tmp_path) as url:
        subprocess.run([sys.executable, "-c", ADD_COLUMN], env=environment(url), cwd=PROJECT, check=True)
