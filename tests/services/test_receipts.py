"""Receipts: their content as lines and as PDF, and numbers without gaps."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial

import pypdfium2
import pytest
from django.db import IntegrityError, connection

from booking.models import Booking, Order, Receipt, Refund
from booking.services import (
    cancel_bookings,
    issue_receipt,
    move_booking,
    read_receipt,
    receipt_pdf,
    sell_and_take_payment,
)
from booking.services.money import receipts
from booking.services.seats.seen_seats import SeenSeat
from tests.factories import NOW, make_movie
from tests.races import all_read_before_one_writes, at_once, parallel_writers
from tests.tills import make_clerk, make_payment, make_priced_show, sell, take, till_of

pytestmark = pytest.mark.django_db(transaction=True)
ISSUED = datetime(2099, 5, 31, 12, tzinfo=timezone.utc)


@pytest.fixture
def clerk():
    clerk = make_clerk()
    till_of(clerk)
    return clerk


@pytest.fixture
def show():
    return make_priced_show(movie=make_movie(title="Алиса & <b>Éva</b>"))


def paid(show, clerk, *seats, **more):
    order = sell(show, *seats, clerk=clerk)
    take(order, clerk, **more)
    return order


def read(order):
    issue_receipt(order=order, now=ISSUED)
    return read_receipt(order=order)


def lines(order):
    """Return the lines of the order's first receipt, which is issued if there is none."""
    if read_receipt(order=order) is None:
        issue_receipt(order=order, now=ISSUED)
    return read_receipt(order=order).lines


def pdf_text(order):
    """Return the text of each page."""
    document = pypdfium2.PdfDocument(receipt_pdf(content=read(order)))
    return [page.get_textpage().get_text_bounded() for page in document]


# --- What it says -----------------------------------------------------------------------------


def test_a_receipt_has_number_order_seats_sum_and_payment(show, clerk, settings):
    settings.RECEIPT_ISSUER = ["Lumière", "VAT 1"]
    order = paid(show, clerk, 1, 11, given=Decimal(30))
    said = lines(order)
    assert (said.head, said.title) == (["Lumière", "VAT 1"], "Receipt 2099-000001")
    assert said.order == [
        f"31 May 2099, 12:00, order {order.reference}",
        f"Алиса & <b>Éva</b>, {show.screen}, 1 June 2099, 18:00",
    ]
    assert (said.seats, said.sums) == ([("A1, Adult", "12.00"), ("B1, Adult", "15.00")], [("Total in EUR", "27.00")])
    [(text, amount)] = said.payments
    assert (text.startswith("Paid in cash, "), text.endswith("(30.00 given, 3.00 change)"), amount) == (
        True,
        True,
        "27.00",
    )


@pytest.mark.parametrize(
    ("percent", "line"), [("9", ("Contains 9% tax", "0.99")), ("7.70", ("Contains 7.7% tax", "0.86"))]
)
def test_a_receipt_has_the_tax_that_the_prices_contain(show, clerk, settings, percent, line):
    settings.TAX_PERCENT = Decimal(percent)
    assert lines(paid(show, clerk, 1)).sums == [("Total in EUR", "12.00"), line]


def test_a_receipt_has_refunds_and_the_amount_due(show, clerk):
    order = paid(show, clerk, 1, 2)
    booking = Booking.objects.get(seat_number=2)
    seen = SeenSeat(booking.pk, 2, booking.status)
    cancel_bookings(show_id=show.pk, seen=[seen], now=NOW, cancelled_by=clerk)
    said = lines(order)
    assert (said.seats, said.payments[1:]) == (
        [("A1, Adult", "12.00")],
        [("Refund of 31 May 2099, 18:00, not paid back yet", "−12.00")],  # noqa: RUF001
    )
    Refund.objects.update(status="done", settled_at=NOW + timedelta(minutes=1))
    assert lines(order).payments[2:] == [("Later: Refund of 31 May 2099, 18:00, paid back, 31 May 2099, 18:01", "")]


def test_a_receipt_has_the_refunds_that_were_paid_back_before(show, clerk):
    order = paid(show, clerk, 1, 2)
    booking = Booking.objects.get(seat_number=2)
    cancel_bookings(show_id=show.pk, seen=[SeenSeat(booking.pk, 2, "booked")], now=NOW, cancelled_by=clerk)
    Refund.objects.update(status="done", settled_at=NOW)
    assert lines(order).payments[1:] == [("Paid back, 31 May 2099, 18:00", "−12.00")]  # noqa: RUF001


def test_a_receipt_does_not_change_after_it_was_issued(show, clerk, settings):
    settings.TAX_PERCENT, settings.RECEIPT_ISSUER = Decimal(19), ["Lumière"]
    order = paid(show, clerk, 1, 2)
    issued = lines(order)
    settings.TAX_PERCENT, settings.RECEIPT_ISSUER = Decimal(7), ["Odeon"]
    booking = Booking.objects.get(seat_number=2)
    seen = SeenSeat(booking.pk, 2, booking.status)
    cancel_bookings(show_id=show.pk, seen=[seen], now=NOW, cancelled_by=clerk)
    later = ("Later: Refund of 31 May 2099, 18:00, not paid back yet", "−12.00")  # noqa: RUF001
    assert lines(Order.objects.get()) == replace(issued, payments=[*issued.payments, later])


def test_total_tax_and_currency_are_stored(show, clerk, settings):
    settings.TAX_PERCENT = Decimal(9)
    content = read(paid(show, clerk, 1)).receipt.content
    assert [content[name] for name in ("total", "tax_percent", "currency")] == ["12.00", "9", "EUR"]


def test_a_receipt_of_an_earlier_version_has_current_data(show, clerk):
    order = paid(show, clerk, 1)
    said = lines(order)
    Receipt.objects.update(content=None)
    assert lines(order) == said


def test_a_receipt_of_a_partial_payment_has_the_rest_due(show):
    order = sell(show, 1)
    make_payment(order, amount=Decimal(5), method="card")
    assert lines(order).payments[1:] == [("Due in EUR", "7.00")]


def test_a_receipt_does_not_list_declined_payments(show, clerk):
    order = paid(show, clerk, 1)
    make_payment(order, provider="demo", status="failed")
    assert len(lines(order).payments) == 1


def test_times_are_those_of_the_cinema(show, clerk, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    assert lines(paid(show, clerk, 1)).order[0].startswith("31 May 2099, 21:00")


def test_an_order_without_a_receipt_has_none(show, clerk):
    assert read_receipt(order=paid(show, clerk, 1)) is None


# --- Further receipts -------------------------------------------------------------------------


def further(order):
    """Issue a receipt for what was paid or refunded since the last one, and return its lines."""
    receipt = issue_receipt(order=order, now=ISSUED)
    return read_receipt(order=order, position=receipt.position).lines


def test_a_further_receipt_is_for_what_was_paid_since_the_last_one(show, clerk, settings):
    settings.TAX_PERCENT = Decimal(9)
    order = paid(show, clerk, 1)
    issue_receipt(order=order, now=ISSUED)
    move_booking(user=None, booking_id=Booking.objects.get().pk, seat_number=11, now=NOW, moved_by=clerk)
    make_payment(order, amount=Decimal(3), method="card")
    said = further(order)
    assert (said.title, said.seats) == ("Receipt 2099-000002", [("B1, Adult", "15.00")])
    assert said.sums == [
        ("Total in EUR", "15.00"),
        ("On earlier receipts", "12.00"),
        ("Difference in EUR", "3.00"),
        ("Contains 9% tax", "0.25"),
    ]
    [(text, amount)] = said.payments
    assert (text.startswith("Paid by card, "), amount) == (True, "3.00")


def test_a_further_receipt_has_the_refund_of_cancelled_seats(show, clerk, settings):
    settings.TAX_PERCENT = Decimal(9)
    order = paid(show, clerk, 1, 2)
    issue_receipt(order=order, now=ISSUED)
    booking = Booking.objects.get(seat_number=2)
    cancel_bookings(show_id=show.pk, seen=[SeenSeat(booking.pk, 2, "booked")], now=NOW, cancelled_by=clerk)
    said = further(order)
    assert said.sums[2:] == [("Difference in EUR", "−12.00"), ("Contains 9% tax", "−0.99")]  # noqa: RUF001
    assert said.payments == [("Refund of 31 May 2099, 18:00, not paid back yet", "−12.00")]  # noqa: RUF001


def tax_on(lines):
    """Return the line with the tax."""
    return next(row for row in lines.sums if "tax" in row[0])


def test_a_further_receipt_has_the_tax_rate_of_the_first_one(show, clerk, settings):
    settings.TAX_PERCENT = Decimal(19)
    order = paid(show, clerk, 1)
    assert tax_on(lines(order)) == ("Contains 19% tax", "1.92")
    settings.TAX_PERCENT = Decimal(7)
    cancel_bookings(
        show_id=show.pk, seen=[SeenSeat(Booking.objects.get().pk, 1, "booked")], now=NOW, cancelled_by=clerk
    )
    assert tax_on(further(order)) == ("Contains 19% tax", "−1.92")  # noqa: RUF001


def test_the_taxes_of_all_receipts_sum_to_the_tax_of_the_total(show, clerk, settings):
    settings.TAX_PERCENT = Decimal(19)
    order = paid(show, clerk, 1)
    taxes = [tax_on(lines(order))[1]]
    booking = Booking.objects.get()
    move_booking(user=None, booking_id=booking.pk, seat_number=11, now=NOW, moved_by=clerk)
    make_payment(order, amount=Decimal(3), method="card")
    taxes.append(tax_on(further(order))[1])
    cancel_bookings(show_id=show.pk, seen=[SeenSeat(booking.pk, 11, "booked")], now=NOW, cancelled_by=clerk)
    taxes.append(tax_on(further(order))[1])
    # The tax of the second difference, 3.00, would be 0.48.
    assert taxes == ["1.92", "0.47", "−2.39"]  # noqa: RUF001


def test_a_refund_that_was_listed_before_it_was_paid_back_is_on_no_further_receipt(show, clerk):
    order = paid(show, clerk, 1, 2)
    booking = Booking.objects.get(seat_number=2)
    cancel_bookings(show_id=show.pk, seen=[SeenSeat(booking.pk, 2, "booked")], now=NOW, cancelled_by=clerk)
    issue_receipt(order=order, now=ISSUED)
    Refund.objects.update(status="done", settled_at=NOW)
    assert issue_receipt(order=order, now=ISSUED).position == 1
    make_payment(order, amount=Decimal(3), method="card")
    assert [amount for _, amount in further(order).payments] == ["3.00"]


def test_each_receipt_lists_what_no_earlier_one_has(show, clerk):
    order = paid(show, clerk, 1)
    issue_receipt(order=order, now=ISSUED)
    for amount in (1, 2):
        make_payment(order, amount=Decimal(amount), method="card")
        assert [amount for _, amount in further(order).payments] == [f"{amount}.00"]
    assert numbers() == [(2099, 1), (2099, 2), (2099, 3)]
    assert [amount for _, amount in lines(order).payments] == ["12.00", "1.00", "2.00"]


def test_without_other_money_the_last_receipt_is_the_last(show, clerk):
    order = paid(show, clerk, 1)
    issue_receipt(order=order, now=ISSUED)
    make_payment(order, amount=Decimal(3))
    assert [issue_receipt(order=order, now=ISSUED).position for _ in range(2)] == [2, 2]


def test_a_receipt_of_an_earlier_version_is_the_only_one(show, clerk):
    order = paid(show, clerk, 1)
    issue_receipt(order=order, now=ISSUED)
    Receipt.objects.update(content=None)
    make_payment(order, amount=Decimal(3))
    assert issue_receipt(order=order, now=ISSUED).position == 1


# --- PDF --------------------------------------------------------------------------------------


def test_the_pdf_has_the_same_texts(show, clerk, settings):
    settings.RECEIPT_ISSUER = ["Lumière"]
    [text] = pdf_text(paid(show, clerk, 1))
    for part in ("Lumière", "Receipt 2099-000001", "Алиса & <b>Éva</b>", "A1, Adult", "12.00", "Paid in cash"):
        assert part in text


def test_many_seats_need_several_pages(show, clerk):
    show = make_priced_show(layout="\n".join(["S" * 20] * 5), price_list=show.price_list)
    pages = pdf_text(paid(show, clerk, *range(1, 101)))
    text = "".join(pages)
    assert len(pages) > 1
    assert all(f"{row}{seat}, Adult" in text for row, seat in itertools.product("ABCDE", range(1, 21)))


def test_the_receipt_of_a_cancelled_order_has_no_seats(show, clerk):
    order = paid(show, clerk, 1)
    Booking.objects.update(status="cancelled", cancelled_at=NOW)
    [text] = pdf_text(order)
    assert ("A1" in text, "Total in EUR" in text) == (False, True)


# --- Numbers ----------------------------------------------------------------------------------


class Broken(Exception):
    """An error that rolls a transaction back after it got a number."""


def numbering(order, *, breaks=False):
    """Issues a receipt; with `breaks`, the transaction is rolled back after the row was inserted."""

    def run(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if breaks and sql.startswith('INSERT INTO "booking_receipt"'):
            raise Broken
        return result

    try:
        with connection.execute_wrapper(run):
            issue_receipt(order=order, now=ISSUED)
    except (Broken, IntegrityError) as error:
        return type(error).__name__
    return "done"


def selling(show, seat, clerk, *, breaks):
    """Sells a seat for cash and issues the receipt, as a clerk does."""
    sale = {"user": None, "show_id": show.pk, "seat_numbers": [seat], "method": "cash", "now": NOW}
    reference = sell_and_take_payment(**sale, sold_by=clerk).bookings[0].reference
    return numbering(Order.objects.get(reference=reference), breaks=breaks)


def numbers():
    return sorted(Receipt.objects.values_list("year", "number"))


@pytest.mark.usefixtures("long_timeout")
def test_parallel_sales_of_several_shows_and_rollbacks_leave_no_gap(show, clerk):
    shows = [show, *(make_priced_show(price_list=show.price_list) for _ in range(3))]
    sales = [
        partial(selling, of, seat, clerk, breaks=(number + seat) % 3 == 0)
        for number, of in enumerate(shows)
        for seat in range(1, 6)
    ]
    outcomes = Counter(at_once(sales))
    assert outcomes == {"done": 14, "Broken": 6}
    assert numbers() == [(2099, number) for number in range(1, 15)]


@pytest.mark.usefixtures("long_timeout")
def test_further_receipts_that_are_issued_at_the_same_time_are_one(show, clerk):
    order = paid(show, clerk, 1)
    issue_receipt(order=order, now=ISSUED)
    make_payment(order, amount=Decimal(3))
    assert at_once([partial(numbering, order)] * 10) == ["done"] * 10
    assert numbers() == [(2099, 1), (2099, 2)]


@pytest.mark.usefixtures("long_timeout")
def test_one_order_that_is_numbered_10_times_at_the_same_time_has_one_number(show, clerk):
    order = paid(show, clerk, 1)
    assert at_once([partial(numbering, order)] * 10) == ["done"] * 10
    assert numbers() == [(2099, 1)]


def test_numbers_begin_again_with_the_year_of_the_cinema(show, clerk, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    new_year = datetime(2098, 12, 31, 15, tzinfo=timezone.utc)
    for seat, now in enumerate([new_year - timedelta(seconds=1), new_year, new_year], 1):
        issue_receipt(order=paid(show, clerk, seat), now=now)
    assert numbers() == [(2098, 1), (2099, 1), (2099, 2)]


@parallel_writers
def test_without_the_lock_two_receipts_get_the_same_number(show, clerk, monkeypatch):
    monkeypatch.setattr(receipts, "lock_receipts", lambda: None)
    orders = [paid(show, clerk, 1), paid(make_priced_show(price_list=show.price_list), clerk, 1)]
    outcomes = all_read_before_one_writes([partial(numbering, order) for order in orders])
    # The constraint one_receipt_per_year_and_number has the last word.
    assert Counter(outcomes) == {"done": 1, "IntegrityError": 1}
