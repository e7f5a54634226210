"""The queue for write transactions in front of SQLite; on a file of its own, whatever the suite's database is."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connections
from django.db.utils import OperationalError

from movieticket.deadline import waiting_at_most
from movieticket.sqlite.base import DatabaseWrapper

pytestmark = pytest.mark.django_db


@pytest.fixture
def connect(tmp_path):
    """A function that creates connections to one file."""
    made = []

    def connect(timeout=0.05):
        options = {"timeout": timeout, "transaction_mode": "IMMEDIATE"}
        config = {"ENGINE": "movieticket.sqlite", "NAME": str(tmp_path / "db.sqlite3"), "OPTIONS": options}
        wrapper = DatabaseWrapper(connections.configure_settings({"default": config})["default"], "own")
        wrapper.inc_thread_sharing()
        made.append(wrapper)
        return wrapper

    yield connect
    for wrapper in made:
        wrapper.close()


def begin(wrapper):
    wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def end(wrapper):
    wrapper.commit()
    wrapper.set_autocommit(True)


def test_a_second_writer_waits_for_the_first(connect):
    first, second, waits = connect(), connect(timeout=20), Event()

    def write():
        waits.set()
        begin(second)
        end(second)
        return "wrote"

    begin(first)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        waits.wait()
        assert not writing.done()
        end(first)
        assert writing.result() == "wrote"


def test_a_writer_gives_up_after_its_timeout(connect):
    first, second = connect(), connect()
    begin(first)
    with pytest.raises(OperationalError, match="database is locked"):
        begin(second)


def test_the_queue_goes_on_after_a_rollback(connect):
    first, second = connect(), connect()
    begin(first)
    first.rollback()
    first.set_autocommit(True)
    begin(second)
    end(second)


def test_the_queue_goes_on_after_a_connection_was_closed_in_a_transaction(connect):
    first, second = connect(), connect()
    begin(first)
    first.close()
    begin(second)
    end(second)


def test_the_queue_goes_on_after_another_process_held_the_file(connect):
    first = connect()
    other = sqlite3.connect(first.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="database is locked"):
        begin(first)
    other.execute("ROLLBACK")
    other.close()
    begin(first)
    end(first)


def test_two_files_have_two_queues(connect, tmp_path):
    first, second = connect(), connect()
    second.settings_dict["NAME"] = str(tmp_path / "other.sqlite3")
    begin(first)
    begin(second)
    end(second)
    end(first)


def test_a_writer_waits_until_the_deadline_of_its_request(connect):
    first, second = connect(), connect(timeout=20)
    begin(first)
    with waiting_at_most(0.1), pytest.raises(OperationalError, match="locked"):
        begin(second)
    end(first)


def test_a_writer_waits_for_another_process_until_the_deadline(connect, tmp_path):
    writer = connect(timeout=20)
    writer.ensure_connection()
    other = sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with waiting_at_most(0.1), pytest.raises(OperationalError, match="locked"):
        begin(writer)
    other.close()
