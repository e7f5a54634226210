"""Settling payments: seats are booked, or the money is refunded."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from booking.models import Booking, Order, Payment, PaymentEvent, Refund
from booking.services import (
    NothingDue,
    PaymentFailed,
    RefundEnded,
    book_seat,
    book_seats,
    cancel_booking,
    cancel_order,
    cancel_show,
    carry_out_refund,
    close_till,
    delete_account,
    hold_seats,
    issue_receipt,
    move_booking,
    open_till,
    pay_order,
    pay_out_refund,
    read_till,
    receive_event,
    record_payment,
    retry_refund,
)
from booking.services.money.payments import DueChanged, NotEnoughGiven, UnknownPayment
from booking.services.money.providers.base import EventRejected, ProviderRefused, ProviderUnavailable
from booking.services.money.providers.counter import Counter
from booking.services.money.providers.demo import SIGNATURE, Demo, sign
from booking.services.money.receipt_lines import tax_contained
from booking.services.money.receipts import NothingPaid
from booking.services.money.refunds import AlreadyRefunded, settle_refund
from booking.services.money.tills import NoOpenTill, OtherClerksTill, TillAlreadyOpen, TillClosed
from booking.services.refusals import InvalidInput, NotFound
from booking.services.seats.order_changes import OrderPaid, change_ticket_types, split_order
from booking.services.seats.rules.amounts import PaymentRequired
from booking.services.seats.rules.sale import ShowCancelled, ShowStarted
from tests.factories import NOW, PASSWORD, STARTS_AT, make_price_list, make_show, make_ticket_type, make_user

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOW + timedelta(hours=1)
LATE = STARTS_AT - timedelta(minutes=59)


@pytest.fixture
def show():
    """A show with Standard seats 1 to 10 for 12.00 and Premium seats 11 to 20 for 15.00; children pay 8.00 and 9.00."""
    adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
    prices = {("S", adult): 12, ("P", adult): 15, ("S", child): 8, ("P", child): 9}
    return make_show(layout="A SSSSSSSSSS\nB PPPPPPPPPP", price_list=make_price_list(prices))


@pytest.fixture
def clerk():
    clerk = make_user(username="clerk", is_staff=True)
    open_till(clerk=clerk, opening_float=Decimal(50), now=NOW)
    return clerk


def hold(user, show, *seats, now=NOW):
    return hold_seats(user=user, show_id=show.pk, seat_numbers=seats, now=now)[0].reference


def book(user, show, *seats, now=NOW):
    return book_seats(user=user, show_id=show.pk, seat_numbers=seats, now=now)[0].reference


def pay(user, reference, now=NOW):
    return pay_order(user=user, reference=reference, return_url="http://testserver/", now=now).payment


def event(payment, kind="paid", now=NOW, **changes):
    """Sends an event of the demo provider."""
    body = {
        "id": f"{kind}-{payment.pk}",
        "kind": kind,
        "payment": payment.pk,
        "amount": str(payment.amount),
        "currency": payment.currency,
    }
    content = json.dumps(body | changes).encode()
    receive_event(provider="demo", body=content, headers={SIGNATURE: sign(content)}, now=now)


def seats():
    rows = Booking.objects.order_by("pk").values_list("seat_number", "status")
    return [(seat, str(status)) for seat, status in rows]


def refunds():
    return list(Refund.objects.order_by("pk").values_list("amount", flat=True))


def balance():
    """Return the received money without refunds, and the prices of booked seats."""
    received = sum((payment.amount for payment in Payment.objects.received()), Decimal(0))
    return received - sum(refunds(), Decimal(0)), sum((one.price for one in Booking.objects.sold()), Decimal(0))


# --- Paying online ----------------------------------------------------------------------------


def test_a_paid_hold_is_booked(user, show):
    event(pay(user, hold(user, show, 1, 2)))
    assert (seats(), balance()) == ([(1, "booked"), (2, "booked")], (Decimal(24), Decimal(24)))


def test_a_booked_order_is_paid_later(user, show):
    event(pay(user, book(user, show, 11)), now=LATER)
    assert (seats(), balance()) == ([(11, "booked")], (Decimal(15), Decimal(15)))


def test_a_second_request_returns_the_pending_payment(user, show):
    reference = hold(user, show, 1)
    assert pay(user, reference) == pay(user, reference)


def test_another_amount_is_another_payment(user, show):
    reference = book(user, show, 1, 2)
    first = pay(user, reference)
    cancel_booking(user=user, booking_id=Booking.objects.first().pk, now=NOW)
    assert (first.amount, pay(user, reference).amount) == (Decimal(24), Decimal(12))


def test_an_order_that_is_paid_owes_nothing(user, show):
    reference = book(user, show, 1)
    event(pay(user, reference))
    with pytest.raises(NothingDue):
        pay(user, reference)


def test_an_order_of_another_customer_is_not_paid(user, show):
    with pytest.raises(NotFound):
        pay(make_user(), book(user, show, 1))


def test_an_order_is_paid_before_the_show_starts(user, show):
    with pytest.raises(ShowStarted):
        pay(user, book(user, show, 1), STARTS_AT)


def test_an_order_of_a_cancelled_show_is_not_paid(user, show, clerk):
    reference = book(user, show, 1)
    cancel_show(show_id=show.pk, now=NOW)
    with pytest.raises(ShowCancelled):
        pay(user, reference)
    with pytest.raises(ShowCancelled):
        take(clerk, show, reference, 12)


@pytest.mark.parametrize("provider", ["gold", "counter"])
def test_customers_pay_with_online_providers_only(user, show, provider):
    with pytest.raises(InvalidInput, match="Choose one of demo"):
        pay_order(user=user, reference=book(user, show, 1), return_url="", now=NOW, provider=provider)
    assert not Payment.objects.exists()


def test_the_counter_starts_no_payment():
    with pytest.raises(ProviderRefused):
        Counter().create_payment(Payment(), "")


def test_counter_and_demo_have_no_unfinished_refunds():
    assert [provider.has_refund(Refund()) for provider in (Counter(), Demo())] == [False, False]


def test_a_payment_can_be_started_again_after_an_outage_of_the_provider(user, show, settings):
    settings.PAYMENT_PROVIDERS = {"demo": f"{__name__}.UnavailableProvider"}
    reference = book(user, show, 1)
    for _ in range(2):
        with pytest.raises(PaymentFailed):
            pay(user, reference)
    assert [payment.status for payment in Payment.objects.all()] == ["pending"]


@override_settings(PAYMENT_PROVIDERS={"counter": "booking.services.money.providers.counter.Counter"})
def test_without_an_online_provider_customers_pay_at_the_counter(user, show):
    with pytest.raises(InvalidInput):
        pay(user, book(user, show, 1))


# --- Events -----------------------------------------------------------------------------------


def test_a_repeated_event_changes_nothing(user, show):
    payment = pay(user, hold(user, show, 1))
    for _ in range(2):
        event(payment)
    event(payment, id="another")
    assert (balance(), PaymentEvent.objects.count()) == ((Decimal(12), Decimal(12)), 2)


def test_a_declined_payment_may_succeed_later(user, show):
    payment = pay(user, hold(user, show, 1))
    event(payment, "failed")
    assert seats() == [(1, "held")]
    event(payment)
    assert seats() == [(1, "booked")]


def test_a_failure_that_arrives_after_the_payment_changes_nothing(user, show):
    payment = pay(user, hold(user, show, 1))
    event(payment)
    event(payment, "failed")
    assert (seats(), Payment.objects.get().status) == ([(1, "booked")], "paid")


@pytest.mark.parametrize("changes", [{"amount": "0.01"}, {"currency": "USD"}])
def test_an_event_about_another_amount_is_stored_and_changes_nothing(user, show, changes):
    event(pay(user, hold(user, show, 1)), **changes)
    stored = PaymentEvent.objects.get()
    assert (seats(), stored.processed_at, bool(stored.problem)) == ([(1, "held")], None, True)


def test_an_event_about_another_payment_of_the_provider_changes_nothing(user, show):
    payment = pay(user, hold(user, show, 1))
    Payment.objects.update(provider_id="demo-0")
    event(payment)
    assert (seats(), Payment.objects.get().status) == ([(1, "held")], "pending")


def test_an_event_that_is_not_signed_is_rejected(user, show):
    with pytest.raises(EventRejected):
        receive_event(provider="demo", body=b"{}", headers={}, now=NOW)


def test_an_event_about_an_unknown_payment_is_refused(user, show):
    payment = pay(user, hold(user, show, 1))
    Payment.objects.all().delete()
    with pytest.raises(UnknownPayment):
        event(payment)


def test_a_hold_that_expired_is_booked_if_its_seat_is_free(user, show):
    payment = pay(user, hold(user, show, 1))
    event(payment, now=LATER)
    assert (seats(), refunds()) == ([(1, "booked")], [])


def test_a_hold_that_was_released_is_booked_if_its_seat_is_free(user, show):
    payment = pay(user, hold(user, show, 1))
    other = make_user()
    hold(other, show, 1, now=LATER)
    event(payment, now=LATER + timedelta(hours=1))
    assert seats() == [(1, "booked"), (1, "cancelled")]


def test_a_payment_for_a_taken_seat_is_refunded(user, show):
    payment = pay(user, hold(user, show, 1, 2))
    book(make_user(), show, 2, now=LATER)
    event(payment, now=LATER)
    assert (refunds(), Booking.objects.sold().count()) == ([Decimal(24)], 1)


def test_a_payment_after_the_start_is_refunded(user, show):
    payment = pay(user, hold(user, show, 1))
    event(payment, now=STARTS_AT)
    assert refunds() == [Decimal(12)]


def test_a_payment_for_a_cancelled_hold_is_refunded(user, show):
    reference = hold(user, show, 1)
    payment = pay(user, reference)
    cancel_order(user=user, reference=reference, now=NOW)
    event(payment)
    assert (seats(), refunds()) == ([(1, "cancelled")], [Decimal(12)])


def test_a_payment_is_refunded_if_the_customer_holds_the_seat_in_another_order(user, show):
    payment = pay(user, hold(user, show, 1))
    Booking.objects.update(status="cancelled", cancelled_at=NOW + timedelta(minutes=10))
    hold(user, show, 1, now=LATER)
    event(payment, now=LATER)
    assert refunds() == [Decimal(12)]


def test_a_payment_that_does_not_cover_the_holds_is_refunded(user, show):
    payment = pay(user, hold(user, show, 1))
    Booking.objects.update(price=13)
    event(payment)
    assert (seats(), refunds()) == ([(1, "held")], [Decimal(12)])


def test_a_payment_is_refunded_as_a_whole_if_one_seat_is_taken(user, show):
    payment = pay(user, hold(user, show, 1, 2))
    book(make_user(), show, 2, now=LATER)
    hold_seats(user=user, show_id=show.pk, seat_numbers=[1], now=LATER)
    event(payment, now=LATER)
    assert (refunds(), balance()) == ([Decimal(24)], (Decimal(0), Decimal(12)))


def test_a_second_payment_of_an_order_is_refunded(user, show, clerk):
    reference = book(user, show, 1)
    payment = pay(user, reference)
    take(clerk, show, reference, 12)
    event(payment)
    assert (refunds(), balance()) == ([Decimal(12)], (Decimal(12), Decimal(12)))


def test_a_second_payment_books_no_seat_whose_hold_had_expired_before_it(user, show, clerk):
    reference = hold(user, show, 1, 2)
    book(user, show, 1)
    payment = pay(user, reference, LATER)
    take(clerk, show, reference, 12, now=LATER)
    event(payment, now=LATER)
    assert (refunds(), balance()) == ([Decimal(12)], (Decimal(12), Decimal(12)))


# --- Refunds ----------------------------------------------------------------------------------


def test_a_cancelled_seat_is_refunded_and_the_others_stay_paid(user, show):
    event(pay(user, book(user, show, 1, 11)))
    cancel_booking(user=user, booking_id=Booking.objects.get(seat_number=11).pk, now=NOW)
    assert (refunds(), balance()) == ([Decimal(15)], (Decimal(12), Decimal(12)))


def test_an_unpaid_seat_is_cancelled_without_a_refund(user, show):
    cancel_order(user=user, reference=book(user, show, 1), now=LATE)
    assert refunds() == []


def test_customers_cancel_paid_seats_until_an_hour_before_the_start(user, show):
    reference = book(user, show, 1)
    event(pay(user, reference))
    with pytest.raises(RefundEnded):
        cancel_order(user=user, reference=reference, now=LATE)
    assert (seats(), refunds()) == ([(1, "booked")], [])


def test_an_exchange_for_a_cheaper_seat_refunds_the_difference(user, show):
    event(pay(user, book(user, show, 11)))
    move_booking(user=user, booking_id=Booking.objects.get().pk, seat_number=1, now=NOW)
    assert (refunds(), balance()) == ([Decimal(3)], (Decimal(12), Decimal(12)))


def test_an_exchange_for_a_dearer_seat_is_due(user, show):
    reference = book(user, show, 1)
    event(pay(user, reference))
    move_booking(user=user, booking_id=Booking.objects.get().pk, seat_number=11, now=NOW)
    assert pay(user, reference).amount == Decimal(3)


def test_a_cancelled_show_refunds_every_order_once(user, show):
    for seat in (1, 2):
        event(pay(user, book(user, show, seat)))
    cancel_show(show_id=show.pk, now=LATE)
    assert (refunds(), balance()) == ([Decimal(12)] * 2, (Decimal(0), Decimal(0)))


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite runs the statements of a round trip one by one.")
@pytest.mark.parametrize("orders", [1, 3])
def test_a_cancelled_show_costs_the_same_queries_for_1_and_3_paid_orders(show, django_assert_num_queries, orders):
    for seat in range(1, orders + 1):
        user = make_user(email=f"customer{seat}@example.com")
        event(pay(user, book(user, show, seat)))
    with django_assert_num_queries(14):
        cancel_show(show_id=show.pk, now=NOW)
    assert len(refunds()) == orders


def test_a_deleted_account_gets_its_money_back(user, show):
    event(pay(user, book(user, show, 1)))
    delete_account(user=user, password=PASSWORD, now=NOW)
    assert (seats(), refunds()) == ([(1, "cancelled")], [Decimal(12)])


def test_a_deleted_account_keeps_paid_seats_that_would_not_be_refunded(user, show):
    event(pay(user, book(user, show, 1)))
    delete_account(user=user, password=PASSWORD, now=LATE)
    assert (seats(), refunds()) == ([(1, "booked")], [])


def test_cheaper_ticket_types_are_refunded(user, show, clerk):
    event(pay(user, book(user, show, 1)))
    child = show.price_list.prices.get(amount=8).ticket_type_id
    change_ticket_types(order_id=Order.objects.get().pk, ticket_types={1: child}, now=NOW, changed_by=clerk)
    assert refunds() == [Decimal(4)]


def test_a_paid_order_is_not_split(user, show, clerk):
    event(pay(user, book(user, show, 1, 2)))
    with pytest.raises(OrderPaid):
        split_order(order_id=Order.objects.get().pk, seat_numbers=[1], now=NOW, split_by=clerk)


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_an_order_whose_payment_may_still_arrive_is_not_split(user, show, clerk, status):
    pay(user, book(user, show, 1, 2))
    Payment.objects.update(status=status, settled_at=NOW if status == "failed" else None)
    with pytest.raises(OrderPaid):
        split_order(order_id=Order.objects.get().pk, seat_numbers=[1], now=NOW, split_by=clerk)


@pytest.fixture
def refund(user, show):
    event(pay(user, book(user, show, 1)))
    cancel_booking(user=user, booking_id=Booking.objects.get().pk, now=NOW)
    return Refund.objects.get()


def test_a_refund_is_carried_out_once(refund):
    done = [carry_out_refund(refund_id=refund.pk, now=now) for now in (NOW, LATER)]
    assert [(one.status, one.settled_at) for one in done] == [("done", NOW)] * 2


def test_the_worker_carries_out_a_refund(refund):
    # The worker has the real clock.
    DBTaskResult.objects.update(run_after=timezone.now())
    call_command("db_worker", "--due")
    refund.refresh_from_db()
    assert (refund.status, refund.provider_id) == ("done", f"demo-refund-{refund.pk}")


def test_a_refund_that_failed_is_tried_again_by_hand(refund):
    settle_refund(refund_id=refund.pk, problem="The card was closed.", now=NOW)
    assert retry_refund(refund_id=refund.pk, now=NOW).status == "pending"
    carry_out_refund(refund_id=refund.pk, now=NOW)
    with pytest.raises(AlreadyRefunded):
        retry_refund(refund_id=refund.pk, now=NOW)


def test_a_refund_at_the_counter_waits_for_a_clerk_with_an_open_till(user, show, clerk):
    reference = book(user, show, 1)
    till = take(clerk, show, reference, 12).till
    cancel_order(user=user, reference=reference, now=NOW)
    refund = Refund.objects.get()
    assert carry_out_refund(refund_id=refund.pk, now=NOW).status == "pending"
    pay_out_refund(refund_id=refund.pk, by=clerk, now=NOW)
    assert [(line.method, line.refunded) for line in read_till(till=till)] == [
        ("cash", Decimal(12)),
        ("card", Decimal(0)),
    ]
    with pytest.raises(AlreadyRefunded):
        pay_out_refund(refund_id=refund.pk, by=clerk, now=NOW)


@pytest.mark.parametrize("service", [carry_out_refund, settle_refund])
def test_an_unknown_refund_is_not_found(db, service):
    with pytest.raises(NotFound):
        service(refund_id=1, now=NOW)
    with pytest.raises(NotFound):
        retry_refund(refund_id=1, now=NOW)
    with pytest.raises(NotFound):
        pay_out_refund(refund_id=1, by=make_user(), now=NOW)


@pytest.mark.parametrize("kind", ["refunded", "refund_failed"])
def test_an_event_about_an_unknown_refund_changes_nothing(refund, kind):
    event(refund.payment, kind)
    refund.refresh_from_db()
    assert (refund.status, PaymentEvent.objects.filter(processed_at=None).count()) == ("pending", 1)


# --- Without PAY_LATER ------------------------------------------------------------------------


@override_settings(PAY_LATER=False)
def test_seats_that_cost_something_have_to_be_paid_first(user, show, clerk):
    with pytest.raises(PaymentRequired):
        book(user, show, 1)
    assert book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW, sold_by=clerk).status == "booked"


@override_settings(PAY_LATER=False)
def test_a_booking_moves_to_a_seat_that_is_not_dearer(user, show):
    event(pay(user, hold(user, show, 1)))
    booking = Booking.objects.get()
    assert move_booking(user=user, booking_id=booking.pk, seat_number=2, now=NOW).seat_number == 2
    with pytest.raises(PaymentRequired):
        move_booking(user=user, booking_id=booking.pk, seat_number=11, now=NOW)


# --- At the counter ---------------------------------------------------------------------------


def take(clerk, show, reference, expected, method="cash", now=NOW, **more):
    paid = {"show_id": show.pk, "reference": reference, "method": method, "expected": Decimal(expected)}
    return record_payment(**paid, by=clerk, now=now, **more)


def test_a_clerk_takes_cash_and_gives_change(user, show, clerk):
    payment = take(clerk, show, book(user, show, 1), 12, given=Decimal(20))
    assert (payment.change, balance()) == (Decimal(8), (Decimal(12), Decimal(12)))


def test_a_card_has_no_change(user, show, clerk):
    assert take(clerk, show, book(user, show, 1), 12, "card").change is None


def test_a_held_order_that_is_paid_at_the_counter_is_booked(user, show, clerk):
    take(clerk, show, hold(user, show, 1), 12)
    assert seats() == [(1, "booked")]


def test_a_clerk_takes_the_amount_that_the_page_showed(user, show, clerk):
    with pytest.raises(DueChanged):
        take(clerk, show, book(user, show, 1), 11)


def test_too_little_cash_is_refused(user, show, clerk):
    with pytest.raises(NotEnoughGiven):
        take(clerk, show, book(user, show, 1), 12, given=Decimal(10))


def test_an_unknown_order_is_not_paid(show, clerk):
    with pytest.raises(NotFound):
        take(clerk, show, "AAAAAAAA", 12)


def test_a_clerk_needs_an_open_till(user, show):
    with pytest.raises(NoOpenTill):
        take(make_user(is_staff=True), show, book(user, show, 1), 12)


def test_a_closed_till_has_the_cash_that_was_taken(user, show, clerk):
    take(clerk, show, book(user, show, 1), 12)
    take(clerk, show, book(user, show, 11), 15, "card")
    till = Payment.objects.first().till
    closed = close_till(till_id=till.pk, clerk=clerk, counted_cash=Decimal(60), note="2 short", now=LATER)
    assert (closed.expected_cash, [(line.method, line.paid) for line in read_till(till=till)]) == (
        Decimal(62),
        [("cash", Decimal(12)), ("card", Decimal(15))],
    )
    with pytest.raises(TillClosed):
        close_till(till_id=till.pk, clerk=clerk, counted_cash=Decimal(60), note="", now=LATER)


def test_tills_that_are_open_at_the_same_time_have_the_payments_of_their_clerks(user, show, clerk):
    other = make_user(is_staff=True)
    open_till(clerk=other, opening_float=Decimal(0), now=NOW)
    tills = [
        take(one, show, book(user, show, seat), price).till for one, seat, price in ((clerk, 1, 12), (other, 11, 15))
    ]
    assert [read_till(till=till)[0].paid for till in tills] == [Decimal(12), Decimal(15)]


def test_a_clerk_has_one_open_till_and_closes_no_other(clerk):
    with pytest.raises(TillAlreadyOpen):
        open_till(clerk=clerk, opening_float=Decimal(0), now=NOW)
    other = open_till(clerk=make_user(is_staff=True), opening_float=Decimal(0), now=NOW)
    with pytest.raises(OtherClerksTill):
        close_till(till_id=other.pk, clerk=clerk, counted_cash=Decimal(0), note="", now=NOW)
    with pytest.raises(NotFound):
        close_till(till_id=0, clerk=clerk, counted_cash=Decimal(0), note="", now=NOW)


# --- Receipts ---------------------------------------------------------------------------------


def test_receipts_are_numbered_without_gaps(user, show, clerk):
    numbers = []
    for seat in (1, 2):
        take(clerk, show, book(user, show, seat), 12)
        order = Order.objects.first()
        numbers += [str(issue_receipt(order=order, now=NOW)) for _ in range(2)]
    assert numbers == ["2099-000001"] * 2 + ["2099-000002"] * 2


def test_an_unpaid_order_has_no_receipt(user, show):
    book(user, show, 1)
    with pytest.raises(NothingPaid):
        issue_receipt(order=Order.objects.get(), now=NOW)


@pytest.mark.parametrize(("percent", "tax"), [(0, "0.00"), (7, "0.79"), (19, "1.92")])
def test_the_price_contains_the_tax(percent, tax):
    assert tax_contained(amount=Decimal(12), percent=Decimal(percent)) == Decimal(tax)


# --- What providers report about refunds ------------------------------------------------------


class UnavailableProvider(Demo):
    def create_payment(self, payment, return_url):
        raise ProviderUnavailable


class RefusingProvider(Demo):
    """A provider that refuses refunds, as after a customer closed the card."""

    def refund(self, refund):
        raise ProviderRefused("The card was closed.")


def test_a_refund_that_the_provider_refuses_keeps_the_reason(refund, settings):
    settings.PAYMENT_PROVIDERS = {"demo": f"{__name__}.RefusingProvider"}
    failed = carry_out_refund(refund_id=refund.pk, now=NOW)
    assert (failed.status, failed.problem) == ("failed", "The card was closed.")


def test_a_finished_refund_is_not_changed(refund):
    event(refund.payment, "refunded", refund=refund.pk)
    event(refund.payment, "refund_failed", refund=refund.pk, problem="Too late.")
    refund.refresh_from_db()
    assert (refund.status, refund.problem) == ("done", "")


def test_an_event_of_another_kind_changes_nothing(user, show):
    event(pay(user, hold(user, show, 1)), "opened")
    assert (seats(), PaymentEvent.objects.count()) == ([(1, "held")], 0)


def test_money_models_have_string_representations(user, show, clerk, refund):
    payment = take(clerk, show, book(user, show, 2), 12)
    assert [str(row) for row in (payment, refund, PaymentEvent.objects.get(), payment.till)] == [
        f"12.00 EUR for {payment.reference}",
        f"12.00 EUR of {refund.reference}",
        f"paid-{refund.payment_id}",
        f"Till {payment.till_id} of clerk",
    ]
