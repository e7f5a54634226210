"""The history pages of shows and bookings."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from booking import services
from booking.models import Booking
from booking.services.seats.holds import release_expired_holds
from tests.admin.hall import act, history, hold, seen
from tests.conftest import signed_in
from tests.door import DOORS, MINUTE, admit, make_door_staff, offline, undo
from tests.factories import make_booking, make_show
from tests.staff import staff_with


def test_changes_in_the_hall_are_in_the_shows_history(staff, show, user):
    act(staff, show, "block", seats="2,3", reason="broken")
    act(staff, show, "unblock", seen=seen(show.bookings.get(seat_number=2)))
    act(staff, show, "sell", seats="1", customer="esha")
    booking = Booking.objects.sold().get()
    act(staff, show, "move", seen=seen(booking), seats="2")
    act(staff, show, "cancel", seen=seen(booking, seat=2))
    assert history(staff, show) == [
        ("boss", "Blocked A2, A3 (broken)."),
        ("boss", "Unblocked A2."),
        ("boss", f"{booking.reference} A1: Sold to esha."),
        ("boss", f"{booking.reference} A1: Moved from A1 to A2."),
        ("boss", f"{booking.reference} A2: Cancelled."),
    ]


def test_changes_by_a_customer_over_the_api_are_in_both_histories(box_office, show, user):
    customer = signed_in(user)
    booking = Booking(pk=customer.post(f"/api/shows/{show.pk}/book/", {"seat_number": 1}).json()["id"])
    customer.post(f"/api/bookings/{booking.pk}/move/", {"seat_number": 2})
    customer.post(f"/api/bookings/{booking.pk}/cancel/")
    booking.refresh_from_db()
    lines = ["Booked.", "Moved from A1 to A2.", "Cancelled."]
    assert history(box_office, booking) == [("esha", line) for line in lines]
    named = zip(("A1", "A1", "A2"), lines, strict=True)
    assert history(box_office, show) == [("esha", f"{booking.reference} {seat}: {line}") for seat, line in named]


def test_the_history_of_a_booked_hold_lists_both(box_office, show, user):
    customer = signed_in(user)
    customer.post(f"/api/shows/{show.pk}/hold/", {"seat_numbers": [1]})
    customer.post(f"/api/shows/{show.pk}/book/", {"seat_number": 1})
    assert history(box_office, show.bookings.get()) == [("esha", "Held."), ("esha", "Booked.")]


def test_an_expired_hold_has_no_user_in_the_history(staff, show, user):
    ended = timezone.now() - timedelta(minutes=1)
    hold(show, user, 1, held_since=ended - timedelta(minutes=10), expires_at=ended)
    release_expired_holds(expired_by=timezone.now())
    booking = show.bookings.get()
    assert history(staff, show) == [("esha", f"{booking}: Held."), ("", f"{booking}: The hold expired.")]


def test_the_history_reports_that_a_booking_was_cancelled_with_its_show(staff, show, user):
    booking = make_booking(show=show, user=user, created_at=timezone.now())
    services.cancel_show(show_id=show.pk, now=timezone.now())
    assert history(staff, booking) == [("esha", "Booked."), ("", "Cancelled with the show.")]


def test_a_sale_on_the_bookings_page_names_the_customer(box_office, show, user):
    box_office.post("/admin/booking/booking/add/", {"show": show.pk, "seat_number": 7, "customer": "esha"})
    assert history(box_office, show.bookings.get()) == [("seller", "Sold to esha.")]


def test_staff_who_may_not_view_bookings_see_only_the_show_s_history(staff, show, user):
    act(staff, show, "block", seats="2", reason="broken")
    act(staff, show, "sell", seats="1", customer="esha")
    assert history(staff_with("view_show"), show) == [("boss", "Blocked A2 (broken).")]


def test_a_long_history_has_pages(staff, user):
    show = make_show(total_seats=150)
    for seat in range(1, 102):
        make_booking(show=show, user=user, seat_number=seat)
    path = f"/admin/booking/show/{show.pk}/history/"
    pages = [staff.get(path, {"p": number}) for number in (1, 2)]
    assert [len(page.context["action_list"]) for page in pages] == [100, 1]
    assert "101 entries" in pages[0].content.decode()


@pytest.mark.parametrize("sold", [1, 30])
def test_a_long_history_costs_as_many_queries_as_a_short_one(box_office, show, sold, django_assert_num_queries):
    for seat in range(1, sold + 1):
        make_booking(show=show, seat_number=seat)
    history(box_office, show)
    with django_assert_num_queries(8):
        history(box_office, show)


def test_the_history_of_a_missing_show_is_not_found(staff, db):
    assert staff.get("/admin/booking/show/999/history/").status_code == 302


def test_a_refused_move_is_not_in_the_history(box_office, show):
    booking = make_booking(show=show)
    make_booking(show=show, seat_number=2)
    act(box_office, show, "move", seen=seen(booking), seats="2")
    assert not LogEntry.objects.exists()


def test_the_history_of_a_booking_lists_its_scans(staff, show, user):
    booking, door = make_booking(show=show, user=user), make_door_staff()
    admit(booking, door, device="Left door")
    offline(booking, door, scanned_at=DOORS + MINUTE)
    undo(booking, door, now=DOORS + 11 * MINUTE)
    page = staff.get(f"/admin/booking/booking/{booking.pk}/history/")
    scans = [(event.user, event.message) for event in page.context["action_list"]][1:]
    late = "Admitted, scanned at 17:31:00, though already checked in."
    assert scans == [(door, "Admitted at Left door."), (door, late), (door, "Admission undone: Wrong ticket")]
