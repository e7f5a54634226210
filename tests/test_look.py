"""The look at a show that many want, by which most of them are refused."""

from http.client import HTTPConnection

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from booking.models import Booking, Show, Tries, User
from booking.services import claims, locks, looks
from booking.services.claims import SeatTaken, SoldOut
from booking.tokens import AccessToken
from tests.factories import NOW, make_block, make_booking, make_hold, make_show, make_user
from tests.service import PATIENCE_SECONDS, database_url, serving
from tests.test_contention import post

pytestmark = pytest.mark.django_db(transaction=True)

on_postgresql = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is asked without a trip")


@pytest.fixture(autouse=True)
def _contested_for_long(monkeypatch):
    monkeypatch.setattr(locks, "CONTENTION_SECONDS", 600.0)


@pytest.fixture
def small_show():
    """Four seats, of which the first three are sold, and many come."""
    show = make_show(total_seats=4, seats_per_row=2)
    make_bookings(show, 1, 2, 3)
    locks.mark_contested(show.pk)
    return show


def make_bookings(show, *seats):
    for seat in seats:
        make_booking(show=show, seat_number=seat)


def look(show, user, *seats, now=NOW):
    claims.Claim(user, show.pk, claims.Wish(list(seats)), now, None)._look()


def refusal(show, user, *seats, now=NOW):
    with pytest.raises((SeatTaken, SoldOut)) as raised:
        look(show, user, *seats, now=now)
    return raised.value.code


# --- Taken, or sold out -----------------------------------------------------------------------


@pytest.mark.parametrize("seats", [(1,), (1, 2), (3, 4)])
def test_a_show_with_a_seat_left_is_not_sold_out(small_show, user, seats):
    assert [refusal(small_show, user, *seats) for _ in range(2)] == ["seat_taken"] * 2


def test_a_show_is_sold_out_when_the_seat_that_was_left_is_gone(small_show, user):
    assert refusal(small_show, user, 1) == "seat_taken"
    make_booking(show=small_show, seat_number=4)
    assert [refusal(small_show, user, seat) for seat in (1, 4, 1)] == ["sold_out"] * 3


def test_a_show_with_a_seat_given_back_is_no_longer_sold_out(small_show, user):
    make_booking(show=small_show, seat_number=4)
    assert refusal(small_show, user, 1) == "sold_out"
    Booking.objects.filter(seat_number=2).update(status="cancelled", cancelled_at=NOW)
    assert [refusal(small_show, user, 1) for _ in range(2)] == ["seat_taken"] * 2
    make_booking(show=small_show, seat_number=2)
    assert refusal(small_show, user, 1) == "sold_out"


def test_another_seat_than_the_one_that_was_left_is_no_less_a_seat(small_show, user):
    assert refusal(small_show, user, 1) == "seat_taken"
    make_booking(show=small_show, seat_number=4)
    Booking.objects.filter(seat_number=2).update(status="cancelled", cancelled_at=NOW)
    assert [refusal(small_show, user, 1) for _ in range(2)] == ["seat_taken"] * 2


def test_a_seat_left_that_is_held_is_one_again_when_the_hold_runs_out(small_show, user):
    assert refusal(small_show, user, 1) == "seat_taken"
    hold = make_hold(show=small_show, seat_number=4)
    assert refusal(small_show, user, 1) == "sold_out"
    assert [refusal(small_show, user, 1, now=hold.expires_at) for _ in range(2)] == ["seat_taken"] * 2


def test_a_blocked_seat_is_not_left(small_show, user):
    assert refusal(small_show, user, 1) == "seat_taken"
    make_block(show=small_show, seat_number=4)
    assert refusal(small_show, user, 1) == "sold_out"


@pytest.mark.parametrize("is_left_known", [True, False])
def test_to_who_holds_the_last_seat_the_show_is_not_sold_out(small_show, user, is_left_known):
    if is_left_known:
        assert refusal(small_show, user, 1) == "seat_taken"
    make_hold(user=user, show=small_show, seat_number=4)
    assert [refusal(small_show, user, *seats) for seats in [(1,), (1, 4), (1,)]] == ["seat_taken"] * 3
    assert refusal(small_show, make_user(), 1) == "sold_out"


def test_the_last_seat_that_the_customer_holds_is_his_to_book(small_show, user):
    make_hold(user=user, show=small_show, seat_number=4)
    look(small_show, user, 4)


def test_a_hall_that_shrank_has_no_seat_left_beyond_it(small_show, user):
    assert refusal(small_show, user, 1) == "seat_taken"
    Show.objects.update(total_seats=3)
    assert refusal(small_show, user, 1) == "sold_out"


def test_a_seat_that_is_free_is_hoped_for(small_show, user):
    look(small_show, user, 4)


def test_only_so_many_seats_are_remembered(user, monkeypatch):
    monkeypatch.setattr(looks, "MAX_CONTESTED", 2)
    for _ in range(5):
        show = make_booking(seat_number=7).show
        assert refusal(show, user, 7) == "seat_taken"
        assert len(looks._seats_left) <= 2


def test_a_refusal_names_the_seat_as_the_hall_has_it_now(small_show, user):
    assert refusal(small_show, user, 3) == "seat_taken"
    Show.objects.update(seats_per_row=4, total_seats=8)
    with pytest.raises(SeatTaken, match="Seat A3 is"):
        look(small_show, user, 3)


@pytest.mark.parametrize(
    ("change", "code"), [({"cancelled_at": NOW}, "show_cancelled"), ({"starts_at": NOW}, "show_started")]
)
def test_a_show_that_is_off_sale_since_it_was_looked_at_is_refused_for_that(small_show, user, change, code):
    assert refusal(small_show, user, 1) == "seat_taken"
    Show.objects.update(**change)
    with pytest.raises(claims.Refusal) as raised:
        look(small_show, user, 1)
    assert raised.value.code == code


@pytest.mark.parametrize("seats", [(1, 5), (5, 1), (1, 0), (1, 2**31), (1, 10**20)])
def test_a_seat_that_the_hall_does_not_have_comes_before_one_that_is_taken(small_show, user, seats):
    """As it does on a show that nobody else wants."""
    for _ in range(2):
        with pytest.raises(claims.NoSuchSeat):
            look(small_show, user, *seats)
        assert refusal(small_show, user, 1) == "seat_taken"


# --- In the trip that finds the account -------------------------------------------------------


@pytest.fixture
def hot_show():
    """Many have been refused there, so that a seat that is left is known."""
    show = make_booking(seat_number=7).show
    assert refusal(show, make_user(), 7) == "seat_taken"
    assert looks._seats_left == {show.pk: 50}
    return show


@on_postgresql
@pytest.mark.parametrize("is_pooled", [False, True])
def test_a_refusal_is_one_trip(client, hot_show, trips, is_pooled):
    connection.ensure_connection()
    if is_pooled:
        connection.connection.prepare_threshold = None
    for _ in range(2):
        post(client, hot_show)
    trips.clear()
    answer = post(client, hot_show)
    connection.close()
    assert (answer.status_code, answer.json()["code"], trips) == (409, "seat_taken", [1])


@on_postgresql
def test_no_seats_are_counted_before_it_is_known_who_asks(client, user, hot_show, settings):
    """Nor for who has to wait."""
    Show.objects.update(total_seats=7)
    make_bookings(hot_show, 1, 2, 3, 4, 5, 6)
    with CaptureQueriesContext(connection) as queries:
        assert post(client, hot_show).json()["code"] == "sold_out"
    assert any("seats_taken" in query["sql"] for query in queries)
    with CaptureQueriesContext(connection) as queries:
        settings.LIMITS = settings.LIMITS | {"booking": (1, 60)}
        assert post(client, hot_show).status_code == 429
        User.objects.filter(pk=user.pk).update(is_active=False)
        assert post(client, hot_show).status_code == 401
    assert not any("seats_taken" in query["sql"] for query in queries)


@on_postgresql
def test_a_seat_looked_at_and_free_is_sold(client, hot_show, trips):
    post(client, hot_show)
    trips.clear()
    assert (post(client, hot_show, 8).status_code, trips[0]) == (201, 1)


@pytest.mark.parametrize("seat", [0, -1, 2**31, 10**20])
def test_a_seat_that_no_hall_has_is_refused_as_ever(client, hot_show, seat):
    assert (post(client, hot_show, seat).status_code, post(client, hot_show, 51).status_code) == (400, 400)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"seat_number": "x"}', "application/json"),
        ('{"seat_number"', "application/json"),
        ("", "application/json"),
        ("null", "application/json"),
        ("<a/>", "text/xml"),
    ],
)
@pytest.mark.parametrize("is_hot", [True, False])
def test_what_is_wrong_with_a_body_is_told_to_who_is_signed_in_alone(
    client, anyone, hot_show, is_hot, body, content_type
):
    if not is_hot:
        locks._contested.clear()
    path = f"/api/shows/{hot_show.pk}/book/"
    status = 415 if content_type == "text/xml" else 400
    assert client.post(path, body, content_type=content_type).status_code == status
    assert anyone.post(path, body, content_type=content_type).status_code == 401


@pytest.mark.parametrize("is_hot", [True, False])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer junk", "Bearer two tokens", "Basic x"])
def test_nothing_is_read_of_who_brings_no_good_token(anyone, hot_show, header, is_hot, django_assert_num_queries):
    if not is_hot:
        locks._contested.clear()
    headers = {} if header is None else {"Authorization": header}
    with django_assert_num_queries(0):
        answer = post(anyone, hot_show, **headers)
    assert answer.status_code == 401
    assert not hasattr(answer.wsgi_request, "_body")


def test_a_refused_token_or_one_try_too_many_is_told_before_the_seat_is(client, user, hot_show, settings):
    assert post(client, hot_show).status_code == 409
    settings.LIMITS = settings.LIMITS | {"booking": (1, 60)}
    assert post(client, hot_show).status_code == 429
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert post(client, hot_show).json()["code"] == "user_inactive"


@on_postgresql
def test_statements_forgotten_are_sent_again_and_the_try_is_counted_once(client, hot_show):
    for _ in range(2):
        post(client, hot_show)
    connection.connection.execute("DEALLOCATE ALL")
    assert post(client, hot_show).json()["code"] == "seat_taken"
    assert Tries.objects.get(key__startswith="booking:").number == 3


def test_who_has_no_account_any_more_is_told_nothing_of_the_seat(client, hot_show, user):
    post(client, hot_show)
    User.objects.filter(pk=user.pk).delete()
    assert post(client, hot_show).status_code == 401


def test_a_look_is_used_once(small_show, user):
    """Whoever tries again after a connection broke sees what is there then."""
    before = looks.Look(small_show.pk, [1], 4)
    assert len(before.rows) == 1
    claim = claims.Claim(user, small_show.pk, claims.Wish([1]), NOW, None, look=before)
    with pytest.raises(SeatTaken):
        claim.carry_out(lambda *_: pytest.fail("The seat is taken"))
    Booking.objects.filter(seat_number=1).update(status="cancelled", cancelled_at=NOW)
    assert claim.carry_out(lambda show, seats, rows: seats) == [1]


@on_postgresql
def test_with_a_pool_of_connections_seats_are_sold_and_refused(user, show, settings):
    with serving(DATABASE_URL=f"{database_url()}?pool=true", SECRET_KEY=settings.SECRET_KEY) as port:
        connection_to_it = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        headers = {"Authorization": f"Bearer {AccessToken.for_user(user)}", "Content-Type": "application/json"}
        statuses = []
        for seat in (7, 7, 7, 8):
            connection_to_it.request("POST", f"/api/shows/{show.pk}/book/", f'{{"seat_number": {seat}}}', headers)
            answer = connection_to_it.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection_to_it.close()
    assert statuses == [201, 409, 409, 201]
