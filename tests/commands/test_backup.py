"""Backups of the database during bookings, and their restoration."""

import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Condition, Event

import pytest
from django.core.management import CommandError, call_command

from tests.service import PATIENCE_SECONDS, filled_postgres, filled_sqlite, run, served

SELLERS = 2
PAUSE_SECONDS = 0.02
MANY = 15
# Fails unless the database has all migrations and no breach of the rules.
CHECK = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", check_unapplied=True)
call_command("audit")
"""


class Sales:
    """Books seats one after another, and records them."""

    def __init__(self, service):
        self.service = service
        self.sold = []
        self.news = Condition()
        self.ended = Event()

    def sell(self, customer):
        seat = 0
        # A pause between two bookings leaves the machine to the copy.
        while not self.ended.wait(PAUSE_SECONDS):
            seat += 1
            assert self.service.book(customer, seat).status == 201
            with self.news:
                self.sold.append((self.service.shows[customer], seat))
                self.news.notify_all()

    def wait_for(self, more):
        """Wait until `more` seats are sold, and return all sold seats."""
        with self.news:
            wanted = len(self.sold) + more
            assert self.news.wait_for(lambda: len(self.sold) >= wanted, PATIENCE_SECONDS)
            return set(self.sold)


@contextmanager
def selling(database_url, shows, tokens, folder):
    with served(database_url, shows, tokens, folder, WORKERS="1") as service, ThreadPoolExecutor(SELLERS) as pool:
        sales = Sales(service)
        sellers = [pool.submit(sales.sell, customer) for customer in range(SELLERS)]
        try:
            yield sales
        finally:
            sales.ended.set()
    for seller in sellers:
        seller.result()


def seats(*rows):
    return {(int(show), int(seat)) for show, seat in rows}


@pytest.mark.server
def test_a_sqlite_database_is_copied_while_bookings_go_on(tmp_path):
    url, *data = filled_sqlite(tmp_path)
    copy = tmp_path / "copy.sqlite3"
    with selling(url, *data, tmp_path) as sales:
        before = sales.wait_for(MANY)
        assert run(url, "manage.py", "backup", str(copy)).returncode == 0
        sales.wait_for(MANY)
    with closing(sqlite3.connect(copy)) as restored:
        restored_seats = seats(*restored.execute("SELECT show_id, seat_number FROM booking_booking"))
    assert before <= restored_seats < set(sales.sold)
    assert run(f"sqlite:///{copy}", "manage.py", "audit").returncode == 0
    assert copy.stat().st_mode & 0o777 == 0o600


@pytest.mark.server
def test_a_postgresql_database_is_dumped_while_bookings_go_on_and_restored(tmp_path):
    with filled_postgres() as (database, *data):

        def tool(name, *arguments, **options):
            command = [database.command(name), "--host", database.folder, "--username", "postgres", *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout

        with selling(database.url, *data, tmp_path) as sales:
            before = sales.wait_for(MANY)
            tool("pg_dump", "--format=custom", f"--file={tmp_path}/copy.dump", "postgres")
            sales.wait_for(MANY)
        tool("createdb", "restored")
        tool("pg_restore", "--exit-on-error", "--dbname=restored", f"{tmp_path}/copy.dump")
        found = tool("psql", "-tA", "-F ", "-c", "SELECT show_id, seat_number FROM booking_booking", "restored")
        assert before <= seats(*map(str.split, found.splitlines())) < set(sales.sold)
        restored = database.url.removesuffix("postgres") + "restored"
        assert run(restored, "-c", CHECK).returncode == 0


@pytest.mark.django_db(transaction=True)
def test_a_copy_does_not_replace_a_file(tmp_path):
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(CommandError, match=r"already exists|with pg_dump"):
        call_command("backup", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "precious"


@pytest.mark.django_db
def test_a_copy_that_cannot_be_written_causes_no_traceback(tmp_path):
    with pytest.raises(CommandError):
        call_command("backup", tmp_path / "nowhere" / "copy")
