"""Attempts to carry out a refund: those that failed, those that staff begin again, and reports that come late."""

from functools import partial

import pytest

from booking.models import Refund
from booking.services import cancel_order, carry_out_refund, retry_refund
from booking.services.money.providers.base import ProviderRefused
from tests.bank import Bank, book, id_of, make_paid_show, pay, report_refund
from tests.factories import NOW, make_user
from tests.races import at_once, outcome

pytestmark = pytest.mark.django_db(transaction=True)


class OvertakenBank(Bank):
    """Its events arrive before the answer to the call, and it names refunds that it refuses."""

    def refund(self, refund):
        if self.mode == "refuses":
            raise ProviderRefused("The card was closed.", id_of(refund))
        provider_id = super().refund(refund)
        fail(refund)
        return provider_id


class SlowBank(Bank):
    """Staff try again before it answers."""

    def refund(self, refund):
        fail(refund)
        try_again(refund)
        return "another-id"


@pytest.fixture(autouse=True)
def _bank(settings):
    settings.PAYMENT_PROVIDERS = settings.PAYMENT_PROVIDERS | {"demo": "tests.bank.Bank"}
    Bank.open()


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
    """The customer's bank sends the money back."""
    Bank.sent.pop((refund.pk, refund.retries), None)
    report_refund(refund, "refund_failed", now=NOW, problem="The card was closed.")


def succeed(refund):
    report_refund(refund, "refunded", now=NOW)


def status(refund):
    return str(Refund.objects.get(pk=refund.pk).status)


def test_a_success_that_arrives_after_the_failure_changes_nothing(refund):
    carry_out(refund)
    fail(refund)
    succeed(refund)
    assert status(refund) == "failed"


def test_a_failure_that_arrives_after_the_success_counts(refund):
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
