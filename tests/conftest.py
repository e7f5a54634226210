import functools

import pytest
from django.contrib.auth.models import Group
from django.core.cache import caches
from django.db import connection
from django.test import Client, TransactionTestCase
from rest_framework.test import APIClient

from booking.models import Show, User
from booking.services import counters
from movieticket import admission
from movieticket.postgresql.connection import Connection
from tests.factories import make_show, make_user
from tests.races import long_timeout, no_constraint, no_lock  # noqa: F401

# Suites whose requests commit as they do in production; on SQLite they run in one transaction, which is faster.
PRODUCTION_PATH = {
    "test_access",
    "test_api_contract",
    "test_fuzz",
    "test_fuzz_hall",
    "test_mass_assignment",
    "test_seats_input",
    "test_strict_input",
}
# Tables with rows that migrations write and no test changes.
MIGRATED = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "booking_catalogueversion",
    "django_content_type",
}
flush = TransactionTestCase._fixture_teardown


@functools.cache
def _delete_all_rows():
    """In one round trip; a table that is empty, as most are, costs next to nothing."""
    tables = set(connection.introspection.django_table_names(only_existing=True)) - MIGRATED
    deletions = "".join(f"IF EXISTS (SELECT FROM {t}) THEN DELETE FROM {t}; END IF; " for t in sorted(tables))
    return f"DO $$ BEGIN {deletions} END $$"


def _delete_rows(test_case):
    """Replaces Django's flush, which takes 0.1 s and removes what the migrations wrote."""
    if connection.vendor == "sqlite":
        flush(test_case)
        return
    with connection.cursor() as cursor:
        cursor.execute(_delete_all_rows())


TransactionTestCase._fixture_teardown = _delete_rows


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        uses_database = "db" in item.fixturenames or item.get_closest_marker("django_db")
        if connection.vendor == "postgresql" and item.path.stem in PRODUCTION_PATH and uses_database:
            item.add_marker(pytest.mark.django_db(transaction=True), append=False)


@pytest.fixture(autouse=True)
def _fast_and_unlimited(settings):
    """Hashes that cost nothing, and no limit that one test could use up for the next."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for cache in caches.all():
        cache.clear()


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """More threads than a worker has race in the tests' process, and none is refused for it."""
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 60)


@pytest.fixture(autouse=True)
def _in_utc(settings):
    """The cinema of the tests is in UTC, wherever they run; one that is elsewhere says so."""
    settings.TIME_ZONE = "UTC"


@pytest.fixture(autouse=True)
def _no_sweep_meanwhile(monkeypatch):
    monkeypatch.setattr(counters, "_sweeping", counters.Interval(counters.SWEEP_SECONDS, immediately=False))


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
def user(db) -> User:
    return make_user(username="esha")


@pytest.fixture
def show(db) -> Show:
    return make_show()


@pytest.fixture
def anyone() -> APIClient:
    """A client that is not signed in."""
    return APIClient()


def signed_in(user: User) -> APIClient:
    """A client with a real access token of `user`."""
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
    """A browser that somebody with all rights is signed in with."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def box_office(db) -> Client:
    """A browser that a member of the box office is signed in with."""
    seller = make_user(username="seller", is_staff=True)
    seller.groups.add(Group.objects.get(name="Box office"))
    client = Client()
    client.force_login(seller)
    return client
