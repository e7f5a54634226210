"""Paying with Stripe, over real HTTP against a stand-in (tests/stripe_server.py), with real signatures."""

import json
import logging
import subprocess
import sys
import threading
import time
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
import requests
import stripe
from django.core.management import call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from booking.infrastructure.worker import Worker
from booking.models import Booking, Order, Payment, PaymentEvent, Refund
from booking.services import Busy, cancel_order, carry_out_refund, retry_refund
from booking.services.money.payments import CHECK, close_old_payments
from booking.services.money.providers.base import ProviderRefused, ProviderUnavailable
from booking.services.money.providers.stripe import Stripe, major_units, minor_units
from booking.services.money.refunds import _count_failure
from movieticket import admission
from tests.conftest import signed_in
from tests.factories import make_hold
from tests.races import at_once
from tests.service import PROJECT, database_url, free_port, served, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
KEY, SECRET = "sk_test_only_for_tests", "whsec_only_for_tests"
GOOD_CARD, DECLINED_CARD = "4242424242424242", "4000000000000341"
EVENTS = "/api/payments/stripe/events/"
INTENTS, REFUNDS = "POST /v1/payment_intents", "POST /v1/refunds"


class StripeSide:
    """A client of the stand-in: the customer's card, faults, and Stripe's events."""

    def __init__(self, base):
        self.base = base
        self._session = requests.Session()
        self._session.auth = KEY, ""

    def call(self, method, path, **parameters):
        return self._session.request(method, f"{self.base}{path}", json=parameters, timeout=10)

    def get(self, path):
        return self.call("GET", path).json()["data"]

    def fail_next(self, call, fault):
        self.call("POST", "/_config/faults", call=call, fault=fault)

    def forget_keys(self):
        self.call("DELETE", "/_config/keys")

    def pay(self, intent, card=GOOD_CARD):
        """Pay with the customer's card, which may be declined, and return Stripe's event."""
        expiry = {"exp_month": 12, "exp_year": 2050, "cvc": "123"}
        method = self.call("POST", "/v1/payment_methods", type="card", card={"number": card} | expiry).json()
        self.call("POST", f"/v1/payment_intents/{intent}", payment_method=method["id"])
        self.call("POST", f"/v1/payment_intents/{intent}/confirm")
        return next(event for event in self.get("/v1/events") if event["data"]["object"]["id"] == intent)

    def intents(self, reference):
        return [one for one in self.get("/v1/payment_intents") if one["metadata"].get("order") == reference]

    def refunds(self, intent):
        return [(one["amount"], one["status"]) for one in self.get(f"/v1/refunds?payment_intent={intent}")]


@pytest.fixture(scope="module")
def stripe_address():
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.stripe_server", str(port)], cwd=PROJECT)
    address = f"http://127.0.0.1:{port}"

    def is_up():
        assert process.poll() is None
        try:
            return requests.get(address, timeout=10).status_code
        except requests.ConnectionError:
            return None

    try:
        wait_until(is_up)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def side(stripe_address, settings):
    settings.PAYMENT_PROVIDERS = {"stripe": "booking.services.money.providers.stripe.Stripe"}
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = KEY, SECRET
    settings.STRIPE_API_BASE = stripe_address
    side = StripeSide(stripe_address)
    side.call("DELETE", "/_config/data")
    side.forget_keys()
    return side


@pytest.fixture
def hold(user, side):
    """A held seat that costs 12.00."""
    return make_hold(user=user, price=12, expires_at=timezone.now() + timedelta(minutes=5))


def pay(client, hold):
    return client.post(f"/api/orders/{hold.reference}/pay/", {})


@pytest.fixture
def intent(client, hold):
    """The id of the PaymentIntent that was started for the held seat."""
    assert pay(client, hold).status_code == 201
    return Payment.objects.get().provider_id


@pytest.fixture
def paid(side, intent):
    """Stripe's event about the payment of the held seat."""
    return side.pay(intent)


def send(client, event, *, body=None, secret=SECRET, signed_at=None, signature=None):
    """Send an event as Stripe does; `body` replaces the signed body."""
    signed = json.dumps(event)
    header = signature or stripe.WebhookSignature.generate_signature_header(signed, secret, signed_at)
    content = signed if body is None else body
    return client.generic("POST", EVENTS, content, "application/json", headers={"Stripe-Signature": header})


def changed(event, **values):
    """Return a new event about the same object with other values."""
    reported = event["data"]["object"] | values
    return event | {"id": f"evt_{timezone.now().timestamp()}", "data": {"object": reported}}


def state():
    return Booking.objects.get().status, Payment.objects.get().status


# --- Paying -----------------------------------------------------------------------------------


def test_a_customer_pays_with_the_client_secret(client, side, hold):
    body = pay(client, hold).json()
    [intent] = side.intents(hold.reference)
    assert [body[name] for name in ("provider", "amount", "client_secret", "next_url")] == [
        "stripe",
        "12.00",
        intent["client_secret"],
        None,
    ]
    assert [intent[name] for name in ("amount", "currency")] == [1200, "eur"]
    assert intent["metadata"] == {"order": hold.reference, "payment": str(Payment.objects.get().pk)}


def test_the_event_of_a_payment_books_the_held_seat(client, paid):
    assert (send(client, paid).status_code, state()) == (200, ("booked", "paid"))


@pytest.mark.server
def test_stripe_itself_reports_the_payment_to_the_running_service(client, hold, side, settings, tmp_path):
    keys = {"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": SECRET, "STRIPE_API_BASE": side.base}
    own = {"SECRET_KEY": settings.SECRET_KEY, "WORKERS": "1"}
    with served(database_url(), [], [], tmp_path, **keys, **own) as service:
        address = f"http://127.0.0.1:{service.port}"
        side.call("POST", "/_config/webhooks/own", url=f"{address}{EVENTS}", secret=SECRET)
        token = {"Authorization": client._credentials["HTTP_AUTHORIZATION"]}
        side.fail_next(INTENTS, "401")
        ask = partial(requests.post, f"{address}/api/orders/{hold.reference}/pay/", json={}, headers=token, timeout=10)
        assert [ask().status_code, ask().json()["provider"]] == [409, "stripe"]
        side.pay(side.intents(hold.reference)[0]["id"])
        wait_until(lambda: state() == ("booked", "paid"))
    written = service.stdout.read_text() + service.stderr.read_text()
    assert [text in written for text in ("AuthenticationError, status 401", KEY, SECRET)] == [True, False, False]


def test_a_declined_card_leaves_the_seat_held(client, side, hold, intent):
    send(client, side.pay(intent, DECLINED_CARD))
    assert state() == ("held", "failed")
    assert (pay(client, hold).status_code, len(side.intents(hold.reference))) == (201, 2)


def test_a_repeated_request_gets_the_same_payment(client, side, hold):
    answers = [pay(client, hold).json() for _ in range(2)]
    side.forget_keys()
    answers.append(pay(client, hold).json())
    assert answers == [answers[0]] * 3
    assert len(side.intents(hold.reference)) == 1


def test_parallel_requests_get_the_same_payment(user, side, hold):
    answers = at_once([partial(pay, signed_in(user), hold)] * 4)
    # Stripe refuses a key that another request is using.
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["client_secret"] for answer in answers if answer.status_code == 201}) == 1
    assert (Payment.objects.count(), len(side.intents(hold.reference))) == (1, 1)


def test_a_payment_whose_event_was_lost_is_settled_by_the_next_request(client, side, hold, paid):
    answer = pay(client, hold)
    assert (answer.status_code, answer.json()["code"], state()) == (409, "nothing_due", ("booked", "paid"))
    assert (send(client, paid).status_code, Refund.objects.count()) == (200, 0)


@pytest.mark.parametrize("faults", [[], ["503"], ["reset", "401"]])
def test_a_payment_whose_event_was_lost_is_settled_by_the_worker(side, intent, paid, faults):
    worker = Worker(clock=lambda: DBTaskResult.objects.get(task_path=CHECK).run_after)
    for fault in faults:
        side.fail_next(f"GET /v1/payment_intents/{intent}", fault)
        worker.run_next()
        assert state() == ("held", "pending")
    worker.run_next()
    assert state() == ("booked", "paid")


@pytest.mark.parametrize(("answer", "end"), [(None, ("booked", "paid")), ("503", ("held", "pending"))])
def test_a_payment_whose_event_was_lost_is_settled_a_day_later(side, intent, paid, answer, end):
    if answer:
        side.fail_next(f"GET /v1/payment_intents/{intent}", answer)
    close_old_payments(now=timezone.now() + timedelta(days=1))
    assert state() == end


def test_a_payment_that_did_not_reach_stripe_has_failed_a_day_later(client, side, hold):
    side.fail_next(INTENTS, "reset")
    pay(client, hold)
    close_old_payments(now=timezone.now() + timedelta(days=1))
    assert (state(), side.intents(hold.reference)) == (("held", "failed"), [])


def test_a_payment_that_was_cancelled_at_stripe_has_failed_a_day_later(side, intent, hold):
    side.call("POST", f"/v1/payment_intents/{intent}/cancel")
    close_old_payments(now=timezone.now() + timedelta(days=1))
    assert state() == ("held", "failed")


def test_a_lost_event_about_another_amount_does_not_settle_the_payment(client, hold, paid):
    Payment.objects.update(amount=Decimal(11))
    Booking.objects.update(price=Decimal(11))
    assert (pay(client, hold).json()["code"], state()) == ("payment_failed", ("held", "pending"))


@pytest.mark.parametrize("answer", [None, "401"])
def test_a_refund_is_looked_up_at_stripe(client, side, intent, paid, answer):
    send(client, paid)
    cancel_order(user=Booking.objects.get().user, reference=Booking.objects.get().reference, now=timezone.now())
    refund = Refund.objects.get()
    if answer:
        side.fail_next(REFUNDS.replace("POST", "GET"), answer)
        with pytest.raises(ProviderUnavailable):
            Stripe().has_refund(refund)
    assert Stripe().has_refund(refund) is False
    carry_out_refund(refund_id=refund.pk, now=timezone.now())
    assert Stripe().has_refund(refund) is True


# --- Faults while a payment is started --------------------------------------------------------


@pytest.mark.parametrize("fault", ["reset", "lost", "429", "409", "401", "html", "empty", "list"])
def test_a_payment_whose_start_failed_is_started_again(client, side, hold, fault):
    side.fail_next(INTENTS, fault)
    answers = [pay(client, hold) for _ in range(2)]
    assert (answers[0].status_code, answers[0].json()["code"]) == (409, "payment_failed")
    assert (answers[1].status_code, len(side.intents(hold.reference))) == (201, 1)
    assert Payment.objects.get().status == "pending"


@pytest.mark.parametrize("fault", ["500", "503", "400"])
def test_after_a_refusal_that_stripe_may_repeat_another_payment_is_started(client, side, hold, fault):
    side.fail_next(INTENTS, fault)
    assert [pay(client, hold).status_code for _ in range(2)] == [409, 201]
    assert list(Payment.objects.order_by("pk").values_list("status", flat=True)) == ["failed", "pending"]


@pytest.mark.parametrize("fault", ["503", "reset"])
def test_a_failure_to_read_a_payment_that_was_started_leaves_it_pending(client, side, hold, intent, fault):
    side.fail_next(f"GET /v1/payment_intents/{intent}", fault)
    assert [pay(client, hold).status_code for _ in range(2)] == [409, 201]
    assert Payment.objects.get().provider_id == intent


def test_a_payment_that_was_cancelled_at_stripe_is_followed_by_another(client, side, hold, intent):
    side.call("POST", f"/v1/payment_intents/{intent}/cancel")
    assert [pay(client, hold).status_code for _ in range(2)] == [409, 201]
    assert list(Payment.objects.order_by("pk").values_list("status", flat=True)) == ["failed", "pending"]


def test_after_a_change_of_the_account_another_payment_is_started(client, side, hold, intent):
    side.call("DELETE", "/_config/data")
    assert [pay(client, hold).status_code for _ in range(2)] == [409, 201]
    assert len(side.intents(hold.reference)) == 1


def test_a_slow_payment_ends_within_the_request_s_deadline(client, side, hold, settings):
    settings.DATABASE_SECONDS = 1
    side.fail_next(INTENTS, "hang")
    begin = time.monotonic()
    assert pay(client, hold).status_code == 409
    assert 0.6 <= time.monotonic() - begin < 5
    settings.DATABASE_SECONDS = 10
    assert (pay(client, hold).status_code, len(side.intents(hold.reference))) == (201, 1)


def test_an_unreachable_provider_is_unavailable(client, hold, settings):
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"
    assert pay(client, hold).json()["code"] == "payment_failed"


def test_a_slow_provider_does_not_take_every_thread(client, hold, side, monkeypatch):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 0.01)
    with admission.provider_calls.place():
        assert (pay(client, hold).status_code, side.intents(hold.reference)) == (503, [])
    assert pay(client, hold).status_code == 201


# --- Events -----------------------------------------------------------------------------------


def test_a_repeated_event_is_applied_once(client, paid):
    assert [send(client, paid).status_code for _ in range(2)] == [200, 200]
    assert (state(), PaymentEvent.objects.count(), Refund.objects.count()) == (("booked", "paid"), 1, 0)


def test_parallel_deliveries_of_an_event_are_applied_once(anyone, paid):
    answers = at_once([partial(send, anyone, paid)] * 4)
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert (state(), PaymentEvent.objects.count(), Refund.objects.count()) == (("booked", "paid"), 1, 0)


def test_a_signature_of_more_than_five_minutes_ago_is_refused(client, paid):
    answer = send(client, paid, signed_at=int(time.time()) - 301)
    assert (answer.status_code, answer.json()["code"], state()) == (400, "event_rejected", ("held", "pending"))


def test_a_late_event_books_a_seat_that_is_still_free(client, paid):
    Payment.objects.update(created_at=timezone.now() - timedelta(days=2))
    Booking.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert (send(client, paid).status_code, state()) == (200, ("booked", "paid"))


@pytest.mark.parametrize("kind", ["payment_intent.payment_failed", "payment_intent.canceled"])
def test_an_earlier_failure_that_arrives_after_the_payment_changes_nothing(client, paid, kind):
    send(client, paid)
    assert send(client, changed(paid) | {"type": kind}).status_code == 200
    assert state() == ("booked", "paid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": "{}"},
        {"body": b"\xff"},
        {"secret": "whsec_of_somebody_else"},
        {"signature": "t=1,v1=0"},
        {"signature": "v1"},
        {"signature": "t=99999999999,v1=é"},
        {"signature": f"t={'9' * 5000},v1=0"},
    ],
)
def test_an_event_that_stripe_did_not_sign_is_refused(client, paid, wrong):
    answer = send(client, paid, **wrong)
    assert (answer.status_code, answer.json()["code"], state()) == (400, "event_rejected", ("held", "pending"))


def test_an_event_without_a_signature_is_refused(client, paid):
    assert client.post(EVENTS, paid).status_code == 400
    assert state() == ("held", "pending")


def test_a_tampered_amount_is_refused(client, paid):
    tampered = json.dumps(paid).replace("1200", "1")
    assert (send(client, paid, body=tampered).status_code, state()) == (400, ("held", "pending"))


@pytest.mark.parametrize("values", [{"amount_received": 1}, {"currency": "usd"}, {"currency": "jpy"}])
def test_an_event_of_another_amount_or_currency_changes_nothing(client, paid, values):
    assert send(client, changed(paid, **values)).status_code == 200
    assert (state(), PaymentEvent.objects.get().problem[:18]) == (("held", "pending"), "The event is about")


@pytest.mark.parametrize("metadata", [None, {}, {"order": "A12"}, {"order": "A12", "payment": "new"}])
def test_an_event_of_another_application_of_the_account_is_ignored(client, paid, metadata):
    assert send(client, changed(paid, metadata=metadata)).status_code == 200
    assert (state(), PaymentEvent.objects.count()) == (("held", "pending"), 0)


def test_payments_of_another_installation_are_ignored(client, paid):
    metadata = paid["data"]["object"]["metadata"] | {"order": "AAAAAAAA"}
    answer = send(client, changed(paid, metadata=metadata, id="pi_other"))
    assert (answer.status_code, answer.json()["code"], state()) == (404, "unknown_payment", ("held", "pending"))


def test_an_event_of_another_type_is_ignored(client, paid):
    assert send(client, paid | {"type": "charge.succeeded"}).status_code == 200
    assert (state(), PaymentEvent.objects.count()) == (("held", "pending"), 0)


@pytest.mark.parametrize("event", [{}, [], {"data": {"object": {"metadata": {"order": "A", "payment": "1"}}}}])
def test_a_signed_event_that_can_not_be_parsed_is_refused(client, side, event):
    answer = send(client, event)
    assert (answer.status_code, answer.json()["detail"]) == (400, "The event can't be read.")


def test_no_secret_of_an_event_is_stored(client, paid):
    send(client, paid)
    assert "secret" not in PaymentEvent.objects.get().payload


# --- Refunds ----------------------------------------------------------------------------------


@pytest.fixture
def refund(client, user, hold, paid):
    """The refund of the seat, which was paid and then cancelled."""
    send(client, paid)
    cancel_order(user=user, reference=Order.objects.get().reference, now=timezone.now())
    return Refund.objects.get()


def carry_out(refund):
    done = carry_out_refund(refund_id=refund.pk, now=timezone.now())
    return done.status, done.problem


def refund_event(refund, status, *, kind="refund.updated", **values):
    """Stripe's event about the refund."""
    ids = {"order": refund.reference, "payment": str(refund.payment_id), "refund": str(refund.pk)}
    reported = {
        "id": refund.provider_id or "re_1",
        "object": "refund",
        "amount": 1200,
        "currency": "eur",
        "payment_intent": refund.payment.provider_id,
        "status": status,
        "metadata": ids,
    }
    return {"id": f"evt_{status}", "type": kind, "data": {"object": reported | values}}


def result(refund):
    refund.refresh_from_db()
    return refund.status, refund.problem


def test_the_worker_refunds_the_payment(refund, side, intent):
    call_command("db_worker", "--due")
    assert (result(refund), side.refunds(intent)) == (("done", ""), [(1200, "succeeded")])
    assert refund.provider_id.startswith("re_")


@pytest.mark.parametrize("fault", ["reset", "lost", "503", "429", "409", "401", "html", "empty", "list"])
def test_a_refund_that_failed_on_the_way_is_made_once(refund, side, intent, fault):
    side.fail_next(REFUNDS, fault)
    with pytest.raises(ProviderUnavailable):
        carry_out(refund)
    # Later than the idempotency key is known.
    side.forget_keys()
    assert carry_out(refund) == ("done", "")
    assert side.refunds(intent) == [(1200, "succeeded")]


@pytest.mark.parametrize("fault", ["reset", "500", "429", "html", "empty"])
def test_a_refund_that_can_not_be_looked_up_is_not_made(refund, side, intent, fault):
    side.fail_next("GET /v1/refunds", fault)
    with pytest.raises(ProviderUnavailable):
        carry_out(refund)
    assert side.refunds(intent) == []
    assert carry_out(refund) == ("done", "")


def test_a_refund_that_takes_too_long_is_given_up_and_made_once(refund, side, intent, settings):
    settings.DATABASE_SECONDS = 1
    side.fail_next(REFUNDS, "hang")
    with pytest.raises(ProviderUnavailable):
        carry_out(refund)
    settings.DATABASE_SECONDS = 10
    assert (carry_out(refund), side.refunds(intent)) == (("done", ""), [(1200, "succeeded")])


def test_workers_that_carry_out_a_refund_at_the_same_time_make_it_once(refund, side, intent):
    def carry_out_or_fail():
        try:
            return carry_out(refund)[0]
        except (ProviderUnavailable, Busy):
            return "again"

    assert set(at_once([carry_out_or_fail] * 4)) <= {"done", "again"}
    assert (carry_out(refund), side.refunds(intent)) == (("done", ""), [(1200, "succeeded")])


def test_a_task_whose_answer_was_lost_is_run_again(refund, side, intent):
    side.fail_next(REFUNDS, "lost")
    call_command("db_worker", "--due")
    assert result(refund) == ("pending", "")
    DBTaskResult.objects.update(run_after=timezone.now())
    call_command("db_worker", "--due")
    assert (result(refund), side.refunds(intent)) == (("done", ""), [(1200, "succeeded")])


def test_after_a_failure_that_stripe_repeats_the_refund_has_another_key(refund, side, intent):
    side.fail_next(REFUNDS, "500")
    errors = []
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            carry_out(refund)
        errors.append(Refund.objects.get().provider_errors)
    assert (errors, carry_out(refund)) == ([0, 1], ("done", ""))
    assert side.refunds(intent) == [(1200, "succeeded")]


def test_two_calls_that_find_no_refund_create_it_once(refund, side, intent, monkeypatch):
    """One is before the full hour, the other after it."""
    hour = (timezone.now() + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    clock, both_looked = threading.local(), threading.Barrier(2)
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    find = Stripe._find_refund

    def find_and_wait(self, refund):
        found = find(self, refund)
        both_looked.wait(10)
        return found

    monkeypatch.setattr(Stripe, "_find_refund", find_and_wait)

    def call(now):
        clock.now = now
        try:
            return Stripe().refund(Refund.objects.select_related("payment").get())[:3]
        except ProviderUnavailable:
            return "in use"

    assert "re_" in at_once([partial(call, hour - timedelta(seconds=1)), partial(call, hour)])
    assert side.refunds(intent) == [(1200, "succeeded")]


def test_a_failure_that_two_workers_get_is_counted_once(refund):
    for _ in range(2):
        _count_failure(refund)
    assert Refund.objects.get().provider_errors == 1


def test_a_failure_that_a_worker_gets_late_brings_no_earlier_key_back(refund):
    late = Refund.objects.get()
    for _ in range(2):
        _count_failure(Refund.objects.get())
    _count_failure(late)
    assert Refund.objects.get().provider_errors == 2


def test_a_refund_that_stripe_refuses_is_retried_by_hand(refund, side, intent):
    side.fail_next(REFUNDS, "400")
    assert carry_out(refund) == ("failed", "Stripe: The charge is disputed.")
    retry_refund(refund_id=refund.pk, now=timezone.now())
    assert (carry_out(refund), side.refunds(intent)) == (("done", ""), [(1200, "succeeded")])


@pytest.mark.parametrize(
    ("status", "values", "end"),
    [
        ("succeeded", {}, ("done", "")),
        ("failed", {"failure_reason": "expired_or_canceled_card"}, ("failed", "Stripe: expired_or_canceled_card")),
        ("canceled", {}, ("failed", "Stripe: canceled")),
        ("pending", {}, ("pending", "")),
    ],
)
def test_an_event_ends_a_refund_that_takes_longer(client, refund, side, status, values, end):
    side.fail_next(REFUNDS, "pending")
    # Asked again, Stripe's refund is still the same.
    assert [carry_out(refund) for _ in range(2)] == [("pending", "")] * 2
    assert send(client, refund_event(refund, status, **values)).status_code == 200
    assert result(refund) == end


def test_a_refund_that_fails_immediately_is_retried_by_hand(refund, side, intent):
    side.fail_next(REFUNDS, "failed")
    assert carry_out(refund) == ("failed", "Stripe: failed")
    retry_refund(refund_id=refund.pk, now=timezone.now())
    assert carry_out(refund) == ("done", "")
    assert sorted(side.refunds(intent)) == [(1200, "failed"), (1200, "succeeded")]


def test_a_refund_that_the_bank_sends_back_is_retried_by_hand(client, refund, side, intent):
    carry_out(refund)
    result(refund)
    send(client, refund_event(refund, "failed", kind="refund.failed", failure_reason="lost_or_stolen_card"))
    assert result(refund) == ("failed", "Stripe: lost_or_stolen_card")
    side.call("POST", f"/v1/refunds/{refund.provider_id}", status="failed")
    retry_refund(refund_id=refund.pk, now=timezone.now())
    assert carry_out(refund) == ("done", "")
    assert sorted(side.refunds(intent)) == [(1200, "failed"), (1200, "succeeded")]


def test_the_failure_of_an_earlier_refund_does_not_undo_a_later_one(client, refund):
    carry_out(refund)
    assert send(client, refund_event(refund, "failed", id="re_earlier")).status_code == 200
    assert result(refund) == ("done", "")


def test_an_event_about_another_amount_leaves_the_refund_pending(client, refund):
    assert send(client, refund_event(refund, "succeeded", amount=1)).status_code == 200
    assert (result(refund), PaymentEvent.objects.filter(processed_at=None).count()) == (("pending", ""), 1)


# --- Amounts and secrets ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [("12.5", "EUR", 1250), ("500", "JPY", 500), ("5.12", "KWD", 5120), ("5", "ISK", 500), ("5", "UGX", 500)],
)
def test_amounts_are_in_the_units_of_stripe(amount, currency, units):
    assert minor_units(Decimal(amount), currency) == units
    assert major_units(units, currency) == Decimal(amount)


def test_an_amount_that_stripe_can_not_take_is_refused():
    with pytest.raises(ProviderRefused, match=r"Stripe does not accept 0\.5 JPY"):
        minor_units(Decimal("0.50"), "JPY")


def test_the_package_stores_nothing_on_the_machine(client, hold, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert (pay(client, hold).status_code, list(tmp_path.iterdir())) == (201, [])


def test_no_key_is_logged(client, side, hold, caplog):
    caplog.set_level(logging.DEBUG)
    for logger in ("stripe", "urllib3"):
        caplog.set_level(logging.DEBUG, logger)
    for fault in ("401", "reset", "empty", "400"):
        side.fail_next(INTENTS, fault)
        pay(client, hold)
    pay(client, hold)
    send(client, side.pay(side.intents(hold.reference)[0]["id"]), secret="whsec_wrong")
    assert "AuthenticationError, status 401" in caplog.text
    assert [secret for secret in (KEY, SECRET) if secret in caplog.text] == []
