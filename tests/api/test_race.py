"""Many clients at the same time, each on its own connection, through the whole HTTP stack."""

from collections import Counter

import pytest

from booking.models import Booking
from tests.conftest import signed_in
from tests.factories import make_user
from tests.races import at_once

CLIENTS = 50


@pytest.mark.django_db(transaction=True)
def test_one_seat_requested_by_50_clients_is_sold_once(show):
    clients = [signed_in(make_user()) for _ in range(CLIENTS)]
    path = f"/api/shows/{show.pk}/book/"
    answers = at_once([lambda client=client: client.post(path, {"seat_number": 7}) for client in clients])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    assert Booking.objects.sold().filter(show=show, seat_number=7).count() == 1
