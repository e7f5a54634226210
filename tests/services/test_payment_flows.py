"""Payments and refunds of orders from the start to the end, with a bank that records the money."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from booking.infrastructure.metrics import SEATS_BOOKED
from booking.infrastructure.tasks import NotYet
from booking.infrastructure.worker import LEASE_SECONDS, Worker
from booking.models import Booking, Order, Payment, Refund
from booking.services import (
    RefundEnded,
    add_version,
    assign_version,
    book_seats,
    cancel_booking,
    cancel_bookings,
    cancel_mailed_order,
    cancel_order,
    cancel_show,
    carry_out_refund,
    change_show,
    check_payment,
    delete_account,
    hold_seats,
    move_booking,
    move_bookings,
    open_till,
    read_amounts,
    record_payment,
    retry_refund,
    switch_plan,
)
from booking.services.money.payments import CHECK, close_old_payments
from booking.services.money.providers.base import Event, EventKind, ProviderRefused
from booking.services.money.refunds import CARRY_OUT
from booking.services.programme.shows import ShowHasBookings
from booking.services.seats.holds import release_expired_holds
from booking.services.seats.rules.amounts import PaymentRequired
from booking.services.seats.seen_seats import SeenSeat
from tests.bank import Bank, Killed, ask, balance, book, hold, make_paid_show, pay, refunds, report
from tests.factories import NOW, PASSWORD, STARTS_AT, make_movie, make_screen, make_user, redraw

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bank")]
LATER = NOW + timedelta(hours=1)
REFUND_UNTIL = STARTS_AT - timedelta(minutes=60)
MOMENT = timedelta(microseconds=1)
NOTHING = (Decimal(0), Decimal(0))


@pytest.fixture
def show(db):
    return make_paid_show()


@pytest.fixture
def user(db):
    return make_user(email="esha@example.com")


@pytest.fixture
def clerk(db):
    clerk = make_user(username="clerk", is_staff=True)
    open_till(clerk=clerk, opening_float=Decimal(0), now=NOW)
    return clerk


def work(now=NOW):
    """Run the tasks that are due at `now`."""
    Worker(clock=lambda: now).run_due()


def mails():
    """Return the kinds of the enqueued mails about money, with their amounts and reasons."""
    details = [task.args_kwargs["kwargs"] for task in DBTaskResult.objects.exclude(task_path=CARRY_OUT)]
    return sorted((one["mail"], one["amount"], one.get("reason", "")) for one in details if "amount" in one)


def sent():
    return sorted(Bank.sent.values())


def refuse(*_):
    raise ProviderRefused


def only_booking():
    return Booking.objects.get().pk


# --- Paying -----------------------------------------------------------------------------------


def test_a_held_order_is_paid_and_the_customer_gets_mail(user, show):
    pay(user, hold(user, show, 1, 11))
    assert (balance(), mails()) == ((Decimal(27), Decimal(27)), [("payment_received", "27.00", "")])


@pytest.mark.parametrize("seats", [[1], [1, 2, 11]])
def test_an_event_takes_the_same_queries_for_any_number_of_seats(user, show, seats, django_assert_num_queries):
    payment = ask(user, hold(user, show, *seats))
    # On PostgreSQL, a round trip of several statements counts once.
    with django_assert_num_queries({"postgresql": 20, "sqlite": 25}[connection.vendor]):
        report(payment, now=NOW)


def test_without_pay_later_seats_are_held_and_paid(user, show, settings):
    settings.PAY_LATER = False
    with pytest.raises(PaymentRequired):
        book(user, show, 1)
    pay(user, hold(user, show, 1))
    assert balance() == (Decimal(12), Decimal(12))


def test_a_declined_payment_is_followed_by_another_one(user, show):
    reference = hold(user, show, 1)
    first = ask(user, reference)
    report(first, "failed", now=NOW)
    assert pay(user, reference) != first
    assert (balance(), Booking.objects.get().status) == ((Decimal(12), Decimal(12)), "booked")


def test_a_declined_payment_and_its_successor_are_both_paid(user, show):
    reference = hold(user, show, 1)
    first = ask(user, reference)
    report(first, "failed", now=NOW)
    pay(user, reference)
    report(first, now=LATER)
    assert (balance(), refunds()) == ((Decimal(12), Decimal(12)), [(Decimal(12), "pending")])


def test_the_second_of_two_online_payments_is_refunded(user, show):
    reference = book(user, show, 1, 2)
    first = ask(user, reference)
    cancel_booking(user=user, booking_id=Booking.objects.get(seat_number=2).pk, now=NOW)
    pay(user, reference)
    report(first, now=LATER)
    work(LATER)
    assert (balance(), sent()) == ((Decimal(12), Decimal(12)), [Decimal(24)])


# --- Too late ---------------------------------------------------------------------------------


def gone(show):
    book(make_user(), show, 1, now=LATER)
    return LATER


@pytest.mark.parametrize("too_late", [gone, lambda show: STARTS_AT], ids=["gone", "started"])
def test_a_late_payment_is_refunded_and_the_customer_gets_one_mail(user, show, too_late):
    payment = ask(user, hold(user, show, 1))
    now = too_late(show)
    report(payment, now=now)
    work(now)
    assert (refunds(), sent()) == ([(Decimal(12), "done")], [Decimal(12)])
    reason = "The seats were not available any more when the payment arrived."
    assert mails() == [("payment_refunded", "12.00", reason), ("seats_lost", "12.00", reason)]


@pytest.mark.parametrize("declined", [True, False])
def test_a_show_keeps_movie_and_screen_while_a_hold_that_ended_may_be_paid(user, show, declined):
    payment = ask(user, hold(user, show, 1))
    if declined:
        report(payment, "failed", now=NOW)
    for change in ({"movie": make_movie(duration_minutes=90)}, {"screen": make_screen()}):
        with pytest.raises(ShowHasBookings, match="may still pay"):
            change_show(show_id=show.pk, changed_by=make_user(), now=LATER, **change)
    report(payment, now=LATER)
    assert (balance(), refunds()) == ((Decimal(12), Decimal(12)), [])


def test_a_show_whose_late_payment_was_refunded_gets_another_screen(user, show):
    payment = ask(user, hold(user, show, 1))
    hold(make_user(), show, 1, now=LATER)
    report(payment, now=LATER)
    assert refunds() == [(Decimal(12), "pending")]
    screen = make_screen()
    assert (
        change_show(show_id=show.pk, changed_by=make_user(), now=LATER + timedelta(hours=1), screen=screen).screen
        == screen
    )


def test_a_payment_for_a_seat_with_another_label_in_the_new_plan_is_refunded(user, show):
    payments = [ask(customer, hold(customer, show, seat)) for customer, seat in ((user, 1), (make_user(), 2))]
    release_expired_holds(expired_by=LATER)
    # Seat 1 is still A1; seat 2 was A2.
    redraw(show.screen, "A S\nB SS")
    switch_plan(show_id=show.pk, now=LATER)
    for payment in payments:
        report(payment, now=LATER)
    assert (Booking.objects.sold().get().label, balance()) == ("A1", (Decimal(12), Decimal(12)))
    assert refunds() == [(Decimal(12), "pending")]


def test_the_customer_gets_mail_about_lost_seats_although_the_refund_fails(user, show):
    payment = ask(user, hold(user, show, 1))
    report(payment, now=gone(show))
    Bank.mode = "refuses"
    work(LATER)
    assert refunds() == [(Decimal(12), "failed")]
    assert [kind for kind, *_ in mails()] == ["seats_lost"]


def test_mail_about_an_insufficient_payment_has_the_reason(user, show):
    reference = hold(user, show, 1)
    payment = ask(user, reference)
    hold_seats(user=user, show_id=show.pk, seat_numbers=[1, 2], now=NOW)
    report(payment, now=NOW)
    assert mails() == [("seats_lost", "12.00", "The payment was less than the seats cost.")]


def test_the_price_of_the_holds_that_are_left_is_enough(user, show):
    reference = hold(user, show, 1, 2)
    first = ask(user, reference)
    hold(user, show, 2, 3, now=NOW + timedelta(minutes=5))
    # The hold of seat 1 has expired.
    then = NOW + timedelta(minutes=11)
    payment = ask(user, reference, then)
    report(payment, now=then)
    assert (payment != first, balance(), refunds()) == (True, (Decimal(24), Decimal(24)), [])
    assert sorted(Booking.objects.sold().values_list("seat_number", flat=True)) == [2, 3]


def test_a_seat_that_was_released_and_is_held_again_is_booked_once(user, show):
    payment = ask(user, hold(user, show, 1, 2))
    hold(user, show, 2, now=NOW + timedelta(minutes=5))
    then = NOW + timedelta(minutes=11)
    assert release_expired_holds(expired_by=then) == 1
    # Seat 2 was held all the time, so seat 1 comes back to its order.
    hold(user, show, 1, 2, now=then)
    report(payment, now=then)
    assert (balance(), refunds()) == ((Decimal(24), Decimal(24)), [])


def test_a_payment_covers_the_booked_seats_of_the_order_too(user, show):
    reference = hold(user, show, 1, 2)
    late = ask(user, reference)
    hold(user, show, 2, now=NOW + timedelta(minutes=5))
    # The hold of seat 1 has expired.
    then = NOW + timedelta(minutes=11)
    pay(user, reference, then)
    dearer = {key: 3 * amount for key, amount in read_amounts(price_list=show.price_list).items()}
    assert assign_version(
        show_id=show.pk, price_list=add_version(price_list_id=show.price_list_id, amounts=dearer), now=then
    )
    move_booking(user=user, booking_id=Booking.objects.sold().get().pk, seat_number=11, now=then)
    report(late, now=then)
    # 36.00 were paid. Seat 11 costs 45.00, so nothing is left for seat 1.
    assert list(Booking.objects.sold().values_list("seat_number", flat=True)) == [11]


def test_expired_holds_do_not_bypass_the_seat_limit(user, show, settings):
    settings.MAX_SEATS_PER_USER = 3
    first = ask(user, hold(user, show, 1, 2))
    second = ask(user, hold(user, show, 3, 4, now=LATER), LATER)
    for payment in (second, first):
        report(payment, now=LATER)
    assert sorted(Booking.objects.sold().values_list("seat_number", flat=True)) == [3, 4]
    assert refunds() == [(Decimal(24), "pending")]


def test_seats_that_are_still_held_are_booked_although_staff_sold_the_customer_more(user, show, clerk, settings):
    settings.MAX_SEATS_PER_USER = 2
    payment = ask(user, hold(user, show, 1, 2))
    book_seats(user=user, show_id=show.pk, seat_numbers=[3], sold_by=clerk, now=NOW)
    report(payment, now=NOW)
    assert (Booking.objects.sold().count(), refunds()) == (3, [])


def test_a_paid_hold_is_booked_when_its_payment_arrives(user, show):
    payment = ask(user, hold(user, show, 1))
    report(payment, now=NOW + timedelta(minutes=5))
    assert Booking.objects.get().created_at == NOW + timedelta(minutes=5)


def test_paid_holds_are_counted_as_sold(user, show):
    before = SEATS_BOOKED._value.get()
    pay(user, hold(user, show, 1, 2))
    assert SEATS_BOOKED._value.get() - before == 2


def test_the_customer_gets_mail_about_a_refund_of_an_order_without_seats(user, show):
    payment = ask(user, hold(user, show, 1))
    hold(user, show, 2)
    # Seats 1 and 2 become a third order, and the first two are empty.
    hold(user, show, 1, 2)
    report(payment, now=NOW)
    work()
    assert (sent(), Order.objects.count()) == ([Decimal(12)], 2)
    assert [kind for kind, *_ in mails()] == ["payment_refunded", "seats_lost"]


@pytest.mark.parametrize("seats", [hold, book])
def test_the_customer_gets_mail_about_seats_that_were_cancelled_while_they_paid(user, show, seats):
    payment = ask(user, seats(user, show, 1))
    cancel_show(show_id=show.pk, now=NOW)
    report(payment, now=NOW)
    assert mails() == [("seats_lost", "12.00", "The seats were not available any more when the payment arrived.")]


def test_a_second_payment_of_a_booked_order_is_called_overpaid(user, show):
    reference = book(user, show, 1, 2)
    first = ask(user, reference)
    cancel_booking(user=user, booking_id=Booking.objects.get(seat_number=2).pk, now=NOW)
    pay(user, reference)
    report(first, now=LATER)
    assert [refund.reason for refund in Refund.objects.all()] == ["More was paid than the seats cost."]
    assert "seats_lost" not in [kind for kind, *_ in mails()]


# --- Events that were lost --------------------------------------------------------------------


class AnsweringBank(Bank):
    """A bank that says, if it is asked, what it has received."""

    def create_payment(self, payment, return_url):
        started = super().create_payment(payment, return_url)
        if payment.pk not in self.received:
            return started
        about = payment.pk, started.provider_id, payment.amount, payment.currency
        return replace(started, event=Event(f"read-{payment.pk}", EventKind.PAID, "{}", *about))


@pytest.fixture
def answering(settings, bank):
    settings.PAYMENT_PROVIDERS = settings.PAYMENT_PROVIDERS | {"demo": f"{__name__}.AnsweringBank"}


def due_checks():
    return list(DBTaskResult.objects.filter(task_path=CHECK).values_list("run_after", flat=True))


@pytest.mark.usefixtures("answering")
def test_a_payment_whose_event_is_lost_is_settled_two_minutes_later(user, show):
    payment = ask(user, hold(user, show, 1))
    Bank.pay(payment)
    work(NOW + timedelta(minutes=2) - MOMENT)
    assert balance() == NOTHING
    work(NOW + timedelta(minutes=2))
    assert balance() == (Decimal(12), Decimal(12))
    report(payment, now=LATER)
    assert (balance(), mails()) == ((Decimal(12), Decimal(12)), [("payment_received", "12.00", "")])


@pytest.mark.usefixtures("answering")
def test_a_declined_payment_whose_later_event_is_lost_is_settled(user, show):
    payment = ask(user, hold(user, show, 1))
    report(payment, "failed", now=NOW)
    Bank.pay(payment)
    work(LATER)
    assert balance() == (Decimal(12), Decimal(12))


def test_the_bank_is_asked_shortly_before_the_first_hold_expires(user, show):
    reference = hold(user, show, 1)
    hold_seats(user=user, show_id=show.pk, seat_numbers=[1, 2], now=NOW + timedelta(minutes=5))
    shortly_before = NOW + timedelta(minutes=14, seconds=30)
    payment = ask(user, reference, NOW + timedelta(minutes=13))
    assert due_checks() == [shortly_before]
    with pytest.raises(NotYet) as waiting:
        check_payment(payment_id=payment, now=shortly_before - MOMENT)
    assert waiting.value.before == shortly_before
    with pytest.raises(NotYet) as waiting:
        check_payment(payment_id=payment, now=shortly_before)
    assert waiting.value.before is None


def test_a_payment_that_nobody_makes_has_failed_after_a_day_of_checks(user, show):
    payment = ask(user, book(user, show, 1))
    work(NOW + timedelta(minutes=2))
    assert due_checks() == [NOW + timedelta(minutes=3)]
    with pytest.raises(NotYet):
        check_payment(payment_id=payment, now=NOW + timedelta(days=1) - MOMENT)
    assert Payment.objects.get().status == "pending"
    check_payment(payment_id=payment, now=NOW + timedelta(days=1))
    assert Payment.objects.get().status == "failed"


def test_a_payment_that_the_bank_refuses_afterwards_has_failed_at_the_next_check(user, show, monkeypatch):
    payment = ask(user, book(user, show, 1))
    monkeypatch.setattr(Bank, "create_payment", refuse)
    check_payment(payment_id=payment, now=NOW + timedelta(minutes=2))
    assert Payment.objects.get().status == "failed"


def test_a_check_of_a_payment_that_is_paid_ends(user, show):
    payment = pay(user, hold(user, show, 1))
    assert check_payment(payment_id=payment, now=NOW) is None


def test_a_payment_that_nobody_made_has_failed_a_day_later_and_may_still_be_made(user, show):
    payment = ask(user, book(user, show, 1))
    assert [close_old_payments(now=NOW + timedelta(days=1) - rest) for rest in (MOMENT, timedelta(0))] == [0, 1]
    assert Payment.objects.get().status == "failed"
    report(payment, now=LATER)
    assert balance() == (Decimal(12), Decimal(12))


# --- Changing and cancelling a paid order -----------------------------------------------------


def test_an_exchange_for_a_dearer_seat_is_paid_up_and_back_again(user, show):
    reference = book(user, show, 1)
    pay(user, reference)
    move_booking(user=user, booking_id=only_booking(), seat_number=11, now=NOW)
    pay(user, reference)
    assert balance() == (Decimal(15), Decimal(15))
    move_booking(user=user, booking_id=only_booking(), seat_number=2, now=NOW)
    work()
    assert (balance(), sent()) == ((Decimal(12), Decimal(12)), [Decimal(3)])


def test_a_part_of_an_order_is_refunded(user, show):
    pay(user, book(user, show, 1, 11))
    cancel_booking(user=user, booking_id=Booking.objects.get(seat_number=11).pk, now=NOW)
    work()
    assert (balance(), sent()) == ((Decimal(12), Decimal(12)), [Decimal(15)])


def test_a_refund_is_of_the_price_that_was_paid(user, show):
    pay(user, book(user, show, 1, 11))
    old = show.price_list
    dearer = add_version(
        price_list_id=old.pk, amounts={key: 2 * amount for key, amount in read_amounts(price_list=old).items()}
    )
    assert assign_version(show_id=show.pk, price_list=dearer, now=NOW)
    cancel_booking(user=user, booking_id=Booking.objects.get(seat_number=11).pk, now=NOW)
    assert (balance(), refunds()) == ((Decimal(12), Decimal(12)), [(Decimal(15), "pending")])


def test_customers_get_refunds_until_60_minutes_before_the_start(user, show):
    reference = book(user, show, 1)
    pay(user, reference)
    with pytest.raises(RefundEnded):
        cancel_order(user=user, reference=reference, now=REFUND_UNTIL + MOMENT)
    cancel_order(user=user, reference=reference, now=REFUND_UNTIL)
    assert refunds() == [(Decimal(12), "pending")]


def test_customers_get_refunds_later_if_the_cinema_moved_the_start(user, show):
    reference = book(user, show, 1)
    pay(user, reference)
    change_show(show_id=show.pk, changed_by=make_user(), starts_at=LATER + timedelta(minutes=50), now=LATER)
    with pytest.raises(RefundEnded):
        cancel_order(user=user, reference=reference, now=LATER)
    cancel_mailed_order(show_id=show.pk, reference=reference, now=LATER)
    assert refunds() == [(Decimal(12), "pending")]


def test_customers_exchange_for_cheaper_seats_until_60_minutes_before(user, show):
    pay(user, book(user, show, 11))
    with pytest.raises(RefundEnded):
        move_booking(user=user, booking_id=only_booking(), seat_number=1, now=REFUND_UNTIL + MOMENT)
    assert (
        move_booking(user=user, booking_id=only_booking(), seat_number=12, now=REFUND_UNTIL + MOMENT).seat_number == 12
    )


def test_staff_refund_until_the_start(user, show, clerk):
    pay(user, book(user, show, 1))
    seen = [SeenSeat(only_booking(), 1, "booked")]
    cancel_bookings(show_id=show.pk, seen=seen, now=STARTS_AT - MOMENT, cancelled_by=clerk)
    assert refunds() == [(Decimal(12), "pending")]


def test_staff_who_cancel_seats_of_two_orders_refund_both(user, show, clerk):
    for seats in ((1, 2), (11,)):
        pay(user, book(user, show, *seats))
    seen = [SeenSeat(one.pk, one.seat_number, "booked") for one in Booking.objects.exclude(seat_number=2)]
    cancel_bookings(show_id=show.pk, seen=seen, now=LATER, cancelled_by=clerk)
    assert balance() == (Decimal(12), Decimal(12))
    assert sorted(refunds()) == [(Decimal(12), "pending"), (Decimal(15), "pending")]


def test_staff_who_move_seats_of_two_orders_to_cheaper_ones_refund_both(user, show, clerk):
    for seat in (11, 12):
        pay(user, book(user, show, seat))
    seen = [SeenSeat(one.pk, one.seat_number, "booked") for one in Booking.objects.all()]
    call = {"show_id": show.pk, "seen": seen, "seat_numbers": [1, 2], "expected_total": Decimal(24)}
    move_bookings(**call, now=LATER, moved_by=clerk)
    assert (balance(), refunds()) == ((Decimal(24), Decimal(24)), [(Decimal(3), "pending")] * 2)


# --- A cancelled show -------------------------------------------------------------------------


def test_a_cancelled_show_refunds_each_order_once_however_often_the_task_runs(user, show, clerk):
    for seat in (1, 2):
        pay(user, book(user, show, seat))
    record_payment(
        show_id=show.pk, reference=book(user, show, 3), method="cash", expected=Decimal(12), by=clerk, now=NOW
    )
    cancel_show(show_id=show.pk, now=LATER)
    for _ in range(3):
        DBTaskResult.objects.update(status=TaskResultStatus.READY, run_after=LATER)
        work(LATER)
    assert (balance(), sent()) == (NOTHING, [Decimal(12)] * 2)
    # A clerk pays the third one out.
    assert sorted(refunds()) == [(Decimal(12), "done"), (Decimal(12), "done"), (Decimal(12), "pending")]


def test_a_payment_that_arrives_after_the_show_was_cancelled_is_refunded(user, show):
    payment = ask(user, book(user, show, 1))
    cancel_show(show_id=show.pk, now=NOW)
    report(payment, now=NOW)
    work()
    assert sent() == [Decimal(12)]


# --- Refunds that do not work immediately ---------------------------------------------------------


@pytest.fixture
def refund(user, show):
    reference = book(user, show, 1)
    pay(user, reference)
    cancel_order(user=user, reference=reference, now=NOW)
    return Refund.objects.get()


def test_a_refused_refund_is_stored_with_the_reason_and_retried_by_hand(refund):
    Bank.mode = "refuses"
    work()
    refund.refresh_from_db()
    assert (refund.status, refund.problem, sent()) == ("failed", "The card was closed.", [])
    Bank.mode = "works"
    work(LATER)
    assert sent() == []
    retry_refund(refund_id=refund.pk, now=LATER)
    work(LATER)
    assert (refunds(), Bank.sent) == ([(Decimal(12), "done")], {(refund.pk, 1): Decimal(12)})


def test_a_refund_whose_answer_was_lost_is_sent_once_although_staff_retry_it(refund):
    Bank.mode = "loses answer"
    work()
    retry_refund(refund_id=refund.pk, now=NOW)
    Bank.mode = "works"
    work(LATER)
    assert (refunds(), Bank.sent) == ([(Decimal(12), "done")], {(refund.pk, 0): Decimal(12)})


@pytest.mark.parametrize("moment", ["killed before", "killed after"])
def test_a_refund_whose_worker_is_killed_is_sent_once(refund, moment):
    Bank.mode = moment
    with pytest.raises(Killed):
        work()
    Bank.mode = "works"
    work()
    assert refunds() == [(Decimal(12), "pending")]
    lost_at = NOW + timedelta(seconds=LEASE_SECONDS + 1)
    work(lost_at)
    work(lost_at + timedelta(minutes=1))
    assert (refunds(), sent()) == ([(Decimal(12), "done")], [Decimal(12)])


# --- A deleted account ------------------------------------------------------------------------


def test_an_account_is_deleted_while_a_refund_is_pending(user, refund):
    delete_account(user=user, password=PASSWORD, now=NOW)
    work()
    assert (refunds(), sent()) == ([(Decimal(12), "done")], [Decimal(12)])


@pytest.mark.parametrize("seats", [hold, book])
def test_an_account_is_deleted_while_a_payment_is_pending(user, show, seats):
    payment = ask(user, seats(user, show, 1))
    delete_account(user=user, password=PASSWORD, now=NOW)
    report(payment, now=NOW)
    work()
    assert (balance(), sent()) == (NOTHING, [Decimal(12)])


def test_an_account_with_a_refused_refund_is_deleted(user, refund):
    Bank.mode = "refuses"
    carry_out_refund(refund_id=refund.pk, now=NOW)
    delete_account(user=user, password=PASSWORD, now=NOW)
    Bank.mode = "works"
    retry_refund(refund_id=refund.pk, now=NOW)
    work()
    assert sent() == [Decimal(12)]


def test_the_amount_due_is_deleted_with_the_account(user, show):
    book(user, show, 1)
    hold_seats(user=user, show_id=show.pk, seat_numbers=[2], now=NOW)
    delete_account(user=user, password=PASSWORD, now=NOW)
    assert (balance(), Payment.objects.count()) == (NOTHING, 0)
