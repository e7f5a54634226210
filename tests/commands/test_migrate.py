"""manage.py migrate in two processes at the same time."""

import subprocess
import sys
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connections

from booking.management.commands import migrate
from movieticket.sqlite.base import DatabaseWrapper
from tests.postgres_server import postgres_server
from tests.service import PROJECT, environment, filled_postgres, filled_sqlite, run

pytestmark = pytest.mark.server

# The second process starts its migrations while those of the first are being applied.
PROCESSES = 2


@contextmanager
def empty_database(vendor, folder):
    if vendor == "sqlite":
        yield f"sqlite:///{folder}/db.sqlite3"
    else:
        with postgres_server() as server:
            yield server.url


@contextmanager
def migrated_database(vendor, folder):
    if vendor == "sqlite":
        yield filled_sqlite(folder)[0]
    else:
        with filled_postgres() as (server, *_):
            yield server.url


def start_migrate(database_url):
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        env=environment(database_url),
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_two_concurrent_first_starts_succeed(vendor, tmp_path):
    with empty_database(vendor, tmp_path) as url:
        processes = [start_migrate(url) for _ in range(PROCESSES)]
        errors = [process.communicate(timeout=120)[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], errors
        assert sorted(errors) == ["", "Waiting for another migration to finish.\n"]


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_the_lock_ends_with_a_process_that_is_killed(vendor, tmp_path):
    with migrated_database(vendor, tmp_path) as url:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER], env=environment(url), cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout.readline() == "locked\n"
        waiting = start_migrate(url)
        assert waiting.stderr.readline() == "Waiting for another migration to finish.\n"
        assert run(url, "manage.py", "migrate", "--check").returncode == 0
        holder.kill()
        holder.communicate()
        assert waiting.communicate(timeout=30) == (None, "")
        assert waiting.returncode == 0


HOLDER = """
import time, django
django.setup()
from django.db import connection
from booking.management.commands.migrate import Command
with Command()._lock(connection):
    print("locked", flush=True)
    time.sleep(60)
"""


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
