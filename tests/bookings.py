"""Functions that book seats and read bookings."""

import pytest
from django.db import connection

from booking.models import Booking
from booking.services import Refusal
from tests.races import at_once


def refusal_of(call, *args, **kwargs):
    """Return class, code and extra members of the refusal of `call`."""
    with pytest.raises(Refusal) as caught:
        call(*args, **kwargs)
    return type(caught.value), caught.value.code, caught.value.extra


def active_seats(show):
    return sorted(Booking.objects.sold().filter(show=show).values_list("seat_number", flat=True))


def commit_past_the_lock(write):
    """Run and commit `write` without the show's lock."""
    if connection.vendor == "sqlite":
        # No other connection can write here while our transaction runs, so it is ended and begun again.
        write()
        with connection.cursor() as cursor:
            cursor.execute("COMMIT")
            cursor.execute("BEGIN IMMEDIATE")
    else:
        at_once([write])


def post(client, show, seat_number=7, **headers):
    return client.post(f"/api/shows/{show.pk}/book/", {"seat_number": seat_number}, headers=headers)
