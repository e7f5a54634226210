"""No request causes a server error: random requests that follow or violate the OpenAPI document.

`make fuzz` runs this with more examples.
"""

import pytest
import schemathesis
from django.core.cache import caches
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.views import APIView
from schemathesis.generation import GenerationMode

from booking.models import PaymentEvent, User
from booking.services.audit import find_breaches
from booking.views.openapi import JOURNEY
from movieticket.wsgi import application
from tests.conftest import signed_in
from tests.door import let_check_in
from tests.factories import PASSWORD, make_priced_booking
from tests.hostile import (
    BAD_BYTES,
    HEADER_VALUES,
    VALUES,
    Hostile,
    Reply,
    ask,
    bounded,
    check,
    check_headers,
    page_requests,
    requests,
)

pytestmark = pytest.mark.fuzz

SEAT = st.integers(1, 50)
SEATS = st.fixed_dictionaries({"seat_numbers": st.lists(SEAT, min_size=1, max_size=4)}) | st.fixed_dictionaries(
    {"count": st.integers(1, 11)}, optional={"split": st.booleans()}
)
# The order of the test's booking.
REFERENCE = "ACDEFGHJ"
RETURN_URL = "http://testserver/done"
# Stored whatever the rules say, because it was made offline.
SCAN = st.just({"reference": REFERENCE, "nonce": "n", "scanned_at": "2030-01-30T19:42:07Z"})
UNDO = st.fixed_dictionaries({"booking": st.integers(1, 9), "reason": st.just("x"), "nonce": st.just("n")})
# Bodies that pass validation and reach the rules, by operation.
GOOD = {
    "POST /signup/": st.fixed_dictionaries({"username": st.sampled_from("abc"), "password": st.just(PASSWORD)}),
    "POST /token/": st.just({"username": "esha", "password": PASSWORD}),
    "POST /token/refresh/": st.just({"refresh": "a.b.c"}),
    "POST /token/blacklist/": st.just({"refresh": "a.b.c"}),
    "DELETE /me/": st.just({"password": PASSWORD}),
    "POST /password-reset/": st.just({"email": "nobody@example.com"}),
    "POST /password-reset/confirm/": st.just({"uid": "MQ", "token": "a-b", "new_password": PASSWORD}),
    "PATCH /me/": st.just({"email": "esha@example.com"}),
    "POST /me/password/": st.just({"current_password": PASSWORD, "new_password": PASSWORD}),
    "POST /shows/{id}/book/": st.fixed_dictionaries({"seat_number": SEAT}),
    "POST /shows/{id}/book-seats/": SEATS,
    "POST /shows/{id}/hold/": SEATS,
    "POST /bookings/{id}/move/": st.fixed_dictionaries({"seat_number": SEAT}),
    "POST /orders/{reference}/pay/": st.fixed_dictionaries({}, optional={"return_url": st.just(RETURN_URL)}),
    "POST /shows/{id}/check-ins/": SCAN,
    "POST /shows/{id}/check-ins/undo/": UNDO,
}
# The valid body has no token, and nobody is admitted.
NEVER_CARRIED_OUT = ["POST /token/refresh/", "POST /token/blacklist/", "POST /password-reset/confirm/"]
NEVER_CARRIED_OUT += ["POST /shows/{id}/check-ins/undo/"]


@pytest.fixture(autouse=True)
def _one_long_visit(monkeypatch):
    """Keeps the connection of the test open between requests, and lets no limit refuse them."""
    monkeypatch.setattr(APIView, "throttled", lambda *_: None)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def booking(user, show):
    fields = {"user": user, "show": show, "seat_number": 1, "reference": REFERENCE}
    return make_priced_booking(**fields, created_at=timezone.now())


@pytest.fixture(scope="module")
def document(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        return schemathesis.openapi.from_wsgi("/swagger.json", application)


def token_of(user):
    return signed_in(user)._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")


def check_data():
    # Several offline scans of one ticket are stored.
    assert [breach for breach in find_breaches() if "is admitted" not in breach] == []


def methods_of(operations):
    return sorted({"get", "put", "patch", "post", "delete"} & set(operations))


# The API's own path and the keys take nothing that a document could forbid.
@pytest.mark.parametrize("path", [path for path in JOURNEY if path not in ("/", "/tickets/keys/")])
def test_input_that_the_document_forbids_causes_no_server_error(document, user, path):
    if "check-ins" in path:
        let_check_in(user, "Box office")
    for method in methods_of(document[path]):

        @bounded(3)
        @given(document[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def send(case):
            for cache in caches.all():
                cache.clear()
            user.refresh_from_db()
            answer = case.call(headers={"Authorization": f"Bearer {token_of(user)}"})
            headers = {name.title(): values[0] for name, values in answer.headers.items()}
            check(Reply(answer.status_code, headers, answer.content))

        send()
    check_data()


def names_of(operation):
    """Return the fields of the operation's body in the document."""
    parameters = operation.definition.raw.get("parameters", ())
    return [name for p in parameters if p["in"] == "body" for name in p["schema"].get("properties", ["seat_number"])]


def statuses_of(hostile_requests, user, examples):
    """Send generated requests of the user, and return the statuses of the responses."""
    statuses = set()

    @bounded(examples)
    @given(hostile_requests)
    def send(request):
        for cache in caches.all():
            cache.clear()
        user.refresh_from_db()
        reply = ask(request, token_of(user))
        check(reply)
        statuses.add(reply.status)
        if not User.objects.filter(pk=user.pk).exists():
            # The request deleted the account, which the next ones need.
            user.save(force_insert=True)

    send()
    return statuses


@pytest.mark.parametrize("path", JOURNEY)
def test_hostile_requests_cause_no_server_error(document, user, booking, path):
    ids = {"movies": booking.show.movie_id, "shows": booking.show_id, "bookings": booking.pk}
    ids["seat-plans"] = booking.show.plan_id
    known = {"id": str(ids.get(path.split("/")[1])).encode(), "reference": booking.reference.encode()}
    if "check-ins" in path:
        let_check_in(user, "Box office")
    for method in methods_of(document[path]):
        operation, names = f"{method.upper()} {path}", names_of(document[path][method])
        hostile_requests = requests(path, method.upper(), known, GOOD.get(operation, st.just({})), names)
        # Few requests with a body are carried out.
        statuses = statuses_of(hostile_requests, user, 30 if operation in GOOD else 15)
        # Most are refused; but if all were, the test would cover little.
        assert min(statuses) < 300 or operation in NEVER_CARRIED_OUT
    check_data()


SIGNATURES = [*HEADER_VALUES, "t=1,v1=0", "t=1", "v1=0", "t=٤,v1=é", f"t={'9' * 5000},v1=x"]


@pytest.mark.parametrize("provider", ["counter", "demo", "stripe"])
def test_hostile_events_cause_no_server_error(booking, settings, provider):
    stripe = {"stripe": "booking.services.money.providers.stripe.Stripe"}
    settings.PAYMENT_PROVIDERS = settings.PAYMENT_PROVIDERS | stripe
    settings.STRIPE_WEBHOOK_SECRET = "whsec_only_for_tests"
    path = f"/api/payments/{provider}/events/".encode()

    @bounded(30)
    @given(st.sampled_from(SIGNATURES), st.sampled_from(BAD_BYTES) | VALUES.map(str.encode))
    def send(signature, body):
        headers = dict.fromkeys(["HTTP_STRIPE_SIGNATURE", "HTTP_DEMO_SIGNATURE"], signature)
        reply = ask(Hostile("POST", path, b"", {"HTTP_HOST": "testserver"} | headers, body), "")
        check(reply)
        assert reply.status >= 400, reply

    send()
    assert not PaymentEvent.objects.exists()


DOCUMENTS = ["/swagger.json", "/swagger.yaml"]
PAGES = ["/", "/api", "/swagger/", "/redoc/", *DOCUMENTS, "/admin/", "/admin/login/", "/healthz"]


@pytest.mark.parametrize("path", [*PAGES, "/readyz", "/metrics", "/static/", "/admin/booking/show/"])
def test_hostile_requests_of_a_page_cause_no_server_error(user, path):
    # Each request for the document makes it again, which is slow.
    @bounded(3 if path in DOCUMENTS else 10)
    @given(page_requests(path))
    def send(request):
        reply = ask(request, token_of(user))
        assert reply.status < 500, reply
        check_headers(reply)

    send()
