"""Concurrent payments, refunds, expiry and cancellations, with and without the show's lock."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from threading import Event

import pytest
from django.db import IntegrityError, connection
from django.db.backends.utils import CursorWrapper
from django_tasks_db.models import DBTaskResult

from booking.models import Booking, PaymentEvent, Refund
from booking.services import (
    book_seat,
    cancel_booking,
    cancel_order,
    cancel_show,
    carry_out_refund,
    check_payment,
    delete_account,
    open_till,
    record_payment,
)
from booking.services.audit import find_breaches
from booking.services.seats.holds import release_expired_holds
from movieticket import admission
from movieticket.deadline import waiting_at_most
from tests.bank import Bank, ask, balance, book, hold, make_paid_show, pay, refunds, report
from tests.factories import NOW, PASSWORD, make_user
from tests.races import (
    all_decide_before_one_commits,
    all_read_before_one_writes,
    at_once,
    locked_elsewhere,
    outcome,
    parallel_writers,
    start,
    wait_for_waiters,
)
from tests.service import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout", "bank")]
LATER = NOW + timedelta(hours=1)
NOTHING = (Decimal(0), Decimal(0))


@pytest.fixture
def show(db):
    return make_paid_show()


@pytest.fixture
def user(db):
    return make_user(email="esha@example.com")


def reporting(payment, now=NOW, **event):
    return partial(outcome, report, payment_id=payment, now=now, **event)


def mails(kind):
    tasks = DBTaskResult.objects.values_list("args_kwargs", flat=True)
    return [task for task in tasks if task["kwargs"].get("mail") == kind]


# --- Two events -------------------------------------------------------------------------------


def test_an_event_that_arrives_20_times_concurrently_is_applied_once(user, show):
    payment = ask(user, hold(user, show, 1))
    assert at_once([reporting(payment)] * 20) == ["done"] * 20
    assert (PaymentEvent.objects.count(), len(mails("payment_received"))) == (1, 1)
    assert (balance(), refunds()) == ((Decimal(12), Decimal(12)), [])


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_only_the_constraint_stops_an_event_that_comes_twice(user, show):
    payment = ask(user, hold(user, show, 1))
    with pytest.raises(IntegrityError, match="one_event_per_provider_and_event_id"):
        all_read_before_one_writes([reporting(payment)] * 2)


@parallel_writers
def test_a_request_that_waits_for_the_show_does_not_delay_a_payment(user, show):
    payment = ask(user, hold(user, show, 1))
    booking = partial(outcome, book_seat, user=make_user(), show_id=show.pk, seat_number=2, now=NOW)
    with ThreadPoolExecutor(2) as pool:
        with locked_elsewhere(show):
            event = start(pool, partial(in_request, reporting(payment)))
            wait_for_waiters(1)
            other = start(pool, partial(in_request, booking))
            wait_until(lambda: admission._rows["show", show.pk].users == 2)
        assert [event.result(10), other.result(10)] == ["done", "done"]


def in_request(call):
    """Return the result of a call that has the limits of a request."""
    with waiting_at_most(30):
        return call()


def test_an_event_that_arrives_while_the_bank_is_asked_is_applied_once(user, show, answering):
    assert at_once(event_and_check(user, show)) == ["done"] * 2
    assert (balance(), refunds(), len(mails("payment_received"))) == ((Decimal(12), Decimal(12)), [], 1)


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_payment_that_is_checked_meanwhile_is_reported_twice(user, show, answering):
    assert all_read_before_one_writes(event_and_check(user, show)) == ["done"] * 2
    assert len(mails("payment_received")) == 2


@pytest.fixture
def answering(settings, bank):
    settings.PAYMENT_PROVIDERS |= {"demo": "tests.services.test_payment_flows.AnsweringBank"}


def event_and_check(user, show):
    payment = ask(user, hold(user, show, 1))
    Bank.pay(payment)
    return [reporting(payment), partial(outcome, check_payment, payment_id=payment, now=NOW)]


def two_payments(user, show):
    """Start two payments for one seat, the first while there were two seats; return their ids."""
    reference = book(user, show, 1, 2)
    first = ask(user, reference)
    cancel_booking(user=user, booking_id=Booking.objects.get(seat_number=2).pk, now=NOW)
    return first, ask(user, reference)


def test_the_excess_of_two_concurrent_payments_is_refunded(user, show):
    assert at_once([reporting(payment) for payment in two_payments(user, show)]) == ["done"] * 2
    assert balance() == (Decimal(12), Decimal(12))


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_the_excess_of_two_payments_is_not_refunded(user, show):
    all_decide_before_one_commits([reporting(payment) for payment in two_payments(user, show)])
    assert balance() == (Decimal(24), Decimal(12))


def test_an_order_is_paid_online_and_at_the_counter_at_the_same_time(user, show):
    clerk = make_user(username="clerk", is_staff=True)
    open_till(clerk=clerk, opening_float=Decimal(0), now=NOW)
    reference = book(user, show, 1)
    taking = {"show_id": show.pk, "reference": reference, "method": "cash", "expected": Decimal(12)}
    calls = [reporting(ask(user, reference)), partial(outcome, record_payment, **taking, by=clerk, now=NOW)]
    assert at_once(calls)[1] in {"done", "nothing_due"}
    assert balance() == (Decimal(12), Decimal(12))


# --- An event and the end of the hold ---------------------------------------------------------


@pytest.fixture
def late_payment(user, show):
    """A payment whose hold has expired."""
    payment = ask(user, hold(user, show, 1))
    release_expired_holds(expired_by=LATER)
    return payment


def buying(show, customer):
    return partial(outcome, book_seat, user=customer, show_id=show.pk, seat_number=1, now=LATER)


@pytest.mark.parametrize("turn", range(3))
def test_a_seat_whose_hold_expired_is_the_payers_or_another_customers(user, show, late_payment, turn):
    other = make_user()
    outcomes = at_once([reporting(late_payment, now=LATER), buying(show, other)])
    [owner] = Booking.objects.sold().values_list("user", flat=True)
    if outcomes == ["done", "done"]:
        assert (owner, refunds()) == (other.pk, [(Decimal(12), "pending")])
    else:
        assert (outcomes, owner, refunds()) == (["done", "seat_taken"], user.pk, [])
    assert list(find_breaches()) == []


@parallel_writers
@pytest.mark.usefixtures("no_lock", "no_constraint")
def test_without_the_guards_the_seat_is_sold_twice(user, show, late_payment):
    calls = [reporting(late_payment, now=LATER), buying(show, make_user())]
    assert all_decide_before_one_commits(calls) == ["done"] * 2
    assert Booking.objects.sold().filter(seat_number=1).count() == 2


# --- An event and a cancellation --------------------------------------------------------------


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("cancel", ["seats", "show"])
def test_a_cancelled_order_that_is_paid_at_the_same_time_gets_its_money_back(user, show, cancel, turn):
    reference = book(user, show, 1)
    cancelling = (
        partial(outcome, cancel_order, user=user, reference=reference, now=NOW)
        if cancel == "seats"
        else partial(outcome, cancel_show, show_id=show.pk, now=NOW)
    )
    assert at_once([reporting(ask(user, reference)), cancelling]) == ["done"] * 2
    assert (balance(), refunds()) == (NOTHING, [(Decimal(12), "pending")])


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_cancelled_order_stays_paid(user, show):
    reference = book(user, show, 1)
    cancelling = partial(outcome, cancel_order, user=user, reference=reference, now=NOW)
    assert all_decide_before_one_commits([reporting(ask(user, reference)), cancelling]) == ["done"] * 2
    assert (balance(), refunds()) == ((Decimal(12), Decimal(0)), [])


# --- An event and the deletion of the account -------------------------------------------------


def deleting(user):
    return partial(outcome, delete_account, user=user, password=PASSWORD, now=LATER)


@pytest.mark.parametrize("turn", range(3))
def test_a_payment_for_a_released_hold_of_a_deleted_account_is_refunded(user, late_payment, turn):
    assert at_once([reporting(late_payment, now=LATER), deleting(user)]) == ["done"] * 2
    assert (balance(), refunds()) == (NOTHING, [(Decimal(12), "pending")])


def settle_and_delete(user, payment, wait):
    """Apply the event, and delete the account when the seat is about to be booked; `wait` returns when it may be."""
    reached, go = Event(), Event()

    def pause(execute, sql, *args):
        if sql.startswith('UPDATE "booking_booking"'):
            reached.set()
            assert go.wait(30)
        return execute(sql, *args)

    def settle():
        with connection.execute_wrapper(pause):
            return reporting(payment, now=LATER)()

    with ThreadPoolExecutor(2) as pool:
        event = start(pool, settle)
        assert reached.wait(30)
        deletion = start(pool, deleting(user))
        wait(deletion)
        go.set()
        return [event.result(30), deletion.result(30)]


@parallel_writers
def test_an_account_is_deleted_after_its_released_hold_was_booked(user, late_payment):
    assert settle_and_delete(user, late_payment, lambda _: wait_for_waiters(1)) == ["done"] * 2
    assert (balance(), refunds()) == (NOTHING, [(Decimal(12), "pending")])


@pytest.fixture
def no_customer_lock(monkeypatch):
    """Removes the lock of customers from the statement that reads their rows."""
    execute, lock = CursorWrapper._execute, re.compile(r'(FROM "booking_user" .*) FOR NO KEY UPDATE')
    monkeypatch.setattr(CursorWrapper, "_execute", lambda self, sql, *args: execute(self, lock.sub(r"\1", sql), *args))


@parallel_writers
@pytest.mark.usefixtures("no_customer_lock")
def test_without_the_lock_of_the_customer_a_paid_seat_has_no_customer(user, late_payment):
    assert settle_and_delete(user, late_payment, lambda deletion: deletion.result(30)) == ["done"] * 2
    assert [seat.user for seat in Booking.objects.sold()] == [None]


# --- Two refunds ------------------------------------------------------------------------------


@pytest.fixture
def refund(user, show):
    reference = book(user, show, 1)
    pay(user, reference)
    cancel_order(user=user, reference=reference, now=NOW)
    return Refund.objects.get()


def refunding(refund):
    return partial(outcome, carry_out_refund, refund_id=refund.pk, now=NOW)


def test_a_refund_that_10_workers_carry_out_at_the_same_time_is_sent_and_reported_once(refund):
    assert at_once([refunding(refund)] * 10) == ["done"] * 10
    assert (Bank.sent, refunds()) == ({(refund.pk, 0): Decimal(12)}, [(Decimal(12), "done")])
    assert len(mails("payment_refunded")) == 1


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_refund_is_reported_twice(refund):
    assert all_read_before_one_writes([refunding(refund)] * 2) == ["done"] * 2
    assert len(mails("payment_refunded")) == 2


def test_an_order_that_is_cancelled_with_its_show_is_refunded_once(user, show):
    reference = book(user, show, 1, 2)
    pay(user, reference)
    calls = [
        partial(outcome, cancel_order, user=user, reference=reference, now=NOW),
        partial(outcome, cancel_show, show_id=show.pk, now=NOW),
    ]
    outcomes = Counter(at_once(calls))
    assert outcomes["done"] + outcomes["already_cancelled"] == 2
    assert (balance(), refunds()) == (NOTHING, [(Decimal(24), "pending")])
