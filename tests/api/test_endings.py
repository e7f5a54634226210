"""The end of bookings and holds, in every response that shows them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from booking import services
from booking.models import Booking
from booking.services.seats.holds import release_expired_holds
from tests.factories import make_booking, make_hold, make_show, make_user
from tests.staff import cancel_as

MINUTE = timedelta(minutes=1)


def end_of(booking):
    return {name: booking[name] for name in ("id", "status", "cancelled_at", "cancelled_by", "expires_at")}


def read(client, pk):
    """Return the booking's end as its detail and the list of cancelled bookings show it."""
    alone = client.get(f"/api/bookings/{pk}/").json()
    listed = client.get("/api/my-bookings/?status=cancelled").json()["results"]
    return [end_of(alone), *map(end_of, listed)]


def text(moment):
    return moment.isoformat().replace("+00:00", "Z")


def hold(client, show):
    return client.post(f"/api/shows/{show.pk}/hold/", {"seat_numbers": [7]}).json()["bookings"][0]["id"]


@pytest.fixture
def expired(user, show):
    """A hold that expired a minute ago and is not released."""
    now = timezone.now()
    times = {"created_at": now - 9 * MINUTE, "held_since": now - 9 * MINUTE, "expires_at": now - MINUTE}
    return make_hold(user=user, show=show, seat_number=7, **times)


def test_a_cancelled_hold_can_be_read(client, show):
    answer = client.post(f"/api/bookings/{hold(client, show)}/cancel/").json()
    assert (answer["status"], answer["cancelled_by"]) == ("cancelled", "customer")
    assert read(client, answer["id"]) == [end_of(answer)] * 2


def test_an_expired_hold_is_cancelled_at_its_end_without_a_user(client, expired):
    end = text(expired.expires_at)
    ended = {"status": "cancelled", "cancelled_at": end, "cancelled_by": None, "expires_at": end}
    assert read(client, expired.pk) == [{"id": expired.pk, **ended}] * 2


def test_an_expired_hold_has_the_same_representation_after_its_release(client, expired):
    before = read(client, expired.pk)
    assert release_expired_holds(expired_by=timezone.now()) == 1
    assert read(client, expired.pk) == before


def test_an_expired_hold_has_the_same_representation_after_its_show_is_cancelled(client, expired):
    before = read(client, expired.pk)
    services.cancel_show(show_id=expired.show_id, now=timezone.now(), cancelled_by=make_user(is_staff=True))
    assert read(client, expired.pk) == before


def test_an_expired_hold_is_not_listed_as_held(client, expired):
    assert client.get("/api/my-bookings/?status=held").json()["count"] == 0


@pytest.mark.parametrize("action", ["cancel/", "move/"])
def test_an_expired_hold_can_not_be_cancelled_again(client, expired, action):
    answer = client.post(f"/api/bookings/{expired.pk}/{action}", {"seat_number": 8})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_cancelled")


def test_a_booked_hold_has_the_same_id(client, show):
    held = hold(client, show)
    booked = client.post(f"/api/shows/{show.pk}/book/", {"seat_number": 7}).json()
    assert (booked["id"], booked["status"], booked["expires_at"]) == (held, "booked", None)
    assert client.get(f"/api/bookings/{held}/").json() == booked


def test_a_hold_on_the_seat_of_a_move_is_cancelled_by_the_customer(client, user, show):
    held, booking = hold(client, show), make_booking(user=user, show=show)
    client.post(f"/api/bookings/{booking.pk}/move/", {"seat_number": 7})
    assert client.get(f"/api/bookings/{held}/").json()["cancelled_by"] == "customer"


def test_a_booking_that_staff_cancel_is_cancelled_by_the_cinema(client, user, show):
    booking = make_booking(user=user, show=show)
    cancel_as(make_user(is_staff=True), booking, timezone.now())
    assert [row["cancelled_by"] for row in read(client, booking.pk)] == ["cinema"] * 2


@pytest.mark.parametrize("by_staff", [True, False])
def test_a_booking_is_cancelled_with_its_show_by_the_cinema(client, user, show, by_staff):
    booking, now = make_booking(user=user, show=show), timezone.now()
    services.cancel_show(show_id=show.pk, now=now, cancelled_by=make_user(is_staff=True) if by_staff else None)
    answer = client.get(f"/api/bookings/{booking.pk}/").json()
    assert (answer["cancelled_by"], answer["show"]["cancelled_at"]) == ("cinema", text(now))


def test_a_booking_cancelled_before_its_show_was_cancelled_by_the_customer(client, user, show):
    booking = make_booking(user=user, show=show)
    client.post(f"/api/bookings/{booking.pk}/cancel/")
    services.cancel_show(show_id=show.pk, now=timezone.now())
    assert client.get(f"/api/bookings/{booking.pk}/").json()["cancelled_by"] == "customer"


def test_a_show_with_ended_holds_can_be_deleted(client, expired):
    services.delete_show(show_id=expired.show_id, now=timezone.now())
    assert client.get(f"/api/bookings/{expired.pk}/").status_code == 404
    assert not Booking.objects.exists()


@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_of_cancelled_bookings_costs_the_same_queries(client, user, rows, django_assert_num_queries):
    for _ in range(rows):
        make_booking(user=user, show=make_show(), status="cancelled")
    with django_assert_num_queries(3):
        client.get("/api/my-bookings/?status=cancelled")
