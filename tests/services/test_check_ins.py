"""Admitting at the door, called directly with its own time."""

from decimal import Decimal

import pytest

from booking.models import Booking, CheckIn, Order, Show
from booking.services import (
    AlreadyCheckedIn,
    NonceReused,
    NotCheckedIn,
    NotFound,
    NotYetOpen,
    Refusal,
    SeatNeeded,
    TicketCancelled,
    TicketInvalid,
    TicketUnpaid,
    WrongShow,
    cancel_booking,
    delete_show,
    move_booking,
    undo_admission,
)
from booking.services.door.tickets import sign_ticket
from booking.services.seats.holds import release_expired_holds
from tests.door import DOORS, MINUTE, admit, let_check_in, make_door_staff, offline, scan_of, stored, undo
from tests.factories import (
    NOW,
    STARTS_AT,
    make_booking,
    make_hold,
    make_payment,
    make_screen,
    make_show,
    make_ticket_type,
)
from tests.tills import make_payment as make_till_payment
from tests.tills import make_refund

OPENS_AT = STARTS_AT - 45 * MINUTE
UNKNOWN = 10**9


@pytest.fixture
def door(db):
    return make_door_staff()


@pytest.fixture
def booking(show):
    return make_booking(show=show, seat_number=5)


@pytest.fixture
def pair(booking):
    """A second booking in the order of `booking`."""
    return make_booking(show=booking.show, user=booking.user, seat_number=6, reference=booking.reference)


def refused(call, *args, **kwargs):
    """Return the refusal's class, its detail and its other members."""
    with pytest.raises(Refusal) as caught:
        call(*args, **kwargs)
    return type(caught.value), caught.value.detail, caught.value.extra


# --- Admitting --------------------------------------------------------------------------------


def test_a_booking_of_an_order_with_a_refund_is_admitted(door, booking):
    make_refund(make_till_payment(Order.objects.get()))
    assert admit(booking, door).booking == booking


def test_a_booking_is_admitted(door, booking):
    scanned = admit(booking, door, nonce="n-1", device="left")
    row = CheckIn.objects.values("show", "booking_id", "action", "reason", "device", "nonce", "by", "scanned_at", "at")
    expected = {"show": booking.show_id, "booking_id": booking.pk, "action": "in", "reason": "", "device": "left"}
    assert row.get() == expected | {"nonce": "n-1", "by": door.pk, "scanned_at": DOORS, "at": DOORS}
    assert (scanned.booking, scanned.check_in.pk, scanned.conflict) == (booking, CheckIn.objects.get().pk, None)


def test_an_order_of_one_seat_needs_no_label(door, booking):
    assert admit(booking, door, seat_label="").booking == booking


def test_an_order_of_several_seats_needs_a_label(door, booking, pair):
    detail = f"Choose a seat of {booking.reference}: A5, A6."
    assert refused(admit, booking, door, seat_label="")[:2] == (SeatNeeded, detail)
    assert admit(pair, door).booking == pair


def test_cancelled_seats_of_an_order_are_not_offered(door, booking, pair):
    Booking.objects.filter(pk=pair.pk).update(status="cancelled", cancelled_at=NOW)
    assert admit(booking, door, seat_label="").booking == booking


def test_a_seat_that_was_cancelled_and_booked_again_is_admitted(door, booking):
    make_booking(show=booking.show, seat_number=5, status="cancelled", reference=booking.reference)
    assert admit(booking, door).booking == booking


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"reference": "ACDEFGHJ"}, "There is no order with this reference."),
        ({"seat_label": "C9"}, "{reference} has no seat C9."),
    ],
)
def test_a_seat_that_nobody_booked_has_no_ticket(door, booking, fields, detail):
    expected = (TicketInvalid, detail.format(reference=booking.reference), {})
    assert refused(admit, booking, door, **fields) == expected


def test_a_held_seat_has_no_ticket(door, show):
    assert refused(admit, make_hold(show=show), door)[:2] == (TicketInvalid, "This seat is not booked.")


def test_a_show_that_does_not_exist_is_not_found(door, booking):
    booking.show.pk = UNKNOWN
    assert refused(admit, booking, door)[0] == NotFound


def test_the_refusal_names_the_other_show_of_an_order(door, booking):
    other = make_show(screen=make_screen(name="Blue Room"), starts_at=STARTS_AT + 3 * MINUTE)
    order = make_booking(show=other)
    detail = f"This ticket is for {other.movie.title}, Mon 01 Jun 2099 18:03, Blue Room."
    extra = {"screen": "Blue Room", "starts_at": "2099-06-01T18:03:00+00:00"}
    assert refused(admit, order, door, show=booking.show) == (WrongShow, detail, extra)


def test_a_booking_is_admitted_once(door, booking):
    admit(booking, door)
    extra = {"admitted_at": "2099-06-01T17:30:00+00:00"}
    assert refused(admit, booking, door, now=DOORS + MINUTE) == (
        AlreadyCheckedIn,
        "A5 was already admitted at 17:30.",
        extra,
    )
    assert stored(booking) == [("in", "")]


def test_the_doors_open_some_time_before_the_start(door, booking, pair):
    extra = {"opens_at": "2099-06-01T17:15:00+00:00"}
    early = refused(admit, booking, door, now=OPENS_AT - MINUTE)
    assert early == (NotYetOpen, "The doors open at 17:15.", extra)
    assert admit(booking, door, now=OPENS_AT).booking == booking
    assert admit(pair, door, now=STARTS_AT + 5 * MINUTE).booking == pair


def test_the_refusal_on_an_earlier_day_has_the_day(door, booking):
    let_check_in(door, "Box office")
    assert refused(admit, booking, door, now=NOW)[1] == "The doors open at 17:15 on Mon 01 Jun."


def test_a_cancelled_booking_is_not_admitted(door, booking):
    Booking.objects.update(status="cancelled", cancelled_at=NOW)
    detail = "This booking was cancelled on Sun 31 May at 18:00."
    assert refused(admit, booking, door) == (TicketCancelled, detail, {"why": "cancelled"})


def test_an_unpaid_order_is_refused_with_the_amount_due(door, booking, pair):
    Booking.objects.update(price=Decimal("12.00"), ticket_type=make_ticket_type())
    detail = f"24.00 EUR is still to be paid for {booking.reference}."
    assert refused(admit, booking, door) == (TicketUnpaid, detail, {"due": "24.00"})


def paid(booking, amount):
    Booking.objects.update(price=Decimal("12.00"), ticket_type=make_ticket_type())
    make_payment(booking, amount)


@pytest.mark.parametrize("amount", ["12.00", "24.00"])
def test_a_paid_order_is_admitted(door, booking, amount):
    paid(booking, amount)
    assert admit(booking, door).booking == booking


def test_a_held_seat_of_the_order_does_not_prevent_an_admission(door, booking):
    make_hold(show=booking.show, user=booking.user, reference=booking.reference, seat_number=8)
    paid(booking, "12.00")
    assert admit(booking, door).booking == booking


# --- Tickets ----------------------------------------------------------------------------------


def present(booking, by, ticket, **fields):
    """Scans the text of a ticket at the door of the booking's show."""
    return admit(booking, by, ticket=ticket, reference="", seat_label="", **fields)


def test_a_ticket_is_admitted(door, booking, pair):
    assert [present(one, door, sign_ticket(booking=one)).booking for one in (booking, pair)] == [booking, pair]


def test_an_unsigned_text_is_refused(door, booking):
    detail = "This is not a ticket of this cinema."
    assert refused(present, booking, door, "a.b.c") == (TicketInvalid, detail, {})


def test_a_ticket_of_a_booking_that_does_not_exist_is_invalid(door, booking):
    ticket = sign_ticket(booking=Booking(pk=UNKNOWN, show=booking.show, seat_number=5))
    assert refused(present, booking, door, ticket)[:2] == (TicketInvalid, "This seat is not booked.")


def test_the_refusal_names_the_other_show_of_a_ticket(door, booking):
    ticket = sign_ticket(booking=make_booking(show=make_show(screen=make_screen(name="Blue Room"))))
    refusal, _, extra = refused(present, booking, door, ticket)
    assert (refusal, extra["screen"]) == (WrongShow, "Blue Room")


def test_a_ticket_of_a_show_that_was_deleted_is_invalid(door, booking):
    ticket = sign_ticket(booking=Booking(pk=1, show_id=UNKNOWN, seat_number=5))
    assert refused(present, booking, door, ticket)[0] == TicketInvalid


def test_the_ticket_of_a_moved_seat_is_invalid(door, booking):
    ticket = sign_ticket(booking=booking)
    moved = move_booking(user=booking.user, booking_id=booking.pk, seat_number=7, now=NOW)
    detail = "This booking was moved to A7 and has a newer ticket."
    assert refused(present, booking, door, ticket) == (TicketCancelled, detail, {"why": "moved"})
    moved.refresh_from_db()
    assert present(booking, door, sign_ticket(booking=moved)).booking == moved


def test_the_ticket_of_a_cancelled_booking_is_invalid(door, booking):
    ticket = sign_ticket(booking=booking)
    cancel_booking(user=booking.user, booking_id=booking.pk, now=NOW)
    assert refused(present, booking, door, ticket)[2] == {"why": "cancelled"}


def test_a_ticket_that_was_issued_again_replaces_the_earlier_one(door, booking):
    ticket = sign_ticket(booking=booking)
    Booking.objects.update(ticket_serial=2)
    detail = "This ticket of A5 was sent again; only the newest one is valid."
    assert refused(present, booking, door, ticket) == (TicketCancelled, detail, {"why": "replaced"})


# --- Repeated and offline scans ---------------------------------------------------------------


def test_a_repeated_nonce_gets_the_same_answer(door, booking):
    scan = scan_of(booking)
    first, again = admit(booking, door, scan=scan), admit(booking, door, scan=scan, now=DOORS + MINUTE)
    assert (again.check_in, again.conflict, len(stored(booking))) == (first.check_in, None, 1)


def test_a_nonce_of_another_scan_is_refused(door, booking, pair):
    admit(booking, door, nonce="same")
    assert refused(admit, pair, door, nonce="same")[0] == NonceReused
    assert refused(undo, booking, door, nonce="same")[0] == NonceReused


def test_a_nonce_of_another_device_is_refused(door, booking):
    admit(booking, door, nonce="same", device="left")
    assert refused(admit, booking, door, nonce="same", device="right")[0] == NonceReused
    assert admit(booking, door, nonce="same", device="left").conflict is None


def test_a_nonce_belongs_to_its_show(door, booking):
    other = make_booking(seat_number=5)
    assert [admit(one, door, nonce="same").booking for one in (booking, other)] == [booking, other]


def test_a_scan_made_offline_is_stored_with_its_own_time(door, booking):
    scanned = offline(booking, door, scanned_at=DOORS + MINUTE)
    times = CheckIn.objects.values_list("scanned_at", "at").get()
    assert (times, scanned.conflict) == ((DOORS + MINUTE, DOORS + 10 * MINUTE), None)


@pytest.mark.parametrize(
    ("scanned_at", "stored_at"), [(DOORS + 99 * MINUTE, DOORS + 10 * MINUTE), (NOW - 99 * MINUTE, NOW)]
)
def test_the_time_of_a_device_with_a_wrong_clock_is_corrected(door, booking, scanned_at, stored_at):
    offline(booking, door, scanned_at=scanned_at)
    assert CheckIn.objects.get().scanned_at == stored_at


def test_a_scan_made_offline_is_stored_although_the_booking_is_admitted(door, booking):
    admit(booking, door)
    assert offline(booking, door).conflict == "already_checked_in"
    assert stored(booking) == [("in", ""), ("in", "already_checked_in")]


@pytest.mark.parametrize(
    ("changes", "conflict"),
    [
        ({"status": "cancelled", "cancelled_at": NOW}, "ticket_cancelled"),
        ({"price": Decimal(12)}, "ticket_unpaid"),
    ],
)
def test_a_scan_made_offline_is_stored_although_the_rules_refuse_it(door, booking, changes, conflict):
    Booking.objects.update(**changes)
    assert offline(booking, door).conflict == conflict
    assert stored(booking) == [("in", conflict)]


def test_a_scan_made_offline_counts_as_too_early_by_its_own_time(door, booking, pair):
    assert offline(booking, door, scanned_at=OPENS_AT - MINUTE).conflict == "not_yet_open"
    assert offline(pair, door, scanned_at=OPENS_AT, now=OPENS_AT + MINUTE).conflict is None


def test_a_repeated_offline_scan_gets_the_same_conflict(door, booking):
    admit(booking, door)
    scan = scan_of(booking, scanned_at=DOORS)
    assert [admit(booking, door, scan=scan).conflict for _ in range(2)] == ["already_checked_in"] * 2
    assert len(stored(booking)) == 2


@pytest.mark.parametrize("scan", [admit, offline])
def test_a_hold_that_ended_has_no_scans_and_its_show_can_be_deleted(door, show, scan):
    hold = make_hold(show=show, expires_at=NOW)
    release_expired_holds(expired_by=DOORS)
    assert refused(scan, hold, door)[0] == TicketInvalid
    delete_show(show_id=show.pk, now=DOORS)
    assert not Show.objects.exists()


# --- Undoing ----------------------------------------------------------------------------------


def test_an_admission_is_undone_with_a_reason(door, booking):
    admit(booking, door)
    assert undo(booking, door, reason="Wrong screen").conflict is None
    assert stored(booking) == [("in", ""), ("undo", "Wrong screen")]


def test_a_booking_can_be_admitted_after_its_admission_was_undone(door, booking):
    for _ in range(2):
        admit(booking, door)
        undo(booking, door)
    assert admit(booking, door).booking == booking


def test_a_booking_that_is_not_admitted_can_not_be_undone(door, booking):
    assert refused(undo, booking, door) == (NotCheckedIn, "A5 is not admitted.", {})
    admit(booking, door)
    undo(booking, door)
    assert refused(undo, booking, door)[0] == NotCheckedIn


def test_one_of_two_admissions_is_left_after_an_undo(door, booking):
    admit(booking, door)
    offline(booking, door)
    undo(booking, door)
    assert refused(admit, booking, door)[0] == AlreadyCheckedIn


def test_an_undo_that_is_repeated_is_done_once(door, booking):
    admit(booking, door)
    first, again = undo(booking, door, nonce="u"), undo(booking, door, nonce="u")
    assert (again.check_in, len(stored(booking))) == (first.check_in, 2)


def test_a_booking_of_another_show_can_not_be_undone(door, booking):
    admit(booking, door)
    call = {"booking_id": booking.pk, "reason": "x", "by": door, "nonce": "u", "now": DOORS}
    assert refused(undo_admission, show_id=make_show().pk, **call)[0] == NotFound
    assert refused(undo_admission, show_id=UNKNOWN, **call)[0] == NotFound
