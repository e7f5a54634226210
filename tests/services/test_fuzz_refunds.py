"""After random answers and events of the provider and actions of staff, a refund is paid once.

Among what this finds are:
- an answer that is stored although an event or a member of staff came before it;
- a refund that the provider sends although it was paid out at the counter, or the other way round;
- another idempotency key for a refund that the provider may still send;
- a failure that undoes a refund although it is about another attempt;
- mail about a refund that is missing or sent twice.
"""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from booking import services
from tests.hostile import bounded
from tests.money_rules import OVERTAKEN, RefundRules

pytestmark = pytest.mark.fuzz(both=True)


class OneRefund(RefundRules):
    """One refund, so that the rules about it meet often."""

    @initialize(attempt=st.sampled_from(OVERTAKEN))
    def first_attempt(self, attempt):
        reference = self.get(services.book_seats, 0, [1, 2])
        self.pay(self.start_payment(reference), 1)
        self.cancel(list(self.rows.values()), services.cancel_order, 0, reference=reference)
        self.work(attempt)


@pytest.mark.django_db
@pytest.mark.usefixtures("bank")
def test_a_refund_is_paid_once_after_any_answers_and_events():
    run_state_machine_as_test(OneRefund, settings=bounded(10, stateful_step_count=12))
