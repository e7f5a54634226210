from threading import BoundedSemaphore

import pytest
from django.contrib.auth.models import Group
from django.core.cache import caches
from django.test import Client
from rest_framework.test import APIClient

from booking.models import Show, User
from booking.services import attempts, bookings, counters, kept_shows, locks, looks
from movieticket.postgresql.connection import Connection
from tests.factories import make_show, make_user


@pytest.fixture(autouse=True)
def _fast_and_unlimited(settings):
    """Hashes that cost nothing, and no limit that one test could use up for the next."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for cache in caches.all():
        cache.clear()


@pytest.fixture(autouse=True)
def _in_utc(settings):
    """The cinema of the tests is in UTC, wherever they run; one that is elsewhere says so."""
    settings.TIME_ZONE = "UTC"


@pytest.fixture(autouse=True)
def _long_queue(monkeypatch):
    """Every thread of a test may wait for a lock, as if each were a worker of its own."""
    monkeypatch.setattr(locks, "_queue", BoundedSemaphore(100))


@pytest.fixture(autouse=True)
def _no_show_is_known():
    locks._contested.clear()
    kept_shows._kept.clear()
    looks._seats_left.clear()


@pytest.fixture(autouse=True)
def _no_sweep_meanwhile(monkeypatch):
    monkeypatch.setattr(counters, "_sweeping", counters.Pace(counters.SWEEP_SECONDS, at_once=False))


@pytest.fixture
def _step_by_step(monkeypatch):
    """No booking is sent to the database as a whole transaction."""
    for module in (attempts, bookings):
        monkeypatch.setattr(module, "CAN_SELL_AT_ONCE", False)


@pytest.fixture
def trips(monkeypatch):
    """The number of statements in each trip to PostgreSQL."""
    made, send = [], Connection._sent

    def spy(self, commands):
        made.append(len(commands))
        return send(self, commands)

    monkeypatch.setattr(Connection, "_sent", spy)
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
    from booking.tokens import AccessToken

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
