"""The texts of tickets, their keys, and their invalidation."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import partial
from secrets import token_bytes

import jwt
import pytest
from django.db import connection

from booking import services
from booking.models import Booking, Order
from booking.services import NotFound, book_seat, find_ticket, find_tickets, hold_seats, split_order
from booking.services.door import tickets
from booking.services.door.check_ins import TicketUnpaid
from booking.services.door.tickets import TicketInvalid, read_ticket, sign_ticket
from tests.bank import make_paid_show
from tests.door import admit, make_door_staff
from tests.factories import NOW, PASSWORD, make_booking, make_user
from tests.races import at_once


@pytest.fixture
def booking(user, show):
    return make_booking(user=user, show=show, seat_number=5)


def serial_of(booking):
    return Booking.objects.values_list("ticket_serial", flat=True).get(pk=booking.pk)


def altered(ticket, part, text):
    parts = ticket.split(".")
    parts[part] = text
    return ".".join(parts)


def test_a_ticket_contains_show_booking_seat_and_serial(booking):
    assert read_ticket(sign_ticket(booking=booking)) == (booking.show_id, booking.pk, 5, 1)


def test_a_ticket_fits_into_a_small_qr_code():
    large = sign_ticket(booking=Booking(show_id=99_999, pk=9_999_999, seat_number=999, ticket_serial=9))
    # The capacity of a code of version 9, with 53 modules a side, at level M.
    assert len(large) <= 180


def test_a_ticket_is_the_same_each_time(booking):
    assert sign_ticket(booking=booking) == sign_ticket(booking=booking)


def test_a_scanner_may_add_spaces_around_it(booking):
    assert read_ticket(f" {sign_ticket(booking=booking)}\r\n").booking_id == booking.pk


def test_the_header_has_the_algorithm_and_the_key(booking):
    [key] = services.public_keys()
    assert jwt.get_unverified_header(sign_ticket(booking=booking)) == {"alg": "EdDSA", "kid": key["kid"]}


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "é", "\ud800", "x" * 501, "1" * 5000, "eyJhbGciOiJub25lIn0.e30."])
def test_other_texts_are_refused(text):
    with pytest.raises(TicketInvalid):
        read_ticket(text)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_ticket_with_another_part_is_invalid(booking, part):
    other = sign_ticket(booking=make_booking(seat_number=6))
    parts = sign_ticket(booking=booking).split(".")
    changed = altered(sign_ticket(booking=booking), part, other.split(".")[part] if part else parts[0][:-2])
    with pytest.raises(TicketInvalid):
        read_ticket(changed)


def signed(settings, claims, **headers):
    """Sign a text with the key of tickets."""
    key = tickets._signing_key(settings.TICKET_SIGNING_KEYS[0])
    return jwt.encode(claims, key.private, "EdDSA", {"kid": key.key_id} | headers)


@pytest.mark.parametrize(
    "claims",
    [
        *[{}, {"s": 1, "b": 2, "n": 3}, {"s": 1, "b": "2", "n": 3, "v": 1}, {"s": True, "b": 2, "n": 3, "v": 1}],
        *[{"s": 1, "b": number, "n": 3, "v": 1} for number in (0, -2, 2**63, 10**30)],
    ],
)
def test_signed_claims_of_another_kind_are_refused(settings, claims):
    with pytest.raises(TicketInvalid):
        read_ticket(signed(settings, claims))


@pytest.mark.parametrize("key_id", ["other", "", "../key"])
def test_a_ticket_of_an_unknown_key_is_invalid(settings, key_id):
    with pytest.raises(TicketInvalid):
        read_ticket(signed(settings, {"s": 1, "b": 2, "n": 3, "v": 1}, kid=key_id))


def test_a_ticket_signed_with_the_public_key_as_a_password_is_invalid(settings):
    [key] = services.public_keys()
    forged = jwt.encode({"s": 1, "b": 2, "n": 3, "v": 1}, key["x"] * 2, "HS256", {"kid": key["kid"]})
    with pytest.raises(TicketInvalid):
        read_ticket(forged)


# --- Keys -------------------------------------------------------------------------------------


def test_tickets_of_the_old_key_are_valid_after_a_change(settings, booking):
    old, [old_key] = sign_ticket(booking=booking), services.public_keys()
    settings.TICKET_SIGNING_KEYS = [token_bytes(32), *settings.TICKET_SIGNING_KEYS]
    new, [new_key, *_] = sign_ticket(booking=booking), services.public_keys()
    assert [jwt.get_unverified_header(ticket)["kid"] for ticket in (old, new)] == [old_key["kid"], new_key["kid"]]
    assert read_ticket(old) == read_ticket(new)


def test_tickets_of_a_removed_key_are_invalid(settings, booking):
    ticket = sign_ticket(booking=booking)
    settings.TICKET_SIGNING_KEYS = [token_bytes(32)]
    with pytest.raises(TicketInvalid):
        read_ticket(ticket)


def test_a_public_key_has_no_secret(settings):
    [key] = services.public_keys()
    [secret] = settings.TICKET_SIGNING_KEYS
    assert set(key) == {"kty", "crv", "alg", "use", "kid", "x"}
    assert urlsafe_b64decode(key["x"] + "=") != secret
    assert urlsafe_b64encode(secret).decode().rstrip("=") not in str(key)


# --- What raises the serial -------------------------------------------------------------------


@pytest.mark.parametrize("by_staff", [False, True])
def test_a_move_invalidates_the_ticket(booking, user, by_staff):
    by = make_user(is_staff=True) if by_staff else None
    moved = services.move_booking(user=user, booking_id=booking.pk, seat_number=6, now=NOW, moved_by=by)
    assert (serial_of(booking), moved.ticket_serial) == (2, 2)


def test_a_move_to_the_same_seat_does_not_invalidate_the_ticket(booking, user):
    services.move_booking(user=user, booking_id=booking.pk, seat_number=5, now=NOW)
    assert serial_of(booking) == 1


def test_a_cancellation_invalidates_the_ticket(booking, user):
    services.cancel_booking(user=user, booking_id=booking.pk, now=NOW)
    assert serial_of(booking) == 2


def test_a_cancelled_show_invalidates_its_tickets(booking):
    services.cancel_show(show_id=booking.show_id, now=NOW, cancelled_by=make_user(is_staff=True))
    assert serial_of(booking) == 2


def test_other_bookings_keep_their_tickets(booking, user):
    other = make_booking(user=user, show=booking.show, seat_number=8)
    services.cancel_booking(user=user, booking_id=booking.pk, now=NOW)
    assert serial_of(other) == 1


def test_the_tickets_of_a_deleted_account_are_invalid(booking, user):
    services.delete_account(user=user, password=PASSWORD, now=NOW)
    assert serial_of(booking) == 2


# --- Finding them -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_ticket_is_found_while_staff_split_its_order(user, show):
    _stays, leaves = (make_booking(user=user, show=show, seat_number=seat, reference="ACDEFGHJ") for seat in (5, 6))
    order, clerk = Order.objects.get(), make_user()
    split = partial(split_order, order_id=order.pk, seat_numbers=[6], now=NOW, split_by=clerk)
    statements = []

    def split_before_the_second_statement(run, sql, *args):
        statements.append(sql)
        if len(statements) == 2:
            at_once([split])
        return run(sql, *args)

    with connection.execute_wrapper(split_before_the_second_statement):
        ticket = find_ticket(user=user, booking_id=leaves.pk, now=NOW)
    assert (ticket.booking, ticket.seats) == (leaves, [leaves])


def test_an_order_without_bookings_has_no_tickets(user, show):
    Order.objects.create(show=show, user=user, reference="ACDEFGHJ", created_at=NOW)
    with pytest.raises(NotFound):
        find_tickets(user=user, reference="ACDEFGHJ", now=NOW)


def test_the_amount_due_is_the_same_on_the_ticket_and_at_the_door(user):
    show = make_paid_show()
    hold_seats(user=user, show_id=show.pk, seat_numbers=[1, 2], now=NOW)
    booking = book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW)
    with pytest.raises(TicketUnpaid) as refusal:
        admit(booking, make_door_staff())
    due = find_ticket(user=user, booking_id=booking.pk, now=NOW).due
    assert (due, refusal.value.extra["due"]) == (12, "12.00")
