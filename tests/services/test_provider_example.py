"""The module for Mollie in docs/payments.md works, over HTTP against a stand-in for Mollie."""

import json
import re
import sys
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import ModuleType

import pytest
from django.conf import settings as project

from booking.models import Booking, Payment, Refund
from booking.services import Busy, cancel_order, carry_out_refund, pay_order, receive_event, retry_refund
from booking.services.money.payments import PaymentFailed
from booking.services.money.providers.base import EventRejected, ProviderUnavailable
from tests.factories import NOW, make_hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
GUIDE = (project.BASE_DIR / "docs" / "payments.md").read_text()


class Mollie(ThreadingHTTPServer):
    """Payments and refunds by their ids, and the status of the next responses."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.made, self.keys, self.failures = {}, {}, []

    def create(self, kind, body, key):
        if key not in self.keys:
            self.keys[key] = f"{kind}_{len(self.made)}"
            status = "open" if kind == "tr" else "pending"
            self.made[self.keys[key]] = body | {"id": self.keys[key], "status": status, "_links": {}}
        return self.made[self.keys[key]]

    def of(self, kind):
        return [one for name, one in self.made.items() if name.startswith(kind)]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        match self.path.split("?")[0].split("/")[1:]:
            case ["payments", name] if name in self.server.made:
                self.answer(200, self.server.made[name] | {"_embedded": {"refunds": self.server.of("re")}})
            case ["payments", _, "refunds"]:
                self.answer(200, {"_embedded": {"refunds": self.server.of("re")}})
            case _:
                self.answer(404, {"status": 404})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = "re" if self.path.endswith("refunds") else "tr"
        made = self.server.create(kind, body, self.headers["Idempotency-Key"])
        page = {"checkout": {"href": f"https://www.mollie.com/checkout/{made['id']}"}}
        self.answer(201, made | {"_links": page})

    def answer(self, status, body):
        status = self.server.failures.pop() if self.server.failures else status
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode() if status < 300 else b"")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def module():
    """The module of the guide, imported."""
    [source] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    module = ModuleType("example_of_mollie")
    exec(compile(source, "docs/payments.md", "exec"), module.__dict__)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.fixture
def mollie(module, settings, monkeypatch):
    settings.PAYMENT_PROVIDERS = {"mollie": "example_of_mollie.Mollie"}
    settings.PUBLIC_URL, settings.MOLLIE_API_KEY = "https://tickets.example.com", "test_key"
    with Mollie() as server:
        monkeypatch.setattr(module, "API", f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def hold(user):
    return make_hold(user=user, price=12, expires_at=NOW + timedelta(minutes=5))


def pay(hold):
    return pay_order(user=hold.user, reference=hold.reference, return_url="https://tickets.example.com/", now=NOW)


def send(name="tr_0"):
    receive_event(provider="mollie", body=f"id={name}".encode(), headers={}, now=NOW)


@pytest.fixture
def refund(mollie, hold):
    pay(hold)
    mollie.made["tr_0"]["status"] = "paid"
    send()
    cancel_order(user=hold.user, reference=hold.reference, now=NOW)
    return Refund.objects.get()


def carry_out(refund):
    return carry_out_refund(refund_id=refund.pk, now=NOW).status


def test_a_payment_is_started_once(mollie, hold):
    assert pay(hold).started.url == "https://www.mollie.com/checkout/tr_0"
    pay(hold)
    assert [(one["amount"], one["webhookUrl"]) for one in mollie.of("tr")] == [
        ({"currency": "EUR", "value": "12.00"}, "https://tickets.example.com/api/payments/mollie/events")
    ]


@pytest.mark.parametrize(
    ("status", "booking", "payment"),
    [("open", "held", "pending"), ("paid", "booked", "paid"), ("expired", "held", "failed")],
)
def test_a_message_makes_the_service_read_the_state_at_mollie(mollie, hold, status, booking, payment):
    pay(hold)
    mollie.made["tr_0"]["status"] = status
    send()
    send()
    assert (Booking.objects.get().status, Payment.objects.get().status) == (booking, payment)


def test_a_payment_of_another_application_is_ignored(mollie, hold):
    pay(hold)
    mollie.made["tr_0"] |= {"status": "paid", "metadata": None}
    send()
    assert Payment.objects.get().status == "pending"


@pytest.mark.parametrize("name", ["", "tr_", "tr_0&x", "tr_0/refunds", "tr_9"])
def test_a_message_that_mollie_did_not_send_is_refused(mollie, name):
    with pytest.raises(EventRejected):
        send(name)


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_message_during_an_outage_of_mollie_has_to_be_repeated(mollie, hold, status):
    pay(hold)
    mollie.failures.append(status)
    with pytest.raises(Busy):
        send()


@pytest.mark.parametrize(("status", "payments"), [(503, 1), (422, 2)])
def test_a_failed_payment_is_followed_by_another_one(mollie, hold, status, payments):
    mollie.failures.append(status)
    with pytest.raises(PaymentFailed):
        pay(hold)
    pay(hold)
    assert (len(mollie.of("tr")), Payment.objects.count()) == (payments, payments)


@pytest.mark.parametrize(("status", "end"), [("refunded", "done"), ("failed", "failed"), ("processing", "pending")])
def test_a_message_ends_a_refund(mollie, refund, status, end):
    assert carry_out(refund) == "pending"
    mollie.of("re")[0]["status"] = status
    send()
    refund.refresh_from_db()
    assert refund.status == end


def test_a_refund_is_made_once_and_after_a_failure_again_by_hand(mollie, refund):
    mollie.failures.append(500)
    with pytest.raises(ProviderUnavailable):
        carry_out(refund)
    assert [carry_out(refund) for _ in range(2)] == ["pending"] * 2
    mollie.of("re")[0]["status"] = "failed"
    send()
    retry_refund(refund_id=refund.pk, now=NOW)
    carry_out(refund)
    mollie.of("re")[1]["status"] = "refunded"
    assert (carry_out(refund), [one["status"] for one in mollie.of("re")]) == ("done", ["failed", "refunded"])


def test_an_unreachable_mollie_is_unavailable(mollie, hold):
    mollie.shutdown()
    mollie.server_close()
    with pytest.raises(PaymentFailed):
        pay(hold)
