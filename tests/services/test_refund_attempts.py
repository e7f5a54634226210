"""Attempts to carry out a refund: failures, retries by staff, and late reports."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError
from django_tasks_db.models import DBTaskResult

from booking.models import PaymentEvent, Refund
from booking.services import (
    cancel_order,
    carry_out_refund,
    expected_cash,
    mark_refund_failed,
    open_till,
    pay_out_refund,
    read_till,
    retry_refund,
)
from booking.services.money.providers.base import ProviderRefused
from booking.services.money.refunds import CARRY_OUT, AlreadyRefunded, RefundNotFailed, RefundNotGivenUp
from booking.services.refusals import Busy, InvalidInput
from movieticket import admission
from tests.bank import Bank, book, id_of, make_paid_show, pay, report_refund
from tests.factories import NOW, make_user
from tests.races import all_read_before_one_writes, at_once, outcome, parallel_writers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bank")]


class OvertakenBank(Bank):
    """A provider whose events arrive before its responses, and whose refused refunds have ids."""

    def refund(self, refund):
        if self.mode == "refuses":
            raise ProviderRefused("The card was closed.", id_of(refund))
        provider_id = super().refund(refund)
        fail(refund)
        return provider_id


class SlowBank(Bank):
    """A provider that responds after staff have retried the refund."""

    def refund(self, refund):
        fail(refund)
        try_again(refund)
        return "another-id"


@pytest.fixture
def overtaken(settings):
    settings.PAYMENT_PROVIDERS = settings.PAYMENT_PROVIDERS | {"demo": f"{__name__}.OvertakenBank"}


@pytest.fixture
def refund(db):
    user, show = make_user(), make_paid_show()
    reference = book(user, show, 1)
    pay(user, reference)
    cancel_order(user=user, reference=reference, now=NOW)
    return Refund.objects.get()


def carry_out(refund):
    return carry_out_refund(refund_id=refund.pk, now=NOW).status


def try_again(refund):
    return retry_refund(refund_id=refund.pk, now=NOW).status


def fail(refund):
    """Send the event that the customer's bank returned the money."""
    Bank.sent.pop((refund.pk, refund.retries), None)
    report_refund(refund, "refund_failed", now=NOW, problem="The card was closed.")


def succeed(refund):
    report_refund(refund, "refunded", now=NOW)


def status(refund):
    return str(Refund.objects.get(pk=refund.pk).status)


def test_a_refund_of_a_provider_that_is_switched_off_fails(refund, settings):
    settings.PAYMENT_PROVIDERS = {}
    assert carry_out(refund) == "failed"
    refund.refresh_from_db()
    assert refund.problem == "The provider demo is switched off; check there what it has done."


def test_a_pending_refund_without_a_task_gets_one_although_another_refund_has_one(refund):
    DBTaskResult.objects.filter(task_path=CARRY_OUT).delete()
    user = make_user()
    reference = book(user, refund.show, 1)
    pay(user, reference)
    cancel_order(user=user, reference=reference, now=NOW)
    assert try_again(refund) == "pending"
    tasks = DBTaskResult.objects.filter(task_path=CARRY_OUT, args_kwargs__kwargs__refund_id=refund.pk)
    assert tasks.count() == 1


# --- Refunds whose task was given up ----------------------------------------------------------


@pytest.fixture
def given_up(refund):
    """A refund whose provider was unavailable for a day."""
    DBTaskResult.objects.filter(task_path=CARRY_OUT).update(status="FAILED", finished_at=NOW)
    Bank.mode = "unavailable"
    return refund


def give_up(refund, reason=""):
    return mark_refund_failed(refund_id=refund.pk, by=make_user(), now=NOW, reason=reason)


def test_a_refund_that_was_given_up_and_that_the_provider_does_not_have_fails(given_up):
    Bank.mode = "works"
    assert (give_up(given_up).problem, status(given_up)) == ("The provider has no such refund.", "failed")


def test_a_refund_that_the_provider_has_is_not_marked_as_failed(given_up):
    Bank.send(given_up)
    Bank.mode = "works"
    with pytest.raises(RefundNotFailed):
        give_up(given_up)


def test_a_refund_that_is_tried_again_while_the_provider_is_asked_has_not_failed(given_up):
    Bank.mode = "works"
    Bank.meanwhile = lambda refund: retry_refund(refund_id=refund.pk, now=NOW + timedelta(days=1))
    with pytest.raises(RefundNotGivenUp):
        give_up(given_up)
    assert status(given_up) == "pending"


@pytest.mark.parametrize("is_off", [True, False])
def test_a_provider_that_can_not_be_asked_needs_a_reason(given_up, settings, is_off):
    if is_off:
        settings.PAYMENT_PROVIDERS = {}
    with pytest.raises(InvalidInput, match="The provider can't be asked"):
        give_up(given_up)
    assert give_up(given_up, "The account is closed.").problem == "The account is closed."
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Given up. The account is closed."]


def test_too_many_calls_of_the_provider_leave_a_refund_pending(given_up, monkeypatch):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 0.01)
    with admission.provider_calls.place(), pytest.raises(Busy):
        give_up(given_up, "The account is closed.")


def test_only_a_refund_that_was_given_up_is_marked_as_failed(refund):
    with pytest.raises(RefundNotGivenUp):
        give_up(refund)
    DBTaskResult.objects.update(status="FAILED", finished_at=NOW)
    retry_refund(refund_id=refund.pk, now=NOW + timedelta(days=1))
    with pytest.raises(RefundNotGivenUp):
        give_up(refund)


def test_a_refund_that_is_tried_again_meanwhile_is_not_marked_as_failed(given_up):
    calls = [partial(outcome, retry_refund, refund_id=given_up.pk, now=NOW + timedelta(days=1))]
    calls += [partial(outcome, mark_refund_failed, refund_id=given_up.pk, by=make_user(), now=NOW, reason="Closed.")]
    outcomes = at_once(calls)
    # Either it failed first and was then tried again, or it was never given up.
    assert (outcomes, status(given_up)) in [(["done"] * 2, "pending"), (["done", "refund_not_given_up"], "pending")]


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_refund_that_is_tried_again_has_failed(given_up):
    calls = [partial(outcome, retry_refund, refund_id=given_up.pk, now=NOW + timedelta(days=1))]
    calls += [partial(outcome, mark_refund_failed, refund_id=given_up.pk, by=make_user(), now=NOW, reason="Closed.")]
    assert all_read_before_one_writes(calls) == ["done"] * 2


# --- Reports ----------------------------------------------------------------------------------


def test_a_success_that_arrives_after_the_failure_changes_nothing(refund):
    carry_out(refund)
    fail(refund)
    succeed(refund)
    assert status(refund) == "failed"


def test_a_failure_that_arrives_after_the_success_is_applied(refund):
    succeed(refund)
    fail(refund)
    assert status(refund) == "failed"


def test_the_late_success_of_a_failed_attempt_does_not_end_the_next_one(refund):
    carry_out(refund)
    fail(refund)
    assert try_again(refund) == "pending"
    succeed(refund)
    assert status(refund) == "pending"
    assert (carry_out(refund), Bank.sent) == ("done", {(refund.pk, 1): refund.amount})


def test_the_late_failure_of_a_failed_attempt_does_not_end_the_next_one(refund):
    carry_out(refund)
    fail(refund)
    try_again(refund)
    report_refund(refund, "refund_failed", now=NOW, problem="Once more.", number="another event")
    assert (status(refund), carry_out(refund)) == ("pending", "done")


def test_a_refused_attempt_is_known_by_the_provider_s_id(refund, overtaken):
    Bank.mode = "refuses"
    assert carry_out(refund) == "failed"
    succeed(refund)
    assert (status(refund), Refund.objects.get().failed_ids) == ("failed", [id_of(refund)])


def test_a_failure_that_arrives_before_the_answer_to_the_task_is_not_overwritten(refund, overtaken):
    assert (carry_out(refund), status(refund)) == ("failed", "failed")


def test_the_answer_to_an_earlier_attempt_does_not_end_the_next_one(refund, settings):
    settings.PAYMENT_PROVIDERS = settings.PAYMENT_PROVIDERS | {"demo": f"{__name__}.SlowBank"}
    assert (carry_out(refund), status(refund)) == ("pending", "pending")


def test_a_late_success_and_a_retry_at_the_same_time_leave_the_refund_pending(refund):
    carry_out(refund)
    fail(refund)
    calls = [partial(outcome, succeed, refund=refund), partial(outcome, try_again, refund=refund)]
    assert at_once(calls) == ["done"] * 2
    assert status(refund) == "pending"


# --- Paid out at the counter ------------------------------------------------------------------


@pytest.fixture
def clerk(db):
    clerk = make_user(username="clerk", is_staff=True)
    open_till(clerk=clerk, opening_float=Decimal(50), now=NOW)
    return clerk


def pay_out(refund, clerk):
    return pay_out_refund(refund_id=refund.pk, by=clerk, now=NOW)


def test_a_failed_refund_is_not_sent_by_its_task(refund):
    fail(refund)
    assert (carry_out(refund), Bank.sent) == ("failed", {})


def test_a_failed_refund_is_paid_out_in_cash(refund, clerk):
    fail(refund)
    paid = pay_out(refund, clerk)
    assert (paid.status, expected_cash(till=paid.till)) == ("done", Decimal(38))
    assert read_till(till=paid.till)[0].refunded == Decimal(12)
    with pytest.raises(AlreadyRefunded):
        try_again(refund)


def test_a_refund_that_the_provider_may_still_send_is_not_paid_out(refund, clerk):
    with pytest.raises(RefundNotFailed):
        pay_out(refund, clerk)


def test_a_refund_that_was_paid_out_is_not_sent_by_its_task(refund, clerk):
    fail(refund)
    pay_out(refund, clerk)
    assert (carry_out(refund), Bank.sent) == ("done", {})


def test_late_reports_about_a_refund_that_was_paid_out_change_nothing(refund, clerk):
    fail(refund)
    pay_out(refund, clerk)
    succeed(refund)
    report_refund(refund, "refund_failed", now=NOW, problem="Once more.", number="another event")
    assert (status(refund), PaymentEvent.objects.filter(processed_at=None).count()) == ("done", 0)


def test_a_refund_that_was_paid_out_and_sent_too_is_reported(refund, clerk):
    carry_out(refund)
    fail(refund)
    pay_out(refund, clerk)
    refund.retries += 1
    succeed(refund)
    [event] = PaymentEvent.objects.filter(processed_at=None)
    assert (status(refund), event.problem) == ("done", "The refund was paid out at the counter, too.")


def test_a_refund_that_10_clerks_try_again_at_the_same_time_is_tried_once(refund):
    fail(refund)
    at_once([partial(try_again, refund)] * 10)
    refund.refresh_from_db()
    # The first attempt has a task, too.
    assert (refund.retries, DBTaskResult.objects.filter(task_path=CARRY_OUT).count()) == (1, 2)


def test_a_refund_is_paid_out_or_tried_again_but_not_both(refund, clerk):
    fail(refund)
    calls = [partial(outcome, pay_out_refund, refund_id=refund.pk, by=clerk, now=NOW)]
    calls += [partial(outcome, retry_refund, refund_id=refund.pk, now=NOW)]
    assert at_once(calls) in (["done", "already_refunded"], ["refund_not_failed", "done"])


def outcome_or_constraint(service, **call):
    try:
        return outcome(service, **call)
    except IntegrityError:
        return "constraint"


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_refund_is_paid_out_and_tried_again(refund, clerk):
    fail(refund)
    calls = [partial(outcome, pay_out_refund, refund_id=refund.pk, by=clerk, now=NOW)]
    calls += [partial(outcome_or_constraint, retry_refund, refund_id=refund.pk, now=NOW)]
    # Neither is refused by a rule. If the retry writes last, only a constraint stops it.
    assert all_read_before_one_writes(calls) in (["done", "done"], ["done", "constraint"])
