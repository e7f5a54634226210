"""Access to every endpoint of the API, for each kind of user.

The endpoints are those of the URL configuration; one without a row fails, and so does a row without an endpoint.
"""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from booking.infrastructure.tokens import RefreshToken
from booking.models import Booking, User
from booking.urls.api import urlpatterns
from tests.conftest import signed_in
from tests.factories import PASSWORD, make_priced_booking, make_show, make_user

WHO = ["nobody", "owner", "another", "box office", "superuser", "deactivated"]
#                nobody owner another box office superuser deactivated
PUBLIC = [200, 200, 200, 200, 200, 200]
OWN = [401, 200, 404, 404, 404, 401]
USERS = [401, 200, 200, 200, 200, 401]
DOOR = [401, 403, 403, 200, 200, 401]
TABLE = {
    ("root", "GET"): PUBLIC,
    ("signup", "POST"): [201] * 6,
    ("token", "POST"): [401, 200, 200, 200, 200, 401],
    ("token-refresh", "POST"): [401, 200, 200, 200, 200, 401],
    ("token-blacklist", "POST"): [401, 200, 200, 200, 200, 401],
    ("me", "GET"): USERS,
    ("me", "PATCH"): USERS,
    ("me", "DELETE"): [401, 204, 204, 409, 409, 401],
    ("me-export", "GET"): [401, 200, 200, 200, 200, 401],
    ("me-password", "POST"): [401, 204, 204, 204, 204, 401],
    ("me-logout-everywhere", "POST"): [401, 204, 204, 204, 204, 401],
    ("password-reset", "POST"): [202] * 6,
    ("password-reset-confirm", "POST"): [400] * 6,
    ("movie-list", "GET"): PUBLIC,
    ("movie-detail", "GET"): PUBLIC,
    ("movie-shows-list", "GET"): PUBLIC,
    ("show-list", "GET"): PUBLIC,
    ("show-detail", "GET"): PUBLIC,
    ("show-seats", "GET"): [200, 200, 200, 200, 200, 401],
    ("show-book", "POST"): [401, 201, 201, 201, 201, 401],
    ("show-book-seats", "POST"): [401, 201, 201, 201, 201, 401],
    ("show-hold", "POST"): [401, 201, 201, 201, 201, 401],
    ("my-bookings-list", "GET"): USERS,
    ("booking-detail", "GET"): OWN,
    ("booking-cancel", "POST"): OWN,
    ("booking-ticket", "GET"): OWN,
    ("booking-ticket-svg", "GET"): OWN,
    ("booking-ticket-pdf", "GET"): OWN,
    ("booking-ticket-ics", "GET"): OWN,
    ("order-tickets", "GET"): OWN,
    ("order-tickets-pdf", "GET"): OWN,
    ("ticket-keys", "GET"): PUBLIC,
    ("booking-move", "POST"): OWN,
    ("seat-plan", "GET"): PUBLIC,
    ("order-list", "GET"): USERS,
    ("order-detail", "GET"): OWN,
    ("order-cancel", "POST"): OWN,
    ("show-check-ins", "GET"): DOOR,
    ("show-check-ins", "POST"): [401, 403, 403, 409, 409, 401],
    ("show-check-ins-undo", "POST"): [401, 403, 403, 409, 409, 401],
    ("order-pay", "POST"): [401, 201, 404, 404, 404, 401],
    ("payment-events", "POST"): [400] * 6,
}
BODIES = {
    "signup": lambda world, who: {"username": "newcomer", "password": PASSWORD},
    "token": lambda world, who: {"username": who.replace(" ", ""), "password": PASSWORD},
    "token-refresh": lambda world, who: {"refresh": world.refresh_token(who)},
    "token-blacklist": lambda world, who: {"refresh": world.refresh_token(who)},
    "me": lambda world, who: {"email": "new@example.com", "password": PASSWORD},
    "password-reset": lambda world, who: {"email": "nobody@example.com"},
    "password-reset-confirm": lambda world, who: {"uid": "MQ", "token": "a-b", "new_password": PASSWORD},
    "me-password": lambda world, who: {"current_password": PASSWORD, "new_password": "another fine phrase"},
    "show-book": lambda world, who: {"seat_number": 7},
    "show-book-seats": lambda world, who: {"seat_numbers": [7, 8]},
    "show-hold": lambda world, who: {"seat_numbers": [7, 8]},
    "booking-move": lambda world, who: {"seat_number": 7},
    # The doors are not open yet, and nobody is admitted.
    "show-check-ins": lambda world, who: {"reference": world.booking.reference, "nonce": "n"},
    "show-check-ins-undo": lambda world, who: {"booking": world.booking.pk, "reason": "x", "nonce": "n"},
}


def methods_of(view):
    """Return the methods that the view implements."""
    if hasattr(view, "actions"):
        return {method.upper() for method in view.actions} - {"HEAD"}
    names = {"get", "post", "put", "patch", "delete"}
    return {name.upper() for name in names if hasattr(view.view_class, name)}


ENDPOINTS = sorted((pattern.name, method) for pattern in urlpatterns for method in methods_of(pattern.callback))
CASES = [(name, method, who) for name, method in sorted(TABLE) for who in WHO]


class World:
    """A show, a booking of the owner, and the other users once they are needed."""

    def __init__(self):
        self.people = {}
        start = timezone.now() + timedelta(days=1)
        fields = {"user": self.person("owner"), "show": make_show(starts_at=start), "created_at": timezone.now()}
        self.booking = make_priced_booking(**fields)

    def person(self, who):
        if who not in self.people:
            self.people[who] = make_person(who)
        return self.people[who]

    def client(self, who):
        if who == "nobody":
            return APIClient()
        client = signed_in(self.person(who))
        User.objects.filter(username="deactivated").update(is_active=False)
        return client

    def refresh_token(self, who):
        return "a.b.c" if who == "nobody" else str(RefreshToken.for_user(self.person(who)))

    @property
    def ids(self):
        show = self.booking.show
        return {
            "movie": show.movie_id,
            "movie-shows": show.movie_id,
            "show": show.pk,
            "booking": self.booking.pk,
            "order": self.booking.reference,
            "seat-plan": show.plan_id,
            "payment-events": "counter",
        }


def make_person(who):
    fields = {
        "box office": {"is_staff": True},
        "superuser": {"is_staff": True, "is_superuser": True},
    }
    person = make_user(username=who.replace(" ", ""), **fields.get(who, {}))
    if who == "box office":
        person.groups.add(Group.objects.get(name="Box office"))
    return person


@pytest.fixture
def world(db):
    return World()


def path_of(world, name):
    """Return the endpoint's address, with the id of its object."""
    [pattern] = [pattern for pattern in urlpatterns if pattern.name == name]
    kind = max((kind for kind in world.ids if name.startswith(kind)), key=len, default=None)
    return reverse(name, args=[world.ids[kind]] if pattern.pattern.regex.groups else [])


def ask(world, name, method, who):
    client = world.client(who)
    body = BODIES.get(name, lambda world, who: {})(world, who) if method != "GET" else None
    return getattr(client, method.lower())(path_of(world, name), body)


def test_every_endpoint_has_a_row_and_every_row_an_endpoint():
    assert sorted(TABLE) == ENDPOINTS


def test_paths_without_a_name_have_no_methods():
    unnamed = [pattern.callback for pattern in urlpatterns if pattern.name is None]
    assert [methods_of(view) for view in unnamed] == [set()]


@pytest.mark.parametrize(("name", "method", "who"), CASES)
def test_each_user_gets_the_status_of_the_access_table(world, name, method, who):
    answer = ask(world, name, method, who)
    assert answer.status_code == TABLE[name, method][WHO.index(who)]


@pytest.mark.parametrize("who", ["another", "box office", "superuser", "nobody", "deactivated"])
@pytest.mark.parametrize("name", ["booking-cancel", "booking-move", "order-cancel"])
def test_a_refused_request_does_not_change_the_owner_s_booking(world, name, who):
    before = Booking.objects.values().get(pk=world.booking.pk)
    ask(world, name, "POST", who)
    assert Booking.objects.values().get() == before


@pytest.mark.parametrize("who", ["another", "box office", "superuser"])
def test_a_list_has_no_booking_of_another_user(world, who):
    assert ask(world, "my-bookings-list", "GET", who).json()["results"] == []


@pytest.mark.parametrize("name", ["booking-detail", "booking-cancel", "booking-move", "booking-ticket"])
def test_another_user_s_booking_and_a_missing_one_give_the_same_response(world, name):
    method = "POST" if (name, "POST") in TABLE else "GET"
    stranger_s = ask(world, name, method, "another")
    world.booking.pk += 1000
    none = ask(world, name, method, "another")
    assert (stranger_s.status_code, stranger_s.content) == (none.status_code, none.content)
