"""Seats that are sold and paid together at the counter: both are stored, or neither."""

from decimal import Decimal

import pytest

from booking.models import Booking, Payment, Till
from booking.services import IdempotentRequest, Replay, close_till, hold_seats, read_order_money, sell_and_take_payment
from booking.services.money.payments import NotEnoughGiven, NothingDue
from booking.services.money.tills import NoOpenTill
from booking.services.seats.prices import PriceChanged
from booking.services.seats.rules.seats import SeatTaken
from tests.factories import NOW, make_booking, make_show, make_user
from tests.races import parallel_writers
from tests.services.test_retries import answer_lost
from tests.tills import make_clerk, make_priced_show, till_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def show():
    return make_priced_show()


@pytest.fixture
def clerk():
    clerk = make_clerk()
    till_of(clerk)
    return clerk


def sell(show, clerk, *seats, method="cash", given=None, user=None, **more):
    sale = {"user": user, "show_id": show.pk, "seat_numbers": seats, "sold_by": clerk, "method": method, "now": NOW}
    return sell_and_take_payment(**sale, given=given and Decimal(given), **more)


def stored():
    return Booking.objects.sold().count(), Payment.objects.count()


def idempotent(clerk):
    return IdempotentRequest(clerk, "key", "sell", {}, lambda sale: {"paid": sale.payment.pk})


def test_seats_and_payment_are_stored_together(show, clerk):
    sale = sell(show, clerk, 1, 11, given=30)
    payment = Payment.objects.get()
    assert (payment, payment.amount, payment.change) == (sale.payment, 27, 3)
    assert (payment.till.clerk, payment.created_by, payment.status) == (clerk, clerk, "paid")
    reference = sale.bookings[0].reference
    assert read_order_money(show_id=show.pk, reference=reference).amounts(sale.bookings).due == 0


def test_a_card_has_no_change(show, clerk):
    assert sell(show, clerk, 1, method="card", given=1).payment.change is None


def test_a_hold_of_the_customer_is_sold(show, clerk, user):
    hold_seats(user=user, show_id=show.pk, seat_numbers=[1], now=NOW)
    sell(show, clerk, 1, user=user)
    assert stored() == (1, 1)


@pytest.mark.parametrize(
    ("more", "refusal"),
    [({"given": 11}, NotEnoughGiven), ({"expected_total": Decimal(11)}, PriceChanged)],
)
def test_a_refused_request_sells_nothing(show, clerk, more, refusal):
    with pytest.raises(refusal):
        sell(show, clerk, 1, **more)
    assert stored() == (0, 0)


def test_a_seat_that_is_taken_takes_no_money(show, clerk):
    make_booking(show=show, seat_number=1)
    with pytest.raises(SeatTaken):
        sell(show, clerk, 1)
    assert stored() == (1, 0)


def test_without_an_open_till_nothing_is_sold(show, clerk):
    with pytest.raises(NoOpenTill):
        sell(show, make_user(is_staff=True), 1)
    close_till(till_id=Till.objects.get().pk, clerk=clerk, counted_cash=Decimal(50), note="", now=NOW)
    with pytest.raises(NoOpenTill):
        sell(show, clerk, 1)
    assert stored() == (0, 0)


def test_a_repeated_sale_takes_no_second_payment(show, clerk):
    sell(show, clerk, 1, idempotency=idempotent(clerk))
    with pytest.raises(Replay) as replay:
        sell(show, clerk, 1, idempotency=idempotent(clerk))
    assert (replay.value.response, stored()) == ({"paid": Payment.objects.get().pk}, (1, 1))


def test_a_sale_is_replayed_after_the_till_was_closed(show, clerk):
    sell(show, clerk, 1, idempotency=idempotent(clerk))
    close_till(till_id=Till.objects.get().pk, clerk=clerk, counted_cash=Decimal(62), note="", now=NOW)
    with pytest.raises(Replay):
        sell(show, clerk, 1, idempotency=idempotent(clerk))


def test_free_seats_are_not_paid(clerk):
    with pytest.raises(NothingDue):
        sell(make_show(), clerk, 1)
    assert stored() == (0, 0)


@parallel_writers
def test_a_paid_sale_is_found_after_its_answer_was_lost(show, clerk):
    with answer_lost('INSERT INTO "django_admin_log"'):
        sale = sell(show, clerk, 1)
    assert (stored(), sale.payment) == ((1, 1), Payment.objects.get())


@parallel_writers
def test_a_paid_sale_with_a_key_is_replayed_after_its_answer_was_lost(show, clerk):
    with pytest.raises(Replay) as replay, answer_lost('INSERT INTO "booking_idempotencykey"'):
        sell(show, clerk, 1, idempotency=idempotent(clerk))
    assert (stored(), replay.value.response) == ((1, 1), {"paid": Payment.objects.get().pk})
