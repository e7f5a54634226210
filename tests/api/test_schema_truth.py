"""Every response to generated requests is documented in the OpenAPI document."""

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from booking.infrastructure.tokens import AccessToken, RefreshToken
from booking.views.openapi import JOURNEY
from movieticket.wsgi import application
from tests.door import let_check_in
from tests.factories import PASSWORD, make_booking, make_movie, make_screen, make_show

pytestmark = pytest.mark.fuzz

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
# The same ones on each run.
BOUNDED = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _connection_stays_open():
    """Keeps the test's transaction open between requests, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def booking(user):
    show = make_show(movie=make_movie(title="Seven Samurai"), screen=make_screen(name="Hall 1"))
    return make_booking(user=user, show=show, seat_number=1, reference=REFERENCE)


@pytest.fixture(scope="module")
def document(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        return schemathesis.openapi.from_wsgi("/swagger.json", application)


SEAT = st.integers(1, 60)
SEATS = st.fixed_dictionaries({"seat_numbers": st.lists(SEAT, min_size=1, max_size=4)}) | st.fixed_dictionaries(
    {"count": st.integers(1, 11)}, optional={"split": st.booleans()}
)
REFERENCE = "ACDEFGHJ"
SCANS = st.fixed_dictionaries(
    {"reference": st.sampled_from([REFERENCE, "ACDEFGHK"]), "nonce": st.sampled_from("abc")},
    optional={"scanned_at": st.just("2030-01-30T19:42:07Z"), "seat_label": st.sampled_from(["A1", "B2"])},
)
# Bodies that pass validation and reach the rules, by path.
SENSIBLE = {
    "/signup/": st.fixed_dictionaries({"username": st.sampled_from("abc"), "password": st.just(PASSWORD)}),
    "/token/": st.just({"username": "esha", "password": PASSWORD}),
    "/me/": st.fixed_dictionaries({"email": st.sampled_from(["", "esha@example.com"])}),
    "/password-reset/": st.fixed_dictionaries({"email": st.sampled_from(["esha@example.com", "x"])}),
    "/password-reset/confirm/": st.just({"uid": "MQ", "token": "a-b", "new_password": "another-good-one"}),
    "/me/password/": st.just({"current_password": PASSWORD, "new_password": "another-good-one"}),
    "/shows/{id}/book/": st.fixed_dictionaries({"seat_number": SEAT}),
    "/shows/{id}/book-seats/": SEATS,
    "/shows/{id}/hold/": SEATS,
    "/bookings/{id}/move/": st.fixed_dictionaries({"seat_number": SEAT}),
    "/shows/{id}/check-ins/": SCANS,
}


def aimed(case, body, booking):
    """Return the request with ids of existing objects and a valid body."""
    ids = {"movies": booking.show.movie_id, "shows": booking.show_id, "bookings": booking.pk}
    ids["seat-plans"] = booking.show.plan_id
    known = {"id": ids.get(case.path.split("/")[1]), "reference": booking.reference}
    case.path_parameters = {name: known[name] for name in case.path_parameters}
    case.headers = {}
    if case.path in ("/token/refresh/", "/token/blacklist/"):
        body = {"refresh": str(RefreshToken.for_user(booking.user))}
    if case.method != "GET" and body:
        case.body = body
    return case


def answer(case, user):
    """Send the case as the user, after resetting the limits."""
    cache.clear()
    user.refresh_from_db()
    return case.call(headers={"Authorization": f"Bearer {AccessToken.for_user(user)}"})


def undocumented(schema, body, definitions):
    """Return the names in a body that its schema lacks; JSON Schema would accept them."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "allOf" in schema:
        return set.intersection(*(undocumented(each, body, definitions) for each in schema["allOf"]))
    if isinstance(body, list):
        return {name for item in body for name in undocumented(schema.get("items", {}), item, definitions)}
    if not isinstance(body, dict) or schema.get("additionalProperties"):
        return set()
    known = schema.get("properties", {})
    inner = (undocumented(known[name], value, definitions) for name, value in body.items() if name in known)
    return (body.keys() - known.keys()).union(*inner)


def unknown_names(document, path, response):
    operation = document.raw_schema["paths"][path][response.request.method.lower()]
    documented = operation["responses"][str(response.status_code)]
    if "$ref" in documented:
        documented = document.raw_schema["responses"][documented["$ref"].rpartition("/")[2]]
    if documented.get("schema", {"type": "file"}).get("type") == "file":
        return set()
    return undocumented(documented["schema"], response.json(), document.raw_schema["definitions"])


@pytest.mark.parametrize("path", JOURNEY)
def test_every_response_is_documented(document, user, booking, path):
    if "check-ins" in path:
        let_check_in(user, "Box office")
    for method in sorted({"get", "patch", "post", "delete"} & set(document[path])):
        operation = document[path][method]
        # Valid and invalid input.
        cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

        @BOUNDED
        @given(cases, st.booleans(), SENSIBLE.get(path, st.none()))
        def check(case, is_aimed, body):
            request = aimed(case, body, booking) if is_aimed else case
            response = answer(request, user)
            # No body has no type, which Swagger 2.0 can't say.
            typed = [] if response.status_code == 204 else [content_type_conformance]
            request.validate_response(response, checks=CHECKS + typed)
            assert unknown_names(document, path, response) == set()

        check()


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer", "Bearer a b", "Basic abc", ""])
def test_the_response_to_an_invalid_token_is_documented(document, header):
    case = document["/me/"]["get"].Case()
    response = case.call(headers={"Authorization": header})
    assert (response.status_code, unknown_names(document, "/me/", response)) == (401, set())
    case.validate_response(response, checks=CHECKS)


def test_the_response_to_a_seat_map_s_etag_is_documented(document, booking):
    case = document["/shows/{id}/seats/"]["get"].Case(path_parameters={"id": booking.show_id})
    tag = case.call().headers["etag"][0]
    known = case.call(headers={"If-None-Match": tag})
    assert (known.status_code, known.headers["etag"]) == (304, [tag])
    case.validate_response(known, checks=CHECKS)
