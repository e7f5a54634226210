import functools
import gc
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.contrib.auth.models import Group
from django.core.cache import caches
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import UniqueConstraint
from django.test import Client, TransactionTestCase, override_settings
from django.urls import get_resolver
from rest_framework.test import APIClient

from booking.models import Booking, CheckIn, Show, User, hall_of_plan, prices_of_list
from booking.services.accounts import counters
from movieticket import admission
from movieticket.postgresql.connection import SESSION_SETTINGS, Connection
from tests.bank import Bank
from tests.door import delete_scans
from tests.factories import make_show, make_user

TESTS = Path(__file__).parent
# Suites whose requests commit as they do in production; on SQLite they run in one transaction, which is faster.
PRODUCTION_PATH = {
    "admin/test_fuzz_queries.py",
    "admin/test_query_guard.py",
    "api/test_access.py",
    "api/test_contract.py",
    "api/test_fuzz.py",
    "api/test_mass_assignment.py",
    "api/test_schema_truth.py",
    "api/test_seats_input.py",
    "api/test_strict_input.py",
    "services/test_fuzz_hall.py",
    "services/test_fuzz_money.py",
    "services/test_fuzz_refunds.py",
    "services/test_personal_data.py",
}
# `make test` runs a test on SQLite and on PostgreSQL, with these exceptions.
# Suites about the shape of requests and responses and about demo data give the same results on each database. They run
# once, on SQLite, which is faster.
ONCE_ON_SQLITE = {
    "admin/test_access.py",
    "api/test_addresses.py",
    "api/test_bounds.py",
    "api/test_caching.py",
    "api/test_endings.py",
    "api/test_errors.py",
    "api/test_queries.py",
    "api/test_renderers.py",
    "api/test_root.py",
    "api/test_signing_keys.py",
    "api/test_swagger.py",
    "commands/test_demo.py",
    "commands/test_import_movies.py",
    "movieticket/test_requests.py",
    "movieticket/test_security_headers.py",
}
# These run once, on PostgreSQL: the pages of the admin, which admin/test_access.py opens on SQLite, and the API, which
# production runs on PostgreSQL. The services and models below them run on both databases in their own suites.
ONCE_ON_POSTGRESQL = ("admin/", "api/")
# These of the API run on both: they depend on how the database sorts, compares and locks.
ON_BOTH = {
    "api/test_lists.py",
    "api/test_orders.py",
    "api/test_race.py",
    "api/test_seat_map.py",
    "api/test_seats.py",
}
# Tables with rows that migrations write and no test changes.
MIGRATED = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "booking_catalogueversion",
    "booking_seatcategory",
    "django_content_type",
}


@functools.cache
def _deletions():
    tables = set(connection.introspection.django_table_names(only_existing=True)) - MIGRATED
    # The database refuses to delete prices before the shows that use them.
    tables = sorted(tables, key=lambda table: (table == "booking_price", table))
    if connection.vendor == "sqlite":
        return [f"DELETE FROM {table}" for table in tables]
    # In one round trip; a table that is empty, as most are, costs next to nothing. Scans can't be deleted.
    remove = {table: f"DELETE FROM {table}" for table in tables} | {"booking_checkin": "TRUNCATE booking_checkin"}
    deletions = "".join(f"IF EXISTS (SELECT FROM {table}) THEN {sql}; END IF; " for table, sql in remove.items())
    return [f"DO $$ BEGIN {deletions} END $$"]


def delete_rows(_test_case=None):
    """Replaces Django's flush, which takes 0.1 s and removes what the migrations wrote."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "sqlite" and CheckIn.objects.exists():
            delete_scans(cursor)
        for deletion in _deletions():
            cursor.execute(deletion)


TransactionTestCase._fixture_teardown = delete_rows
# Keeps the connection, because a new one costs more than most tests.
TransactionTestCase._should_reload_connections = lambda _test_case: False


def pytest_configure(config):
    """All processes of a run share the filled databases of tests/service.py, which are in this folder."""
    if "TEMPLATES" not in os.environ:
        folder = TemporaryDirectory(prefix="templates-")
        os.environ["TEMPLATES"] = folder.name
        config.add_cleanup(folder.cleanup)


def only_database(path):
    """Return the marker of a module whose tests run on one database only."""
    if path in ONCE_ON_SQLITE:
        return "once_on_sqlite"
    return "once_on_postgresql" if path.startswith(ONCE_ON_POSTGRESQL) and path not in ON_BOTH else None


def pytest_ignore_collect(collection_path, config):
    """Does not import modules all of whose tests would be deselected."""
    marker = only_database(collection_path.relative_to(TESTS).as_posix())
    return True if marker and f"not {marker}" in config.option.markexpr else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        uses_database = "db" in item.fixturenames or item.get_closest_marker("django_db")
        fuzz = item.get_closest_marker("fuzz")
        if marker := only_database(path):
            item.add_marker(marker)
        elif not uses_database or (fuzz and not fuzz.kwargs.get("both")):
            item.add_marker("once")
        if connection.vendor == "postgresql" and path in PRODUCTION_PATH and uses_database:
            item.add_marker(pytest.mark.django_db(transaction=True), append=False)
    result = yield
    # The longest ones first, so that no worker is left alone with them at the end.
    items.sort(key=lambda item: not (item.get_closest_marker("server") and item.get_closest_marker("once")))
    return result


def pytest_collection_finish():
    """Imports the views, and keeps the garbage collector from looking at what lives as long as the process."""
    # They read the rules when they are imported, and tests add rules of their own.
    assert get_resolver().url_patterns
    gc.collect()
    gc.freeze()
    # Most objects of a test are freed without the collector.
    gc.set_threshold(5_000, 20, 10)


@pytest.fixture(autouse=True, scope="session")
def _same_for_all_tests():
    """A fast hasher, the cinema in UTC on every machine, and places for more threads than a worker has."""
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=hashers, TIME_ZONE="UTC"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "MAX_WAIT_SECONDS", 60)
        yield


@pytest.fixture(autouse=True)
def _new_for_each_test(monkeypatch):
    """Empty caches, because rows of different tests may have the same ids, and no sweep meanwhile."""
    for cache in caches.all():
        cache.clear()
    forget_plans()
    monkeypatch.setattr(counters, "_sweeping", counters.Interval(counters.SWEEP_SECONDS, immediately=False))


def forget_plans():
    hall_of_plan.cache_clear()
    prices_of_list.cache_clear()


@pytest.fixture
def no_grace(settings):
    """Allows no second use of a refresh token, not even immediately."""
    # A request that waited for another one's lock may have begun before the token's first use.
    settings.REFRESH_GRACE_SECONDS = -60


@pytest.fixture
def round_trips(monkeypatch):
    """The number of statements in each round trip to PostgreSQL."""
    made, send = [], Connection._send

    def spy(self, commands, *how):
        made.append(len(commands))
        return send(self, commands, *how)

    monkeypatch.setattr(Connection, "_send", spy)
    return made


@pytest.fixture
def exchanges(monkeypatch):
    """Records each wait for PostgreSQL: a round trip of this project's code, of a cursor, or a rollback."""
    made, wait = [], Connection.wait

    def spy(self, gen, *args, **options):
        # Django sets autocommit around a transaction; psycopg only remembers it.
        if gen.__name__ != "_set_autocommit_gen":
            made.append(gen.__name__)
        return wait(self, gen, *args, **options)

    monkeypatch.setattr(Connection, "wait", spy)
    return made


@pytest.fixture
def user(db) -> User:
    return make_user(username="esha")


@pytest.fixture
def show(db) -> Show:
    return make_show()


@pytest.fixture
def bank(settings):
    """The fake payment provider of tests/bank.py, as the provider `demo`."""
    settings.PAYMENT_PROVIDERS = settings.PAYMENT_PROVIDERS | {"demo": "tests.bank.Bank"}
    Bank.open()
    return Bank


@pytest.fixture
def anyone() -> APIClient:
    """A client that is not signed in."""
    return APIClient()


def signed_in(user: User) -> APIClient:
    """Return a client with a real access token of `user`."""
    from booking.infrastructure.tokens import AccessToken

    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
    return client


@pytest.fixture
def client(user: User) -> APIClient:
    """A client signed in as `user`."""
    return signed_in(user)


@pytest.fixture
def staff(db) -> Client:
    """A client that is signed in as a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def box_office(db) -> Client:
    """A client that is signed in as a member of the box office."""
    seller = make_user(username="seller", is_staff=True)
    seller.groups.add(Group.objects.get(name="Box office"))
    client = Client()
    client.force_login(seller)
    return client


# --- Races: a long wait for locks, and the guards switched off for the controls -------------------


@pytest.fixture
def long_timeout(monkeypatch):
    """Raises the lock timeout, so that no request is refused on a slow machine."""
    monkeypatch.setitem(SESSION_SETTINGS, "lock_timeout", "60s")


@pytest.fixture
def no_lock(monkeypatch):
    """Removes the locks of shows and bookings from the statements that read their rows."""
    run, lock = Connection.run, re.compile(r' FOR NO KEY UPDATE( OF "\w+")?')
    execute, lock_of_bookings = CursorWrapper._execute, ' FOR NO KEY UPDATE OF "booking_booking"'

    def run_without_lock(self, calls, **options):
        unlocked = [(lock.sub("", text), values) for text, values in calls]
        return run(self, unlocked, **options)

    def execute_without_lock(self, sql, *args):
        return execute(self, sql.replace(lock_of_bookings, ""), *args)

    monkeypatch.setattr(Connection, "run", run_without_lock)
    monkeypatch.setattr(CursorWrapper, "_execute", execute_without_lock)


@pytest.fixture
def no_constraint(transactional_db):
    """Drops the constraint that allows only one active row on a seat."""
    [constraint] = [one for one in Booking._meta.constraints if isinstance(one, UniqueConstraint)]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Booking, constraint)
    yield
    Booking.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Booking, constraint)


@pytest.fixture
def smtp(settings):
    """Sends by SMTP to this port."""

    def use(port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 0.3

    return use
