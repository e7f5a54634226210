"""Many clients at once, each on a connection of its own, through the whole HTTP stack."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from booking.models import Booking
from tests.conftest import signed_in
from tests.factories import make_user

CLIENTS = 50


def at_once(calls):
    """The results of all `calls`, which start together and run in threads of their own."""
    barrier = Barrier(len(calls))

    def run(call):
        try:
            barrier.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_one_seat_wanted_by_50_clients_is_sold_once(show):
    clients = [signed_in(make_user()) for _ in range(CLIENTS)]
    path = f"/api/shows/{show.pk}/book/"
    answers = at_once([lambda client=client: client.post(path, {"seat_number": 7}) for client in clients])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    assert Booking.objects.sold().filter(show=show, seat_number=7).count() == 1
