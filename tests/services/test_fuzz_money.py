"""After random actions of customers, staff, provider and worker, no money is lost and no seat is sold twice."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from booking import services
from booking.infrastructure.worker import LEASE_SECONDS, Worker
from booking.models import Booking, Order, Payment, Refund, User
from booking.services.audit import find_breaches
from booking.services.money.payments import CHECK
from booking.services.seats.holds import release_expired_holds
from tests.bank import Bank, Killed, id_of, key_of, report, report_refund
from tests.conftest import delete_rows, forget_plans
from tests.factories import NOW, PASSWORD, make_price_list, make_show, make_ticket_type, make_user
from tests.hostile import bounded

pytestmark = pytest.mark.fuzz(both=True)

# So small that customers often request the same seats; refunds are possible for the first two hours.
LAYOUT, SEATS = "SSS\nPPP", 6
STARTS_AT = NOW + timedelta(hours=3)
REFUND_UNTIL = STARTS_AT - timedelta(hours=1)
LEASE = timedelta(seconds=LEASE_SECONDS + 1)
PRICES = {("S", "adult"): 12, ("P", "adult"): 15, ("S", "child"): 8, ("P", "child"): 9}

MODE = st.sampled_from(["works", "unavailable", "refuses", "later", "loses answer", "killed before", "killed after"])
EVENTS = st.integers(0, 2)
CUSTOMER = st.integers(0, 1)
CHOICE = st.lists(st.integers(1, SEATS), min_size=1, max_size=3, unique=True)


def total(amounts):
    return sum(amounts, Decimal(0))


# The reasons why a customer gets no seats; tests/services/test_fuzz_hall.py compares them with a model.
NO_SEATS = ("seat_taken", "sold_out", "show_started", "show_cancelled", "hold_limit_reached")


@dataclass
class Seat:
    """A row of a booking. `until` is the end of a hold."""

    customer: int | None
    reference: str
    number: int
    kind: str
    until: datetime | None
    is_cancelled: bool = False

    @property
    def price(self):
        return Decimal(PRICES["S" if self.number <= SEATS // 2 else "P", self.kind])

    def is_active(self, now):
        return not self.is_cancelled and (self.until is None or self.until > now)

    @property
    def is_booked(self):
        return not self.is_cancelled and self.until is None


@dataclass
class Asked:
    """A payment that was started; the bank's event may come late, twice or never."""

    reference: str
    amount: Decimal
    at: datetime
    status: str = "pending"


class Cinema(RuleBasedStateMachine):
    """The model: rows of seats, payments, and for each order what was paid and what has to go back."""

    def __init__(self):
        super().__init__()
        delete_rows()
        forget_plans()
        Bank.open()
        self.now = NOW
        self.types = {"adult": make_ticket_type(name="Adult"), "child": make_ticket_type(name="Child")}
        prices = {(category, self.types[kind]): amount for (category, kind), amount in PRICES.items()}
        self.show = make_show(layout=LAYOUT, price_list=make_price_list(prices), starts_at=STARTS_AT)
        self.customers = [make_user() for _ in range(2)]
        self.clerk = make_user(username="clerk", is_staff=True)
        self.till = services.open_till(clerk=self.clerk, opening_float=Decimal(0), now=NOW)
        self.is_cancelled = False
        self.rows = {}
        self.payments = {}
        self.paid, self.refunded = {}, {}

    # --- The model ----------------------------------------------------------------------------

    def active(self):
        return [row for row in self.rows.values() if row.is_active(self.now)]

    def booked_price(self, reference):
        return sum(
            (row.price for row in self.rows.values() if row.is_booked and row.reference == reference), Decimal(0)
        )

    def balance(self, reference):
        """Return the amount that was paid for the order without its refunds."""
        return self.paid.get(reference, Decimal(0)) - self.refunded.get(reference, Decimal(0))

    def due(self, reference):
        return total(row.price for row in self.active() if row.reference == reference) - self.balance(reference)

    def references(self, *, staff=False):
        """Return the orders of customers, for staff those of deleted accounts too, in the order of their seats."""
        rows = [row for _, row in sorted(self.rows.items())]
        return list(dict.fromkeys(row.reference for row in rows if staff or row.customer is not None))

    def refund_overpaid(self, *references):
        for reference in references:
            excess = self.balance(reference) - self.booked_price(reference)
            if excess > 0:
                self.refunded[reference] = self.refunded.get(reference, Decimal(0)) + excess

    def needs_staff(self, before, after):
        """Return whether a customer's change comes too late, because it would refund something."""
        return self.now > REFUND_UNTIL and before > after

    def receive(self, reference, amount, at):
        """Money came in: the holds that it was started for are booked, or it goes back."""
        self.paid[reference] = self.paid.get(reference, Decimal(0)) + amount
        holds = {
            row.number: row
            for _, row in sorted(self.rows.items())
            if row.reference == reference and row.customer is not None and not row.is_cancelled
            if row.until is not None and row.until > at
        }
        price = total(row.price for row in holds.values())
        others = {row.number for row in self.active() if row not in holds.values()}
        is_on_sale = not self.is_cancelled and self.now < STARTS_AT
        if price + self.booked_price(reference) <= self.balance(reference) and is_on_sale and not others & holds.keys():
            for row in holds.values():
                row.until = None
        self.refund_overpaid(reference)

    def carried_out(self, service, *codes, **call):
        """Return the service's result, or None if it refuses with one of the codes."""
        done, code = None, None
        try:
            done = service(**call)
        except services.Refusal as refusal:
            code = refusal.code
        assert code is None or code in codes
        return done

    def own(self, customer, **call):
        return {"user": self.customers[customer], "now": self.now, **call}

    # --- Seats --------------------------------------------------------------------------------

    @rule(customer=CUSTOMER, seats=CHOICE)
    def hold(self, customer, seats):
        self.get(services.hold_seats, customer, seats)

    @rule(customer=CUSTOMER, seats=CHOICE)
    def book(self, customer, seats):
        self.get(services.book_seats, customer, seats)

    def get(self, service, customer, seats):
        """Return the reference of the order, or None if the customer does not get the seats."""
        call = self.own(customer, show_id=self.show.pk, seat_numbers=seats)
        bookings = self.carried_out(service, *NO_SEATS, **call) or ()
        kinds = {own.pk: kind for kind, own in self.types.items()}
        for booking in bookings:
            seat = booking.seat_number, kinds[booking.ticket_type_id], booking.expires_at
            self.rows[booking.pk] = Seat(customer, booking.reference, *seat)
        return bookings[0].reference if bookings else None

    @initialize(customer=CUSTOMER, seats=CHOICE, events=EVENTS)
    def first_sale(self, customer, seats, events):
        self.buy(customer, seats, True, events)

    @initialize(
        customer=CUSTOMER,
        mode=st.sampled_from(["works", "later", "loses answer", "refuses"]),
        bounces=st.sampled_from([True, True, False]),
        by_hand=st.sampled_from(["retry", "pay out", "nothing"]),
        late=st.lists(st.sampled_from(["refunded", "refund_failed"]), min_size=1, max_size=2),
    )
    def first_refund(self, customer, mode, bounces, by_hand, late):
        """A refund fails, staff try it again or pay it out, and then the bank reports the failed attempt once more.

        The rules alone combine these steps too seldom.
        """
        reference = self.get(services.book_seats, customer, [SEATS])
        if reference is None:
            return
        self.pay(self.start_payment(reference), 1)
        rows = [row for row in self.rows.values() if row.reference == reference]
        self.cancel(rows, services.cancel_order, customer, reference=reference)
        self.work(mode)
        refund = Refund.objects.get(reference=reference)
        failed_id = id_of(refund)
        if bounces:
            self.bounce(refund)
        if by_hand != "nothing":
            self.settle_by_hand(Refund.objects.get(reference=reference), by_hand)
        for number, kind in enumerate(late if bounces else []):
            self.report_late(Refund.objects.get(reference=reference), failed_id, kind, number)

    @rule(customer=CUSTOMER, seats=CHOICE, held=st.booleans(), events=EVENTS)
    def buy(self, customer, seats, held, events):
        """Hold seats and pay for them; without an event, the payment is still pending."""
        if reference := self.get(services.hold_seats if held else services.book_seats, customer, seats):
            self.pay(self.start_payment(reference), events)

    @precondition(lambda self: self.active())
    @rule(data=st.data(), to=st.integers(1, SEATS), by_staff=st.booleans())
    def exchange(self, data, to, by_staff):
        """Move a booking by a customer or a clerk, possibly to a seat of another price or one that is held."""
        pk = data.draw(st.sampled_from(sorted(pk for pk, row in self.rows.items() if row.is_active(self.now))))
        row = self.rows[pk]
        call = {"user": None if row.customer is None else self.customers[row.customer], "now": self.now}
        call |= {"booking_id": pk, "seat_number": to, "moved_by": self.clerk if by_staff or not call["user"] else None}
        codes = ["not_booked", *NO_SEATS]
        after = Seat(row.customer, row.reference, to, row.kind, None)
        price = self.booked_price(row.reference) - row.price + after.price
        if row.is_booked and not call["moved_by"] and self.needs_staff(self.balance(row.reference), price):
            codes.append("refund_ended")
        if self.carried_out(services.move_booking, *codes, **call) and to != row.number:
            assert "refund_ended" not in codes or after.price >= row.price
            for other in self.active():
                if other.number == to:
                    other.is_cancelled = True
            row.number = to
            self.refund_overpaid(row.reference)

    @precondition(lambda self: self.active())
    @rule(data=st.data(), kind=st.sampled_from(["adult", "child"]))
    def change_ticket_type(self, data, kind):
        row = data.draw(st.sampled_from(self.active()))
        call = {"order_id": Order.objects.get(reference=row.reference).pk, "now": self.now, "changed_by": self.clerk}
        types = {row.number: self.types[kind].pk}
        codes = ("show_started", "show_cancelled")
        if self.carried_out(services.change_ticket_types, *codes, ticket_types=types, **call):
            row.kind = kind
            self.refund_overpaid(row.reference)

    @precondition(lambda self: self.active())
    @rule(data=st.data())
    def split_order(self, data):
        row = data.draw(st.sampled_from(self.active()))
        call = {"order_id": Order.objects.get(reference=row.reference).pk, "now": self.now, "split_by": self.clerk}
        codes = ("order_paid", "whole_order", "show_started", "show_cancelled")
        if new := self.carried_out(services.split_order, *codes, seat_numbers=[row.number], **call):
            assert row.reference not in self.paid
            row.reference = new.reference

    @precondition(lambda self: any(row.customer is not None for row in self.rows.values()))
    @rule(data=st.data())
    def cancel_seat(self, data):
        own = sorted(pk for pk, row in self.rows.items() if row.customer is not None)
        pk = data.draw(st.sampled_from(own))
        row = self.rows[pk]
        self.cancel([row], services.cancel_booking, row.customer, booking_id=pk)

    @precondition(lambda self: self.references())
    @rule(data=st.data())
    def cancel_order(self, data):
        reference = data.draw(st.sampled_from(self.references()))
        of_order = [row for row in self.rows.values() if row.reference == reference]
        self.cancel(of_order, services.cancel_order, of_order[0].customer, reference=reference)

    def cancel(self, rows, service, customer, **call):
        reference, active = rows[0].reference, [row for row in rows if row.is_active(self.now)]
        booked = total(row.price for row in active if row.is_booked)
        if not active:
            codes = {"already_cancelled"}
        elif self.now >= STARTS_AT:
            codes = {"show_started"}
        elif self.needs_staff(self.balance(reference), self.booked_price(reference) - booked):
            codes = {"refund_ended"}
        else:
            codes = set()
        done = self.carried_out(service, *codes, **self.own(customer, **call))
        assert (done is None) == bool(codes)
        if done:
            for row in active:
                row.is_cancelled = True
            self.refund_overpaid(reference)

    # --- Money --------------------------------------------------------------------------------

    @precondition(lambda self: self.references())
    @rule(data=st.data())
    def ask_for_payment(self, data):
        self.start_payment(data.draw(st.sampled_from(self.references())))

    def start_payment(self, reference):
        [customer] = {row.customer for row in self.rows.values() if row.reference == reference}
        call = self.own(customer, reference=reference, return_url="http://testserver/")
        codes = ("nothing_due",) if self.due(reference) <= 0 else ()
        if self.is_cancelled or self.now >= STARTS_AT:
            codes = ("show_started", "show_cancelled")
        started = self.carried_out(services.pay_order, *codes, **call)
        assert (started is None) == bool(codes)
        if started:
            assert started.payment.amount == self.due(reference)
            self.payments.setdefault(started.payment.pk, Asked(reference, started.payment.amount, self.now))
        return started and started.payment.pk

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), events=EVENTS)
    def customer_pays(self, data, events):
        """Pay on the bank's page at any time; the bank's event is lost, or arrives once or twice."""
        self.pay(data.draw(st.sampled_from(sorted(self.payments))), events)

    def pay(self, payment, events):
        if payment is not None:
            Bank.pay(payment)
            for _ in range(events):
                self.event(payment)

    @precondition(lambda self: Bank.received)
    @rule(data=st.data(), number=st.integers(0, 1))
    def event_comes_late(self, data, number):
        self.event(data.draw(st.sampled_from(sorted(Bank.received))), number)

    def event(self, payment, number=0):
        started = self.payments[payment]
        report(payment, now=self.now, number=number)
        if started.status != "paid":
            started.status = "paid"
            self.receive(started.reference, started.amount, started.at)

    @precondition(lambda self: self.payments)
    @rule(data=st.data())
    def payment_is_declined(self, data):
        payment = data.draw(st.sampled_from(sorted(self.payments)))
        report(payment, "failed", now=self.now)

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), change=st.sampled_from([{"amount": "0.01"}, {"currency": "USD"}]))
    def event_is_wrong(self, data, change):
        report(data.draw(st.sampled_from(sorted(self.payments))), now=self.now, number=9, **change)

    @precondition(lambda self: self.references(staff=True))
    @rule(data=st.data())
    def pay_at_the_counter(self, data):
        reference = data.draw(st.sampled_from(self.references(staff=True)))
        due = self.due(reference)
        call = {"show_id": self.show.pk, "reference": reference, "method": "cash", "expected": due}
        codes = ("show_cancelled",) if self.is_cancelled else ("nothing_due",) if due <= 0 else ()
        payment = self.carried_out(services.record_payment, *codes, **call, by=self.clerk, now=self.now)
        assert (payment is None) == bool(codes)
        if payment:
            self.receive(reference, due, self.now)

    # --- Refunds ------------------------------------------------------------------------------

    MODES = st.sampled_from(
        ["works", "unavailable", "refuses", "later", "loses answer", "killed before", "killed after"]
    )

    @rule(mode=MODES)
    def work(self, mode):
        Bank.mode = mode
        try:
            Worker(clock=lambda: self.now).run_due()
        except Killed:
            # Its task belongs to it until the lease ends.
            self.now += LEASE

    @precondition(lambda self: self.refunded)
    @rule(data=st.data(), kind=st.sampled_from(["refunded", "refund_failed"]))
    def bank_reports_a_refund(self, data, kind):
        """Send the event that a refund is done, or that the customer's bank refused it, possibly afterwards."""
        refund = self.draw(data, Refund.objects.filter(provider="demo", till=None))
        if refund is None:
            return
        if kind == "refund_failed":
            self.bounce(refund)
        elif refund.status != "failed":
            Bank.send(refund)
            report_refund(refund, kind, now=self.now)

    def bounce(self, refund):
        Bank.sent.pop(key_of(refund), None)
        report_refund(refund, "refund_failed", now=self.now, problem="The card was closed.")

    @precondition(lambda self: self.refunded)
    @rule(data=st.data(), kind=st.sampled_from(["refunded", "refund_failed"]), number=st.integers(0, 2))
    def bank_reports_a_failed_attempt_late(self, data, kind, number):
        """Events about an attempt that failed, the success before it too, come late and in any order."""
        failed = [refund for refund in Refund.objects.order_by("pk") if refund.failed_ids]
        if not failed:
            return
        refund = data.draw(st.sampled_from(failed))
        self.report_late(refund, data.draw(st.sampled_from(refund.failed_ids)), kind, number)

    def report_late(self, refund, failed_id, kind, number):
        before = refund.status
        refund.retries = int(failed_id.rpartition("-")[2])
        report_refund(refund, kind, now=self.now, problem="Late.", number=f"late-{id_of(refund)}-{number}")
        assert Refund.objects.get(pk=refund.pk).status == before

    @precondition(lambda self: self.refunded)
    @rule(data=st.data())
    def staff_refund_by_hand(self, data):
        """Retry a failed refund, or pay out one at the counter."""
        if refund := self.draw(data, Refund.objects.exclude(status="done")):
            self.refund_by_hand(refund)

    @precondition(lambda self: self.refunded)
    @rule(data=st.data(), how=st.sampled_from(["retry", "pay out"]))
    def staff_settle_an_online_refund(self, data, how):
        if refund := self.draw(data, Refund.objects.filter(provider="demo")):
            self.settle_by_hand(refund, how)

    def settle_by_hand(self, refund, how):
        """One that failed is tried again or paid out; a pending one is not paid out, because it may have been sent."""
        call = {"refund_id": refund.pk, "now": self.now, "by": self.clerk}
        codes = ("already_refunded",) if refund.status == "done" else ()
        if how == "pay out" and refund.status == "pending":
            codes = ("refund_not_failed",)
        service = services.retry_refund if how == "retry" else services.pay_out_refund
        done = self.carried_out(service, *codes, **call)
        assert (done is None) == bool(codes)

    def refund_by_hand(self, refund):
        if refund.provider == "counter":
            services.pay_out_refund(refund_id=refund.pk, by=self.clerk, now=self.now)
        else:
            services.retry_refund(refund_id=refund.pk, now=self.now)

    @staticmethod
    def draw(data, refunds):
        found = list(refunds.order_by("pk"))
        return data.draw(st.sampled_from(found)) if found else None

    # --- Time, the show and the accounts ------------------------------------------------------

    @rule(minutes=st.sampled_from([1, 5, 11, 45]))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule()
    def tidy_up(self):
        release_expired_holds(expired_by=self.now)

    @rule(really=st.integers(0, 5))
    def cancel_show(self, really):
        if really:
            return
        codes = ["show_cancelled"] if self.is_cancelled else ["show_over"] if self.now >= self.show.ends_at else []
        done = self.carried_out(services.cancel_show, *codes, show_id=self.show.pk, now=self.now)
        if done is not None:
            self.is_cancelled = True
            for row in self.active():
                row.is_cancelled = True
            self.refund_overpaid(*self.references(staff=True))

    @rule(customer=CUSTOMER, really=st.integers(0, 2))
    def delete_account(self, customer, really):
        if really:
            return
        services.delete_account(user=self.customers[customer], password=PASSWORD, now=self.now)
        own = [row for row in self.rows.values() if row.customer == customer]
        paid = {row.reference for row in own if self.paid.get(row.reference)} if self.now > REFUND_UNTIL else set()
        for row in own:
            row.customer = None
            if self.now < STARTS_AT and row.is_active(self.now) and not (row.is_booked and row.reference in paid):
                row.is_cancelled = True
        if self.now < STARTS_AT:
            self.refund_overpaid(*{row.reference for row in own})
        self.customers[customer] = make_user(username=f"heir{User.objects.latest('pk').pk}")

    # --- What must be so at any time ----------------------------------------------------------

    @invariant()
    def each_seat_has_one_customer_and_its_price(self):
        rows = Booking.objects.active(self.now).filter(show=self.show)
        stored = {(row.seat_number, row.user_id, row.reference, str(row.status), row.price) for row in rows}
        model = {
            (
                row.number,
                None if row.customer is None else self.customers[row.customer].pk,
                row.reference,
                "booked" if row.is_booked else "held",
                row.price,
            )
            for row in self.active()
        }
        assert stored == model
        assert len(rows) == len({row.seat_number for row in rows})

    @invariant()
    def money_is_where_the_model_says(self):
        received, refunds = list(Payment.objects.received()), list(Refund.objects.all())
        for reference in {payment.reference for payment in received} | set(self.paid):
            paid = total(one.amount for one in received if one.reference == reference)
            back = total(one.amount for one in refunds if one.reference == reference)
            assert (paid, back) == (self.paid.get(reference, 0), self.refunded.get(reference, 0))
            # Nobody has paid without a seat or a refund.
            assert paid - back <= self.booked_price(reference)
        done = total(refund.amount for refund in refunds if refund.status == "done")
        open_ones = total(refund.amount for refund in refunds if refund.status != "done")
        booked = total(row.price for row in self.rows.values() if row.is_booked)
        due = total(self.booked_price(one) - self.balance(one) for one in self.references(staff=True))
        assert total(payment.amount for payment in received) - done == booked - due + open_ones
        for payment in received:
            assert sum(one.amount for one in refunds if one.payment_id == payment.pk) <= payment.amount

    @invariant()
    def the_bank_has_done_what_is_stored(self):
        for refund in Refund.objects.filter(provider="demo", status="done", till=None):
            assert Bank.sent[key_of(refund)] == refund.amount
        for payment in Payment.objects.received().filter(provider="demo"):
            assert Bank.received[payment.pk] == payment.amount

    def teardown(self):
        """Send all events of the bank, and carry out all refunds; then no refund is left."""
        for payment in sorted(Bank.received):
            self.event(payment)
        for refund in Refund.objects.filter(status="failed"):
            self.refund_by_hand(refund)
        self.finish_tasks()
        for refund in Refund.objects.filter(status="pending"):
            self.refund_by_hand(refund)
        self.finish_tasks()
        self.each_seat_has_one_customer_and_its_price()
        self.money_is_where_the_model_says()
        assert {refund.status for refund in Refund.objects.all()} <= {"done"}
        at_the_bank = total(Bank.received.values()) - total(Bank.sent.values())
        in_the_till = total(line.paid - line.refunded for line in services.read_till(till=self.till))
        assert at_the_bank + in_the_till == total(map(self.balance, self.references(staff=True)))
        others = DBTaskResult.objects.exclude(task_path=CHECK)
        assert set(others.values_list("status", flat=True)) <= {TaskResultStatus.SUCCESSFUL}
        # The audit names the events about other amounts.
        assert [breach for breach in find_breaches() if "changed nothing" not in breach] == []

    def finish_tasks(self):
        # Tasks of killed workers become due again.
        self.now += LEASE
        self.work("works")
        DBTaskResult.objects.filter(status=TaskResultStatus.READY).update(run_after=self.now)
        self.work("works")


@pytest.mark.django_db
@pytest.mark.usefixtures("bank")
def test_no_money_is_lost_after_any_changes():
    run_state_machine_as_test(Cinema, settings=bounded(10, stateful_step_count=30))
