"""A plain model of one show's seats, money and mail, with the calls of the services that change them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django_tasks_db.models import DBTaskResult
from hypothesis.stateful import RuleBasedStateMachine

from booking import services
from booking.services.mail.outbox import SEND_ORDER_MAIL
from tests.bank import Bank, report
from tests.conftest import delete_rows, forget_plans
from tests.factories import NOW, make_price_list, make_show, make_ticket_type, make_user

# So small that customers often request the same seats; refunds are possible for the first two hours.
LAYOUT, SEATS = "SSS\nPPP", 6
STARTS_AT = NOW + timedelta(hours=3)
REFUND_UNTIL = STARTS_AT - timedelta(hours=1)
PRICES = {("S", "adult"): 12, ("P", "adult"): 15, ("S", "child"): 8, ("P", "child"): 9}
# The kinds of mail that the model expects.
MAILS = ("payment_received", "seats_lost", "payment_refunded", "order_cancelled", "show_cancelled")
ZERO = Decimal(0)


def total(amounts):
    return sum(amounts, ZERO)


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


@dataclass(order=True)
class Paid:
    """A received payment, and the amount of it that goes back."""

    at: datetime
    pk: int
    amount: Decimal = field(compare=False)
    back: Decimal = field(compare=False, default=ZERO)


class MoneyModel(RuleBasedStateMachine):
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
        self.customers = [make_user(email="esha@example.com") for _ in range(2)]
        self.clerk = make_user(username="clerk", is_staff=True)
        self.till = services.open_till(clerk=self.clerk, opening_float=ZERO, now=NOW)
        self.is_cancelled = False
        self.rows = {}
        # The payments that were started, and by order those that were received and their customer.
        self.payments, self.money, self.owners = {}, {}, {}
        # The refunds that are done, and their states when they were last seen.
        self.done, self.seen = set(), {}
        self.expected_mail, self.mail = Counter(), Counter()

    # --- Seats and money ----------------------------------------------------------------------

    def active(self):
        return [row for row in self.rows.values() if row.is_active(self.now)]

    def booked_price(self, reference):
        return total(row.price for row in self.rows.values() if row.is_booked and row.reference == reference)

    def paid(self, reference):
        return total(payment.amount for payment in self.money.get(reference, []))

    def refunded(self, reference):
        return total(payment.back for payment in self.money.get(reference, []))

    def balance(self, reference):
        """Return the amount that was paid for the order without its refunds."""
        return self.paid(reference) - self.refunded(reference)

    def due(self, reference):
        return total(row.price for row in self.active() if row.reference == reference) - self.balance(reference)

    def references(self, *, staff=False):
        """Return the orders of customers, for staff those of deleted accounts too, in the order of their seats."""
        rows = [row for _, row in sorted(self.rows.items())]
        return list(dict.fromkeys(row.reference for row in rows if staff or row.customer is not None))

    def refund_overpaid(self, *references):
        """The payments of an order give back what was paid too much, the newest one first."""
        for reference in references:
            excess = self.balance(reference) - self.booked_price(reference)
            for payment in sorted(self.money.get(reference, []), reverse=True):
                share = max(min(payment.amount - payment.back, excess), ZERO)
                payment.back += share
                excess -= share

    def needs_staff(self, before, after):
        """Return whether a customer's change comes too late, because it would refund something."""
        return self.now > REFUND_UNTIL and before > after

    def receive(self, reference, amount, at, pk, *, by_clerk=False):
        """Money came in: the holds that it was started for are booked, or it goes back."""
        payment = Paid(self.now, pk, amount)
        self.money.setdefault(reference, []).append(payment)
        holds = {
            row.number: row
            for _, row in sorted(self.rows.items())
            if row.reference == reference and row.customer is not None and not row.is_cancelled
            if row.until is not None and row.until > at
        }
        price = total(row.price for row in holds.values())
        others = {row.number for row in self.active() if row not in holds.values()}
        is_on_sale = not self.is_cancelled and self.now < STARTS_AT
        gets = price + self.booked_price(reference) <= self.balance(reference) and is_on_sale
        gets = gets and not others & holds.keys()
        if gets:
            for row in holds.values():
                row.until = None
        self.refund_overpaid(reference)
        if payment.back < amount:
            self.expect_mail("payment_received", reference, amount)
        is_lost = (
            not gets if holds else not any(row.is_booked and row.reference == reference for row in self.rows.values())
        )
        if payment.back and is_lost and not by_clerk:
            self.expect_mail("seats_lost", reference, payment.back)

    def carried_out(self, service, *codes, **call):
        """Return the service's result, or None if it refuses with one of the codes."""
        done, code = None, None
        try:
            done = service(**call)
        except services.Refusal as refusal:
            code = refusal.code
        assert code is None or code in codes, (code, codes)
        return done

    def own(self, customer, **call):
        return {"user": self.customers[customer], "now": self.now, **call}

    def get(self, service, customer, seats, *codes):
        """Return the reference of the order, or None if the customer does not get the seats."""
        call = self.own(customer, show_id=self.show.pk, seat_numbers=seats)
        bookings = self.carried_out(service, *codes, **call) or ()
        kinds = {own.pk: kind for kind, own in self.types.items()}
        for booking in bookings:
            seat = booking.seat_number, kinds[booking.ticket_type_id], booking.expires_at
            self.rows[booking.pk] = Seat(customer, booking.reference, *seat)
            self.owners[booking.reference] = customer
        return bookings[0].reference if bookings else None

    def cancel(self, rows, service, customer, **call):
        reference, active = rows[0].reference, [row for row in rows if row.is_active(self.now)]
        booked = [row.price for row in active if row.is_booked]
        if not active:
            codes = {"already_cancelled"}
        elif self.now >= STARTS_AT:
            codes = {"show_started"}
        elif self.needs_staff(self.balance(reference), self.booked_price(reference) - total(booked)):
            codes = {"refund_ended"}
        else:
            codes = set()
        done = self.carried_out(service, *codes, **self.own(customer, **call))
        assert (done is None) == bool(codes), codes
        if done:
            self.cancelled(active)

    def cancelled(self, rows):
        """The rows were cancelled: their orders get refunds, and one mail each about the booked ones."""
        for reference, number in Counter(row.reference for row in rows if row.is_booked).items():
            self.expect_mail("order_cancelled", reference, number)
        for row in rows:
            row.is_cancelled = True
        self.refund_overpaid(*{row.reference for row in rows})

    def start_payment(self, reference):
        [customer] = {row.customer for row in self.rows.values() if row.reference == reference}
        call = self.own(customer, reference=reference, return_url="http://testserver/")
        codes = ("nothing_due",) if self.due(reference) <= 0 else ()
        if self.is_cancelled or self.now >= STARTS_AT:
            codes = ("show_started", "show_cancelled")
        started = self.carried_out(services.pay_order, *codes, **call)
        assert (started is None) == bool(codes), codes
        if started:
            assert started.payment.amount == self.due(reference)
            self.payments.setdefault(started.payment.pk, Asked(reference, started.payment.amount, self.now))
        return started and started.payment.pk

    def pay(self, payment, events):
        if payment is not None:
            Bank.pay(payment)
            for _ in range(events):
                self.event(payment)

    def event(self, payment, number=0):
        started = self.payments[payment]
        report(payment, now=self.now, number=number)
        if started.status != "paid":
            started.status = "paid"
            self.receive(started.reference, started.amount, started.at, payment)

    # --- Mail ---------------------------------------------------------------------------------

    def expect_mail(self, kind, reference, amount=0):
        """The customer of the order gets mail, if there still is one; `amount` is money or a number of seats."""
        if self.owners[reference] is not None:
            self.expected_mail[kind, reference, Decimal(amount)] += 1

    def collect_mail(self):
        """Take the enqueued mail away, except what the worker has sent."""
        mail = DBTaskResult.objects.filter(task_path=SEND_ORDER_MAIL)
        for task in mail.values_list("args_kwargs", flat=True):
            details = task["kwargs"]
            amount = Decimal(details.get("amount", len(details.get("bookings", []))))
            self.mail[details["mail"], details["reference"], amount] += details["mail"] in MAILS
        mail.delete()
