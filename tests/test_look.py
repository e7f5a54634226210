"""The look at a show that many want, by which most of them are refused."""

import pytest
from django.db import connection

from booking.models import Booking, Screen, Show, User
from booking.prepared import PreparedQuery
from booking.services import claims, locks
from booking.services.claims import SeatTaken, SoldOut
from tests.factories import NOW, make_block, make_booking, make_hold, make_show
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
    for seat in (1, 2, 3):
        make_booking(show=show, seat_number=seat)
    locks.mark_contested(show.pk)
    return show


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


def test_a_seat_that_the_customer_holds_is_no_reason_to_say_sold_out(small_show, user):
    assert refusal(small_show, user, 1) == "seat_taken"
    make_hold(user=user, show=small_show, seat_number=4)
    assert refusal(small_show, user, 1, 4) == "seat_taken"
    assert [refusal(small_show, user, 1) for _ in range(2)] == ["sold_out"] * 2


def test_a_hall_that_shrank_has_no_seat_left_beyond_it(small_show, user):
    assert refusal(small_show, user, 1) == "seat_taken"
    Show.objects.update(total_seats=3)
    assert refusal(small_show, user, 1) == "sold_out"


def test_a_seat_that_is_free_is_hoped_for(small_show, user):
    look(small_show, user, 4)


def test_only_so_many_seats_are_remembered(user, monkeypatch):
    monkeypatch.setattr(claims, "MAX_CONTESTED", 2)
    for _ in range(5):
        show = make_booking(seat_number=7).show
        assert refusal(show, user, 7) == "seat_taken"
        assert len(claims._left) <= 2


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


# --- In the trip that finds the account -------------------------------------------------------


@pytest.fixture
def hot_show():
    show = make_booking(seat_number=7).show
    locks.mark_contested(show.pk)
    return show


@on_postgresql
def test_a_refusal_is_one_trip(client, hot_show, django_assert_num_queries):
    post(client, hot_show)
    with django_assert_num_queries(1):
        answer = post(client, hot_show)
    assert (answer.status_code, answer.json()["code"]) == (409, "seat_taken")


def test_a_seat_looked_at_and_free_is_sold(client, hot_show):
    assert post(client, hot_show, 8).status_code == 201


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


def test_a_refused_token_or_one_try_too_many_is_told_before_the_seat_is(client, user, hot_show, settings):
    assert post(client, hot_show).status_code == 409
    settings.LIMITS = settings.LIMITS | {"booking": (1, 60)}
    assert post(client, hot_show).status_code == 429
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert post(client, hot_show).json()["code"] == "user_inactive"


@on_postgresql
def test_what_was_to_go_along_with_nothing_is_not_sent_later():
    read = PreparedQuery(lambda pk: Screen.objects.filter(pk=pk).values_list("pk"), 1)
    assert read(1) == []
    with read.going_along(1) as answer:
        pass
    assert answer() is None
    assert connection.connection._along is None


@on_postgresql
def test_what_goes_along_is_answered_with_what_it_goes_along_with():
    read = PreparedQuery(lambda pk: Screen.objects.filter(pk=pk).values_list("pk"), 1)
    screen = make_show().screen
    assert read(0) == []
    with read.going_along(screen.pk) as answer:
        assert answer() is None
        assert read(0) == []
        assert answer() == [(screen.pk,)]
        assert read(screen.pk) == [(screen.pk,)]


@on_postgresql
def test_nothing_goes_along_on_a_connection_that_is_not_there_yet():
    connection.close()
    read = PreparedQuery(lambda pk: Screen.objects.filter(pk=pk).values_list("pk"), 1)
    with read.going_along(1) as answer:
        assert read(1) == []
    assert answer() is None


@on_postgresql
def test_a_look_cut_off_is_had_again(client, hot_show):
    """The server forgets the statements: the try isn't counted with them, and both are sent again."""
    post(client, hot_show)
    connection.connection.execute("DEALLOCATE ALL")
    assert post(client, hot_show).json()["code"] == "seat_taken"


def test_who_has_no_account_any_more_is_told_nothing_of_the_seat(client, hot_show, user):
    post(client, hot_show)
    User.objects.filter(pk=user.pk).delete()
    assert post(client, hot_show).status_code == 401


def test_a_look_is_used_once(small_show, user):
    """Whoever tries again after a connection broke sees what is there then."""
    look_of_before = claims.Look(small_show.pk, [1], NOW)
    claim = claims.Claim(user, small_show.pk, claims.Wish([1]), NOW, None, look=look_of_before)
    with pytest.raises(SeatTaken):
        claim._look()
    Booking.objects.filter(seat_number=1).update(status="cancelled", cancelled_at=NOW)
    claim._look()
