"""Headers that restrict caching, framing and the resources of pages."""

import pytest
from django.test import Client

from tests.conftest import signed_in
from tests.factories import PASSWORD, make_booking

ORIGIN = "https://tickets.example.com"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/api/movies/", 200),
        ("/api/me/", 401),
        ("/api/no-such-path/", 404),
        ("/api/" + "x" * 9_000, 414),
        ("/no-such-path/", 404),
        ("/admin/", 302),
        ("/admin/login/", 200),
        ("/swagger/", 200),
        ("/redoc/", 200),
        ("/swagger.json", 200),
    ],
)
def test_every_response_has_the_headers(path, status):
    answer = Client().get(path)
    assert answer.status_code == status
    assert {name: answer.get(name) for name in HEADERS} == HEADERS


def test_the_response_to_a_crash_has_the_headers(monkeypatch, db):
    monkeypatch.setattr("booking.views.catalogue.MovieViewSet.queryset", None)
    answer = Client(raise_request_exception=False).get("/api/movies/")
    assert answer.status_code == 500
    assert {name: answer.get(name) for name in HEADERS} == HEADERS


# --- Caches -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("get", "/api/me/", 200), ("get", "/api/my-bookings/", 200), ("get", "/api/bookings/{booking}/", 200)],
)
def test_a_user_s_own_data_is_not_cached(user, method, path, status):
    booking = make_booking(user=user)
    answer = getattr(signed_in(user), method)(path.format(booking=booking.pk))
    assert (answer.status_code, answer["Cache-Control"]) == (status, "no-store")


def test_tokens_are_not_cached(anyone, user):
    answer = anyone.post("/api/token/", {"username": "esha", "password": PASSWORD})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")


def test_the_catalogue_may_be_cached(anyone, show):
    assert anyone.get("/api/movies/")["Cache-Control"] == "public, no-cache"


def test_a_seat_map_is_revalidated(client, show):
    assert client.get(f"/api/shows/{show.pk}/seats/")["Cache-Control"] == "private, no-cache"


def test_pages_of_the_admin_are_not_cached(staff):
    assert "no-store" in staff.get("/admin/")["Cache-Control"]


# --- Other origins ----------------------------------------------------------------------------


def allowed(answer):
    """Return the headers of a response that allow requests of other origins."""
    return {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/movies/", "/api/token/", "/admin/login/", "/swagger/"])
def test_another_origin_is_allowed_nothing_unless_it_is_configured(path):
    preflight = {"HTTP_ORIGIN": ORIGIN, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    answers = [Client().get(path, HTTP_ORIGIN=ORIGIN), Client().options(path, **preflight)]
    assert [allowed(answer) for answer in answers] == [{}, {}]


@pytest.mark.django_db
def test_a_configured_origin_may_call_the_api_without_cookies(settings):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    answer = allowed(Client().get("/api/movies/", HTTP_ORIGIN=ORIGIN))
    assert answer["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in answer


@pytest.mark.django_db
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", "http://tickets.example.com"]
)
def test_an_unknown_origin_may_not_call_the_api(settings, origin):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    assert allowed(Client().get("/api/movies/", HTTP_ORIGIN=origin)) == {}


@pytest.mark.django_db
def test_no_other_origin_calls_the_admin(settings):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    assert allowed(Client().get("/admin/login/", HTTP_ORIGIN=ORIGIN)) == {}


def test_a_configured_origin_can_read_the_refusal_of_a_large_request(settings, anyone):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    answer = anyone.get("/api/" + "x" * 9_000, HTTP_ORIGIN=ORIGIN)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (414, ORIGIN)


@pytest.mark.django_db
def test_the_api_uses_no_session(staff, django_assert_num_queries):
    """Nor does it ask for one; a page does."""
    with django_assert_num_queries(0):
        answer = staff.get("/api/me/")
    assert answer.status_code == 401
    assert not {"session", "_messages"} & vars(answer.wsgi_request).keys()
    assert {"session", "_messages"} <= vars(staff.get("/admin/").wsgi_request).keys()
