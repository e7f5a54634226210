"""Held and blocked seats in lists, on pages and in changes of a show; and blocking seats."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from booking.models import Booking, Show, full_rows
from booking.services import (
    NotFound,
    block_seats,
    book_seat,
    cancel_show,
    change_show,
    count_taken_seats,
    delete_show,
    read_seat_map,
    unblock_seats,
)
from booking.services.programme.seat_plans import SeatsDiffer, switch_plan
from booking.services.programme.shows import ShowHasBookings
from booking.services.seats.blocks import NotBlocked
from booking.services.seats.rules.sale import ShowCancelled, ShowStarted
from booking.services.seats.rules.seats import NoSuchSeat, SeatTaken, SoldOut
from tests.bookings import refusal_of
from tests.factories import (
    NOW,
    STARTS_AT,
    make_block,
    make_booking,
    make_hold,
    make_screen,
    make_show,
    make_user,
    redraw,
)
from tests.staff import BOOKINGS, SHOWS, act, page_messages, sell

MINUTE = timedelta(minutes=1)


def hold_for(minutes, **fields):
    """Create a hold that expires in this number of minutes by the real clock."""
    now = timezone.now()
    return make_hold(**({"created_at": now, "held_since": now, "expires_at": now + minutes * MINUTE} | fields))


@pytest.fixture
def kinds(user, show):
    """The user's rows in a show, by kind; the expired hold is not released."""
    return {
        "booked": make_booking(user=user, show=show, seat_number=1),
        "held": hold_for(5, user=user, show=show, seat_number=2),
        "expire": hold_for(-5, user=user, show=show, seat_number=3),
        "released": hold_for(5, user=user, show=show, seat_number=4, status="cancelled", cancelled_at=NOW),
        "cancelled": make_booking(user=user, show=show, seat_number=5, status="cancelled"),
        "blocked": make_block(show=show, seat_number=6),
    }


def ids(kinds, *names):
    return sorted(kinds[name].pk for name in names)


# --- What is free -----------------------------------------------------------------------------


def test_a_show_counts_booked_held_and_blocked_seats_as_not_available(anyone, show, kinds):
    assert anyone.get(f"/api/shows/{show.pk}/").json()["seats_available"] == 47


def test_a_list_of_shows_counts_them_alike(anyone, show, kinds):
    path = f"/api/movies/{show.movie_id}/shows/"
    assert [anyone.get(path).json()["results"][0]["seats_available"] for _ in range(2)] == [47, 47]


def test_a_cached_list_of_shows_counts_a_seat_as_free_once_its_hold_expires(anyone, show, monkeypatch):
    hold = make_hold(show=show)
    path = f"/api/movies/{show.movie_id}/shows/"
    before = anyone.get(path).json()["results"][0]["seats_available"]
    monkeypatch.setattr(timezone, "now", lambda: hold.expires_at)
    assert (before, anyone.get(path).json()["results"][0]["seats_available"]) == (49, 50)


def test_taken_seats_are_counted_show_by_show_at_a_time(show):
    make_hold(show=show, seat_number=1, expires_at=NOW)
    make_hold(show=show, seat_number=2)
    make_block(show=show, seat_number=3)
    other, empty = make_booking().show, make_show()
    assert count_taken_seats(show_ids=[show.pk, other.pk, empty.pk], now=NOW) == {show.pk: 2, other.pk: 1}
    assert count_taken_seats(show_ids=[], now=NOW) == {}


def test_a_seat_map_lists_each_taken_seat(user, show):
    make_booking(user=user, show=show, seat_number=9)
    make_hold(show=show, seat_number=2)
    make_hold(show=show, seat_number=3, expires_at=NOW)
    make_booking(show=show, seat_number=4, status="cancelled")
    make_block(show=show, seat_number=5)
    seat_map = read_seat_map(show_id=show.pk, now=NOW, user=user)
    assert seat_map.taken == [(2, "held", False), (5, "blocked", False), (9, "booked", True)]
    assert (seat_map.show, seat_map.seats_available) == (show, 47)


def test_an_unknown_show_has_no_seat_map(db):
    assert refusal_of(read_seat_map, show_id=10**9, now=NOW) == (NotFound, "not_found", {})


# --- What customers see -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["booked", "held", "expire", "released", "cancelled"]),
        ("?status=booked", ["booked"]),
        ("?status=held", ["held"]),
        ("?status=cancelled", ["expire", "released", "cancelled"]),
    ],
)
def test_customers_see_all_their_bookings_and_holds(client, kinds, query, names):
    results = client.get(f"/api/my-bookings/{query}").json()["results"]
    assert sorted(row["id"] for row in results) == ids(kinds, *names)


def test_a_customer_can_read_each_of_them_and_no_blocked_seat(client, kinds):
    answers = {name: client.get(f"/api/bookings/{row.pk}/") for name, row in kinds.items()}
    assert {name: answer.json().get("status") for name, answer in answers.items()} == {
        "booked": "booked",
        "held": "held",
        "expire": "cancelled",
        "released": "cancelled",
        "cancelled": "cancelled",
        "blocked": None,
    }


# --- What staff see ---------------------------------------------------------------------------


def test_staff_see_bookings_and_active_holds(staff, kinds):
    listed = staff.get(BOOKINGS).context["cl"].result_list
    assert sorted(row.pk for row in listed) == ids(kinds, "booked", "held", "cancelled")


def test_the_admin_shows_no_expired_hold(staff, kinds):
    statuses = {name: staff.get(f"{BOOKINGS}{row.pk}/change/").status_code for name, row in kinds.items()}
    assert [name for name, status in statuses.items() if status == 200] == ["booked", "held", "cancelled", "blocked"]


def test_the_list_of_shows_counts_booked_seats_as_sold(staff, kinds):
    [row] = staff.get(SHOWS).context["cl"].result_list
    assert row.seats_sold == 1


def test_the_box_office_cancels_an_active_hold(box_office, kinds):
    seen = f"{kinds['held'].pk}:{kinds['held'].seat_number}:held"
    response = act(box_office, BOOKINGS, "cancel", [kinds["held"]], seen=seen)
    assert page_messages(response) == ["1 booking cancelled."]
    assert list(Booking.objects.filter(status="held")) == [kinds["expire"]]


def test_a_held_seat_is_sold_only_to_its_holder(box_office, show, user):
    hold = hold_for(5, user=user, show=show, seat_number=7)
    other = hold_for(5, show=show, seat_number=8)
    sell(box_office, show, seat_number=7)
    sell(box_office, show, seat_number=8)
    assert list(Booking.objects.values_list("pk", "status").order_by("pk")) == [(hold.pk, "booked"), (other.pk, "held")]
    assert LogEntry.objects.get().object_id == str(hold.pk)


# --- A show that changes ----------------------------------------------------------------------


def test_a_show_with_blocked_seats_keeps_its_screen(show):
    make_block(show=show)
    call = {"show_id": show.pk, "now": NOW, "screen": make_screen(), "changed_by": make_user()}
    assert refusal_of(change_show, **call)[1] == "show_has_bookings"


@pytest.mark.parametrize("make", [make_hold, make_block])
def test_a_held_or_blocked_seat_keeps_its_label_in_another_plan(show, make):
    make(show=show, seat_number=21)
    redraw(show.screen, full_rows(50, 5, "S"))
    with pytest.raises(SeatsDiffer, match="C1"):
        switch_plan(show_id=show.pk, now=NOW)


def test_a_show_with_an_active_hold_keeps_its_screen(show):
    make_hold(show=show, expires_at=NOW + MINUTE)
    call = {"show_id": show.pk, "screen": make_screen(), "changed_by": make_user()}
    assert refusal_of(change_show, now=NOW, **call)[1] == "show_has_bookings"
    assert change_show(now=NOW + MINUTE, **call).screen == call["screen"]


def test_cancelling_a_show_ends_all_holds_and_counts_its_bookings(show):
    make_booking(show=show, seat_number=1)
    make_hold(show=show, seat_number=2)
    make_hold(show=show, seat_number=3, expires_at=NOW)
    make_block(show=show, seat_number=4)
    assert cancel_show(show_id=show.pk, now=NOW) == 1
    statuses = show.bookings.order_by("seat_number").values_list("status", "cancelled_at")
    assert list(statuses) == [("cancelled", NOW)] * 3 + [("blocked", None)]


def test_a_show_with_only_blocked_seats_can_be_deleted(show):
    make_block(show=show)
    delete_show(show_id=show.pk, now=NOW)
    assert (Show.objects.count(), Booking.objects.count()) == (0, 0)


def test_staff_delete_a_show_with_only_blocked_seats(staff, show):
    make_block(show=show)
    staff.post(f"{SHOWS}{show.pk}/delete/", {"post": "yes"})
    assert Show.objects.count() == 0


def test_a_show_with_an_active_hold_can_not_be_deleted(show):
    make_hold(show=show)
    assert refusal_of(delete_show, show_id=show.pk, now=NOW) == (ShowHasBookings, "show_has_bookings", {})


# --- Blocking seats ---------------------------------------------------------------------------


def block(show, *seat_numbers, now=NOW):
    return block_seats(show_id=show.pk, seat_numbers=seat_numbers, reason="Broken", now=now)


def unblock(show, *seat_numbers):
    return unblock_seats(show_id=show.pk, seat_numbers=seat_numbers)


def on_seats(show):
    return list(
        Booking.objects.occupying().filter(show=show).order_by("seat_number").values_list("seat_number", "status")
    )


def test_a_blocked_seat_has_a_reason_and_no_customer(show):
    rows = block(show, 5, 3)
    assert [row.seat_number for row in rows] == [5, 3]
    fields = ("status", "user", "reason", "created_at", "expires_at", "held_since")
    saved = list(show.bookings.order_by("pk").values_list("seat_number", *fields))
    assert saved == [(number, "blocked", None, "Broken", NOW, None, None) for number in (5, 3)]


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_all_seats_are_blocked_or_none(show, make):
    make(show=show, seat_number=5)
    before = on_seats(show)
    assert refusal_of(block, show, 4, 5) == (SeatTaken, "seat_taken", {"seats": [5]})
    assert on_seats(show) == before


def test_a_seat_with_an_expired_hold_can_be_blocked(show):
    hold = make_hold(show=show, seat_number=5, expires_at=NOW)
    block(show, 5)
    hold.refresh_from_db()
    assert (on_seats(show), hold.status, hold.cancelled_at) == ([(5, "blocked")], "cancelled", NOW)


def test_a_whole_hall_can_be_blocked(user):
    show = make_show(total_seats=2000, seats_per_row=100)
    block(show, *range(1, 2001))
    refusal = refusal_of(book_seat, user=user, show_id=show.pk, seat_number=1, now=NOW)
    assert refusal == (SoldOut, "sold_out", {})
    unblock(show, *range(1, 2001))
    assert on_seats(show) == []


@pytest.mark.parametrize("seat_number", [0, 51, 10**30])
def test_a_seat_outside_the_hall_can_not_be_blocked(show, seat_number):
    assert refusal_of(block, show, 1, seat_number) == (NoSuchSeat, "no_such_seat", {})


def test_seats_of_a_started_cancelled_or_unknown_show_can_not_be_blocked(show):
    assert refusal_of(block, show, 1, now=STARTS_AT) == (ShowStarted, "show_started", {})
    assert refusal_of(block, make_show(cancelled_at=NOW), 1) == (ShowCancelled, "show_cancelled", {})
    assert refusal_of(block, Show(pk=10**9), 1) == (NotFound, "not_found", {})


def test_an_unblocked_seat_can_be_booked(user, show):
    block(show, 5, 6)
    unblock(show, 5)
    book_seat(user=user, show_id=show.pk, seat_number=5, now=NOW)
    assert on_seats(show) == [(5, "booked"), (6, "blocked")]


def test_all_seats_are_unblocked_or_none(show):
    make_booking(show=show, seat_number=6)
    block(show, 5)
    assert refusal_of(unblock, show, 7, 5, 6) == (NotBlocked, "not_blocked", {"seats": [6, 7]})
    assert on_seats(show) == [(5, "blocked"), (6, "booked")]


def test_a_refusal_names_the_seats_that_are_not_blocked_by_their_labels(show):
    with pytest.raises(NotBlocked, match=r"^Not blocked: A7, B1\.$"):
        unblock(show, 11, 7)


def test_seats_of_an_unknown_show_can_not_be_unblocked(db):
    assert refusal_of(unblock, Show(pk=10**9), 1) == (NotFound, "not_found", {})
