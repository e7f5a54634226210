"""Rules by which the refunds of the model are carried out, and what must be so after each rule."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from booking import services
from booking.infrastructure.worker import LEASE_SECONDS, Worker
from booking.models import Booking, Payment, Refund
from booking.services.money.payments import CHECK
from booking.services.money.providers.base import ProviderRefused, ProviderUnavailable
from booking.services.money.refunds import CARRY_OUT
from tests.bank import Bank, Killed, id_of, key_of, report_refund
from tests.money_model import ZERO, MoneyModel, total

LEASE = timedelta(seconds=LEASE_SECONDS + 1)
MODE = st.sampled_from(
    ["works", "unavailable", "refuses", "fails", "later", "loses answer", "killed before", "killed after"]
)
# Events before the bank's answer to the task that carries out a refund; "works" and "later" are the modes in
# which the bank gets a call of another worker.
STEP = st.sampled_from(["reports", "takes back", "retry", "pay out", "works", "later"])
# The modes and steps of answers that come too late. Lists at random would seldom contain these steps in this order.
OVERTAKEN = [
    ("later", ["reports"]),
    ("loses answer", ["takes back"]),
    ("loses answer", ["takes back", "pay out"]),
    ("works", ["takes back", "retry", "works"]),
    ("refuses", ["works", "retry", "works"]),
    ("refuses", ["works", "retry", "later"]),
]
KIND = st.sampled_from(["refunded", "refund_failed"])
OTHER_AMOUNTS = [{"amount": "0.01"}, {"currency": "USD"}]


class RefundRules(MoneyModel):
    @rule(attempt=st.sampled_from(OVERTAKEN) | st.tuples(MODE, st.just([]) | st.lists(STEP, max_size=4)))
    def work(self, attempt):
        """Let a worker run all tasks, and let other things happen before the bank's first answer."""
        mode, meanwhile = attempt
        self.collect_mail()
        Bank.mode, Bank.meanwhile = mode, lambda refund: self.overtake(refund, meanwhile)
        try:
            Worker(clock=lambda: self.now).run_due()
        except Killed:
            # Its task belongs to it until the lease ends.
            self.now += LEASE
        Bank.meanwhile = None
        self.watch_refunds()

    def overtake(self, refund, steps):
        for step in steps:
            now = Refund.objects.get(pk=refund.pk)
            if step in {"retry", "pay out"}:
                self.settle_by_hand(now, step)
            elif step in {"reports", "takes back"}:
                if Bank.attempts(refund.pk):
                    self.bank_reports(now, "refunded" if step == "reports" else "refund_failed")
            else:
                Bank.mode = step
                with suppress(ProviderRefused, ProviderUnavailable):
                    services.carry_out_refund(refund_id=refund.pk, now=self.now)
            self.watch_refunds()

    @precondition(lambda self: Bank.sent or Bank.accepted)
    @rule(data=st.data(), kind=KIND, number=st.integers(0, 1))
    def bank_reports_a_refund(self, data, kind, number):
        """Send the event that a refund is done, or that the customer's bank refused it, possibly afterwards."""
        refund_id, _ = data.draw(st.sampled_from(sorted(Bank.sent | Bank.accepted)))
        self.bank_reports(Refund.objects.get(pk=refund_id), kind, number)

    def bank_reports(self, refund, kind, number=0):
        """The event is about the current attempt, because there is no other one that may send the money."""
        [key] = Bank.attempts(refund.pk)
        assert key == key_of(refund)
        problem = "The card was closed." if kind == "refund_failed" else ""
        if problem:
            Bank.take_back(refund)
            self.done.discard(refund.pk)
        else:
            Bank.send(refund)
        report_refund(refund, kind, now=self.now, problem=problem, number=f"{id_of(refund)}-{number}")
        assert Refund.objects.get(pk=refund.pk).status == ("failed" if problem else "done")
        self.watch_refunds()

    @precondition(lambda self: Bank.failed)
    @rule(data=st.data(), kind=KIND, number=st.integers(0, 2))
    def bank_reports_a_failed_attempt_late(self, data, kind, number):
        """Events about an attempt that failed, the success before it too, come late and in any order."""
        refund_id, attempt = data.draw(st.sampled_from(sorted(Bank.failed)))
        self.report_without_effect(refund_id, kind, number, refund_id=f"refund-{refund_id}-{attempt}")

    @precondition(lambda self: self.done)
    @rule(data=st.data(), attempt=st.sampled_from(["", "another"]))
    def bank_reports_an_unknown_attempt(self, data, attempt):
        """A failure that is not about the attempt that sent the money does not undo a refund."""
        refund_id = data.draw(st.sampled_from(sorted(self.done)))
        self.report_without_effect(refund_id, "refund_failed", 0, refund_id=attempt)

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), kind=KIND, change=st.sampled_from(OTHER_AMOUNTS))
    def bank_reports_another_amount(self, data, kind, change):
        self.report_without_effect(data.draw(st.sampled_from(sorted(self.seen))), kind, 9, **change)

    def report_without_effect(self, pk, kind, number, **changes):
        """Send an event that changes nothing."""
        refund, number = Refund.objects.get(pk=pk), f"{pk}-{'-'.join(changes.values())}-{number}"
        report_refund(refund, kind, now=self.now, problem="Late.", number=number, **changes)
        assert Refund.objects.get(pk=pk).status == refund.status

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), how=st.sampled_from(["retry", "pay out"]))
    def staff_settle_a_refund(self, data, how):
        refund_id = data.draw(st.sampled_from(sorted(self.seen)))
        self.settle_by_hand(Refund.objects.get(pk=refund_id), how)

    def settle_by_hand(self, refund, how):
        """One that failed is tried again or paid out; a pending one is not paid out, because it may have been sent."""
        tasks, is_at_counter = self.open_tasks(), refund.provider == "counter"
        call = {"refund_id": refund.pk, "now": self.now, "by": self.clerk}
        codes = ("already_refunded",) if refund.status == "done" else ()
        if not codes and how == "retry" and is_at_counter:
            codes = ("refund_of_counter",)
        if how == "pay out" and refund.status == "pending" and not is_at_counter:
            codes = ("refund_not_failed",)
        service = services.retry_refund if how == "retry" else services.pay_out_refund
        done = self.carried_out(service, *codes, **call)
        assert (done is None) == bool(codes), codes
        if how == "retry" and done:
            # A pending one keeps its number and gets a task if it has none.
            assert done.retries == refund.retries + (refund.status == "failed")
            tasks[refund.pk] += refund.status == "failed" or not tasks[refund.pk]
        assert +self.open_tasks() == +tasks
        self.watch_refunds()

    def finish_by_hand(self, refund):
        self.settle_by_hand(refund, "pay out" if refund.provider == "counter" else "retry")

    @staticmethod
    def open_tasks():
        """Return how many tasks each refund has that wait or run."""
        is_open = [TaskResultStatus.READY, TaskResultStatus.RUNNING]
        tasks = DBTaskResult.objects.filter(task_path=CARRY_OUT, status__in=is_open)
        return Counter(task["kwargs"]["refund_id"] for task in tasks.values_list("args_kwargs", flat=True))

    def watch_refunds(self):
        """Note the states of the refunds. The customer gets mail about each that is now done, at any change to it."""
        refunds = list(Refund.objects.order_by("pk"))
        for refund in refunds:
            if refund.status == "done" and self.seen.get(refund.pk) != "done":
                self.done.add(refund.pk)
                self.expect_mail("payment_refunded", refund.reference, refund.amount)
            self.seen[refund.pk] = refund.status
        return refunds

    @rule(minutes=st.sampled_from([1, 11, 45, 90]))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)

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
        received, refunds = list(Payment.objects.received()), self.watch_refunds()
        back = Counter()
        for refund in refunds:
            back[refund.reference, refund.payment_id] += refund.amount
        stored = {(one.reference, one.pk, one.amount, back.pop((one.reference, one.pk), ZERO)) for one in received}
        model = {(name, one.pk, one.amount, one.back) for name, paid in self.money.items() for one in paid}
        assert (stored, +back) == (model, {})
        for reference in self.money:
            # Nobody has paid without a seat or a refund.
            assert self.balance(reference) <= self.booked_price(reference)
        done = total(refund.amount for refund in refunds if refund.status == "done")
        open_ones = total(refund.amount for refund in refunds if refund.status != "done")
        booked = total(row.price for row in self.rows.values() if row.is_booked)
        due = total(self.booked_price(one) - self.balance(one) for one in self.references(staff=True))
        assert total(payment.amount for payment in received) - done == booked - due + open_ones
        for payment in received:
            if payment.provider == "demo":
                assert Bank.received[payment.pk] == payment.amount
        self.the_bank_has_done_what_is_stored(refunds)

    def the_bank_has_done_what_is_stored(self, refunds):
        pending = {one.pk for one in refunds if one.status == "pending" and one.provider == "demo"}
        tasks = self.open_tasks() if pending else {}
        for refund in refunds:
            attempts = Bank.attempts(refund.pk)
            by_clerk = refund.till_id is not None or refund.provider == "counter"
            if refund.status == "done" and not by_clerk:
                assert Bank.sent.get(key_of(refund)) == refund.amount, "It is done, but not sent."
            # Otherwise the customer may get the money twice.
            assert len(attempts) <= (0 if by_clerk or refund.status == "failed" else 1), (refund.status, attempts)
            assert refund.status == "done" or refund.pk not in self.done, "It was done before."
            assert refund.pk not in pending or attempts or refund.pk in tasks, "Nothing carries it out."

    def teardown(self):
        """Send all events of the bank, and carry out all refunds; then no refund is left."""
        for payment in sorted(Bank.received):
            self.event(payment)
        # A task that is left sends no refund that has failed.
        self.finish_tasks()
        self.money_is_where_the_model_says()
        for refund in self.watch_refunds():
            if refund.status == "failed":
                self.finish_by_hand(refund)
        self.finish_tasks()
        for refund in self.watch_refunds():
            if refund.status == "pending":
                self.finish_by_hand(refund)
        self.finish_tasks()
        self.each_seat_has_one_customer_and_its_price()
        self.money_is_where_the_model_says()
        assert set(self.seen.values()) <= {"done"}
        at_the_bank = total(Bank.received.values()) - total(Bank.sent.values())
        in_the_till = total(line.paid - line.refunded for line in services.read_till(till=self.till))
        assert at_the_bank + in_the_till == total(map(self.balance, self.references(staff=True)))
        # The bank is asked about a payment for a day.
        others = DBTaskResult.objects.exclude(task_path=CHECK)
        assert set(others.values_list("status", flat=True)) <= {TaskResultStatus.SUCCESSFUL}
        self.collect_mail()
        assert +self.mail == self.expected_mail

    def finish_tasks(self):
        # Tasks of killed workers become due again.
        self.now += LEASE
        self.work(("works", []))
        DBTaskResult.objects.filter(status=TaskResultStatus.READY).update(run_after=self.now)
        self.work(("works", []))
