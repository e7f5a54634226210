"""Rate limits of the API."""

import pytest
from django.test import Client
from rest_framework.test import APIClient

from tests.conftest import signed_in
from tests.factories import PASSWORD, make_booking, make_user


@pytest.fixture(autouse=True)
def _two_an_hour(settings):
    limits = ("signup", "token", "admin", "refresh", "booking", "password", "export", "password_reset")
    settings.LIMITS = settings.LIMITS | dict.fromkeys(limits, (2, 3600))


def statuses(call, times=3):
    return [call().status_code for _ in range(times)]


def sign_in(client, username="esha", password="wrong", **extra):
    return client.post("/api/token/", {"username": username, "password": password}, **extra)


def sign_up(client, username="", **extra):
    return client.post("/api/signup/", {"username": username, "password": PASSWORD}, **extra)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [("signup", 400), ("token", 400), ("token/refresh", 400), ("token/blacklist", 400)],
)
def test_an_anonymous_client_has_to_wait_after_too_many_attempts(anyone, path, status):
    assert statuses(lambda: anyone.post(f"/api/{path}/", {})) == [status, status, 429]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("shows/77/book", 400),
        ("shows/77/book-seats", 400),
        ("shows/77/hold", 400),
        ("bookings/77/cancel", 404),
        ("bookings/77/move", 400),
        ("orders/ACDEFGHJ/cancel", 404),
        ("orders/ACDEFGHJ/pay", 404),
        ("me/password", 400),
    ],
)
def test_a_customer_has_to_wait_after_too_many_attempts(client, path, status):
    assert statuses(lambda: client.post(f"/api/{path}/", {})) == [status, status, 429]


@pytest.mark.django_db
def test_the_refusal_of_a_limit_has_the_time_to_wait(anyone):
    answer = [sign_up(anyone) for _ in range(3)][-1]
    wait = int(answer["Retry-After"])
    detail = f"Request was throttled. Expected available in {wait} seconds."
    assert (answer.status_code, answer.json()) == (429, {"detail": detail, "code": "throttled"})
    assert 3590 <= wait <= 3600


# --- Headers ----------------------------------------------------------------------------------


def limit_headers(answer):
    """Return the limit, the remaining attempts, and whether the window ends within an hour."""
    limit, remaining, reset = (int(answer[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))
    return limit, remaining, 3590 <= reset <= 3600


LIMITED = [
    ("POST", "/api/signup/"),
    ("POST", "/api/token/"),
    ("POST", "/api/token/refresh/"),
    ("POST", "/api/token/blacklist/"),
    ("POST", "/api/password-reset/"),
    ("POST", "/api/me/password/"),
    ("DELETE", "/api/me/"),
    ("GET", "/api/me/export/"),
    ("POST", "/api/shows/77/book/"),
    ("POST", "/api/shows/77/book-seats/"),
    ("POST", "/api/shows/77/hold/"),
    ("POST", "/api/bookings/77/cancel/"),
    ("POST", "/api/bookings/77/move/"),
    ("POST", "/api/orders/ACDEFGHJ/cancel/"),
]


@pytest.mark.parametrize(("method", "path"), LIMITED)
def test_each_limited_response_has_the_remaining_attempts(client, method, path):
    answers = [client.generic(method, path, "{}", content_type="application/json") for _ in range(3)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert [limit_headers(answer) for answer in answers] == [(2, 1, True), (2, 0, True), (2, 0, True)]
    assert answers[-1]["RateLimit-Reset"] == answers[-1]["Retry-After"]


def test_a_successful_response_has_the_remaining_attempts(client, show):
    answer = client.post(f"/api/shows/{show.pk}/book/", {"seat_number": 1})
    assert (answer.status_code, limit_headers(answer)) == (201, (2, 1, True))


@pytest.mark.parametrize("path", ["/api/movies/", "/api/my-bookings/", "/api/me/"])
def test_a_response_without_a_limit_has_no_such_headers(client, path):
    assert [name for name in client.get(path).headers if name.startswith("RateLimit")] == []


def test_a_page_of_another_origin_can_read_the_headers(anyone, db, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://tickets.example.com"]
    answer = sign_up(anyone, HTTP_ORIGIN="https://tickets.example.com")
    exposed = answer["Access-Control-Expose-Headers"].split(", ")
    assert [name for name in exposed if name.startswith("RateLimit")] == [
        "RateLimit-Limit",
        "RateLimit-Remaining",
        "RateLimit-Reset",
    ]


def test_the_sign_in_page_of_the_admin_has_the_remaining_attempts(db):
    form = {"username": "esha", "password": "wrong"}
    answers = [Client().post("/admin/login/", form) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [limit_headers(answer) for answer in answers] == [(2, 1, True), (2, 0, True), (2, 0, True)]


# --- Who has to wait --------------------------------------------------------------------------


@pytest.mark.django_db
def test_another_address_may_still_sign_up(anyone):
    statuses(lambda: sign_up(anyone))
    assert sign_up(anyone, "esha", REMOTE_ADDR="192.0.2.7").status_code == 201


@pytest.mark.django_db
def test_a_forwarded_address_is_ignored(anyone):
    answers = [sign_up(anyone, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]


def test_guessing_at_one_username_does_not_lock_out_another(anyone, user):
    assert statuses(lambda: sign_in(anyone, "asha")) == [401, 401, 429]
    assert sign_in(anyone, "esha", PASSWORD).status_code == 200


def test_guessing_from_one_address_does_not_lock_out_another(anyone, user):
    statuses(lambda: sign_in(anyone))
    assert sign_in(anyone, "esha", PASSWORD, REMOTE_ADDR="192.0.2.7").status_code == 200


@pytest.mark.parametrize("names", [("esha", "Esha", "ESHA"), ("esha", " esha", "esha ")])
def test_spellings_of_a_username_are_counted_together(anyone, user, names):
    assert [sign_in(anyone, name).status_code for name in names] == [401, 401, 429]


def test_the_right_password_is_limited(anyone, user):
    statuses(lambda: sign_in(anyone))
    assert sign_in(anyone, "esha", PASSWORD).status_code == 429


def test_the_limit_of_one_customer_does_not_affect_another(client, show):
    path = f"/api/shows/{show.pk}/book/"
    assert statuses(lambda: client.post(path, {"seat_number": 99})) == [400, 400, 429]
    assert signed_in(make_user()).post(path, {"seat_number": 1}).status_code == 201


def test_a_throttled_customer_books_nothing(client, show):
    path = f"/api/shows/{show.pk}/book/"
    answers = [client.post(path, {"seat_number": number}).status_code for number in (1, 2, 3)]
    assert (answers, show.bookings.count()) == ([201, 201, 429], 2)


def test_booking_and_cancelling_count_together(client, user, show):
    booking = make_booking(user=user, show=show)
    cancel, book = f"/api/bookings/{booking.pk}/cancel/", f"/api/shows/{show.pk}/book/"
    answers = [client.post(cancel), client.post(book, {"seat_number": 1}), client.post(book, {"seat_number": 2})]
    assert [answer.status_code for answer in answers] == [200, 201, 429]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "/api/movies/",
        "/api/movies/{movie}/",
        "/api/movies/{movie}/shows/",
        "/api/shows/{show}/",
        "/api/shows/{show}/seats/",
    ],
)
def test_reading_the_catalogue_has_no_limit(anyone, show, path):
    path = path.format(movie=show.movie_id, show=show.pk)
    assert statuses(lambda: anyone.get(path), 10) == [200] * 10


def test_reading_the_own_bookings_has_no_limit(client):
    assert statuses(lambda: client.get("/api/my-bookings/"), 10) == [200] * 10


def test_a_request_with_another_authentication_is_limited(user, settings):
    settings.LIMITS = settings.LIMITS | {"booking": (1, 60)}
    client = APIClient()
    client.force_authenticate(user)
    assert [client.post("/api/bookings/1/cancel/").status_code for _ in range(2)] == [404, 429]
