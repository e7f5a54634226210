"""The contract of the API: statuses, whole bodies, codes and headers of each endpoint."""

import json
import re
from functools import partial

import pytest
from django.db import OperationalError, connection
from django.test import Client

from booking.authentication import DETAILS
from booking.exception_handler import bad_request, not_found, server_error
from booking.models import Booking, User
from booking.serializers import BookingSerializer
from booking.services import transactions
from booking.views import catalogue
from tests.bodies import field_errors, no_such_seat
from tests.conftest import signed_in
from tests.factories import (
    NOW,
    PASSWORD,
    STARTS_AT,
    make_booking,
    make_hold,
    make_movie,
    make_screen,
    make_show,
    make_user,
)
from tests.races import at_once
from tests.staff import staff_with

PAST = STARTS_AT.replace(year=2020)
NOT_FOUND = {"detail": "Not found.", "code": "not_found"}
UNAUTHENTICATED = {"detail": DETAILS["not_authenticated"], "code": "not_authenticated"}


@pytest.fixture
def movie(db):
    return make_movie(
        title="Mulan",
        description="A girl goes to war.",
        duration_minutes=88,
        certificate="U",
        language="English",
        genre="Animation",
        director="Tony Bancroft",
        release_date="1998-06-12",
    )


@pytest.fixture
def show(movie):
    return make_show(movie=movie, screen=make_screen(name="Screen 1"))


def movie_body(movie):
    return {
        "id": movie.pk,
        "title": "Mulan",
        "description": "A girl goes to war.",
        "duration_minutes": 88,
        "certificate": "U",
        "language": "English",
        "genre": "Animation",
        "director": "Tony Bancroft",
        "release_date": "1998-06-12",
    }


def booked_show_body(show):
    return {
        "id": show.pk,
        "movie": {"id": show.movie_id, "title": "Mulan", "duration_minutes": 88, "certificate": "U"},
        "screen": {"id": show.screen_id, "name": "Screen 1"},
        "starts_at": "2099-06-01T18:00:00Z",
        "ends_at": "2099-06-01T20:00:00Z",
        "cancelled_at": None,
    }


def show_body(show, seats_available=50):
    return booked_show_body(show) | {
        "plan": show.plan_id,
        "total_seats": 50,
        "seats_available": seats_available,
        "lowest_price": None,
    }


def booking_body(booking):
    return {
        "id": booking.pk,
        "reference": booking.reference,
        "show": booked_show_body(booking.show),
        "seat_number": 15,
        "seat_label": "B5",
        "category": "S",
        "ticket_type": None,
        "price": "0.00",
        "status": "booked",
        "created_at": "2099-05-31T18:00:00Z",
        "cancelled_at": None,
        "cancelled_by": None,
        "expires_at": None,
    }


def page_of(*results):
    return {"count": len(results), "next": None, "previous": None, "results": list(results)}


def book(client, show, seat_number=15):
    return client.post(f"/api/shows/{show.pk}/book/", {"seat_number": seat_number})


def is_json(answer):
    return answer["Content-Type"] == "application/json"


# --- Account ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_signing_up_makes_an_account(anyone):
    answer = anyone.post("/api/signup/", {"username": "esha", "password": PASSWORD, "email": "esha@example.com"})
    assert (answer.status_code, answer["Location"]) == (201, "/api/me/")
    assert answer.json() == {"id": User.objects.get().pk, "username": "esha", "email": "esha@example.com"}


@pytest.mark.django_db
def test_an_e_mail_address_may_be_left_out(anyone):
    answer = anyone.post("/api/signup/", {"username": "esha", "password": PASSWORD})
    assert (answer.status_code, answer.json()["email"]) == (201, "")


@pytest.mark.django_db
def test_signing_up_reports_missing_fields(anyone):
    answer = anyone.post("/api/signup/", {})
    sentence = "This field is required."
    required = [{"field": name, "code": "required", "detail": sentence} for name in ("username", "password")]
    assert (answer.status_code, answer.json()) == (400, {"code": "invalid", "detail": sentence, "errors": required})


def test_a_taken_username_is_refused(anyone, user):
    answer = anyone.post("/api/signup/", {"username": "esha", "password": PASSWORD})
    assert field_errors(answer) == {"username": ["A user with that username already exists."]}


def test_signing_in_gives_two_tokens(anyone, user):
    answer = anyone.post("/api/token/", {"username": "esha", "password": PASSWORD})
    assert (answer.status_code, sorted(answer.json())) == (200, ["access", "refresh"])


def test_a_wrong_password_does_not_sign_in(anyone, user):
    answer = anyone.post("/api/token/", {"username": "esha", "password": "wrong"})
    detail = "No active account found with the given credentials"
    assert (answer.status_code, answer.json()) == (401, {"detail": detail, "code": "no_active_account"})


def test_an_account_is_shown_to_its_owner(client, user):
    answer = client.get("/api/me/")
    assert (answer.status_code, answer.json()) == (200, {"id": user.pk, "username": "esha", "email": ""})


def test_an_account_s_e_mail_address_can_be_changed(client, user):
    answer = client.patch("/api/me/", {"email": "esha@example.com"})
    assert (answer.status_code, answer.json()) == (
        200,
        {"id": user.pk, "username": "esha", "email": "esha@example.com"},
    )
    user.refresh_from_db()
    assert user.email == "esha@example.com"


def test_nothing_else_of_an_account_can_be_changed(client, user):
    client.patch("/api/me/", {"email": "", "username": "root", "id": 1000, "is_staff": True, "password": "x"})
    user.refresh_from_db()
    assert (user.username, user.is_staff, user.check_password(PASSWORD)) == ("esha", False, True)


def test_changing_the_password_returns_an_empty_object(client):
    answer = client.post("/api/me/password/", {"current_password": PASSWORD, "new_password": "another fine phrase"})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_wrong_current_password_is_refused(client):
    answer = client.post("/api/me/password/", {"current_password": "wrong", "new_password": "another fine phrase"})
    assert field_errors(answer) == {"current_password": ["This is not your current password."]}


# --- Movies and shows -------------------------------------------------------------------------


def test_movies_are_listed(anyone, movie):
    answer = anyone.get("/api/movies/")
    assert (answer.status_code, answer.json()) == (200, page_of(movie_body(movie)))


def test_a_movie_is_shown(anyone, movie):
    answer = anyone.get(f"/api/movies/{movie.pk}/")
    assert (answer.status_code, answer.json()) == (200, movie_body(movie))


def test_a_movie_s_shows_are_listed(anyone, show):
    answer = anyone.get(f"/api/movies/{show.movie_id}/shows/")
    assert (answer.status_code, answer.json()) == (200, page_of(show_body(show)))


def test_a_show_is_shown(anyone, show):
    make_booking(show=show)
    answer = anyone.get(f"/api/shows/{show.pk}/")
    free = {"currency": "EUR", "prices": []}
    assert (answer.status_code, answer.json()) == (200, show_body(show, seats_available=49) | free)


def test_a_cancelled_show_has_the_time_of_its_cancellation_and_no_seats(anyone, show):
    show.cancelled_at = NOW
    show.save()
    body = anyone.get(f"/api/shows/{show.pk}/").json()
    assert (body["cancelled_at"], body["seats_available"]) == ("2099-05-31T18:00:00Z", 0)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/movies/77/", "/api/movies/77/shows/", "/api/shows/77/"])
def test_an_unknown_object_is_not_found(anyone, path):
    answer = anyone.get(path)
    assert (answer.status_code, is_json(answer)) == (404, True)
    assert answer.json()["code"] == "not_found"


# --- Bookings ---------------------------------------------------------------------------------


def test_booking_a_seat_returns_the_booking(client, show):
    answer = book(client, show)
    booking = Booking.objects.get()
    created_at = booking.created_at.isoformat().replace("+00:00", "Z")
    assert (answer.status_code, answer.json()) == (201, booking_body(booking) | {"created_at": created_at})


def test_a_booking_s_location_is_its_address(client, show):
    answer = book(client, show)
    assert answer["Location"] == f"/api/bookings/{answer.json()['id']}/"
    assert client.get(answer["Location"]).json() == answer.json()


def test_bookings_are_listed(client, user, show):
    booking = make_booking(user=user, show=show, seat_number=15)
    answer = client.get("/api/my-bookings/")
    assert (answer.status_code, answer.json()) == (200, page_of(booking_body(booking)))


def test_a_booking_is_shown_to_its_owner(client, user, show):
    booking = make_booking(user=user, show=show, seat_number=15)
    answer = client.get(f"/api/bookings/{booking.pk}/")
    assert (answer.status_code, answer.json()) == (200, booking_body(booking))


def test_cancelling_returns_the_cancelled_booking(client, user, show):
    booking = make_booking(user=user, show=show, seat_number=15)
    answer = client.post(f"/api/bookings/{booking.pk}/cancel/")
    booking.refresh_from_db()
    cancelled = {"status": "cancelled", "cancelled_at": booking.cancelled_at.isoformat().replace("+00:00", "Z")}
    by = {"cancelled_by": "customer"}
    assert (answer.status_code, answer.json()) == (200, booking_body(booking) | cancelled | by)


@pytest.mark.parametrize(("method", "action"), [("get", ""), ("post", "cancel/")])
def test_a_booking_of_another_customer_is_not_found(client, show, method, action):
    booking = make_booking(show=show)
    answer = getattr(client, method)(f"/api/bookings/{booking.pk}/{action}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert Booking.objects.sold().count() == 1


def test_a_taken_seat_is_refused(client, show):
    make_booking(show=show, seat_number=5)
    answer = book(client, show, 5)
    refusal = {"detail": "Seat A5 is already taken.", "code": "seat_taken", "seats": [5]}
    assert (answer.status_code, answer.json()) == (409, refusal)


@pytest.mark.parametrize("total_seats", [50, 1])
def test_the_refusal_reports_the_caller_s_own_seat(client, user, total_seats):
    booking = make_booking(user=user, show=make_show(total_seats=total_seats))
    refusal = {"detail": "Seat A1 is already taken.", "code": "seat_taken", "seats": [1]}
    own = {"mine": True, "booking": booking.pk}
    answer = book(client, booking.show, 1)
    assert (answer.status_code, answer.json()) == (409, refusal | own)


def test_the_refusal_reports_several_seats_of_the_caller(client, user, show):
    bookings = [make_booking(user=user, show=show, seat_number=seat).pk for seat in (2, 1)]
    refusal = client.post(f"/api/shows/{show.pk}/book-seats/", {"seat_numbers": [1, 2, 3]}).json()
    assert (refusal["seats"], refusal["mine"], refusal["bookings"]) == ([1, 2], True, bookings[::-1])


def test_the_refusal_does_not_report_own_seats_if_others_are_taken(client, user, show):
    make_booking(user=user, show=show, seat_number=1)
    make_booking(show=show, seat_number=2)
    refusal = client.post(f"/api/shows/{show.pk}/book-seats/", {"seat_numbers": [1, 2]}).json()
    assert sorted(refusal) == ["alternatives", "code", "detail", "seats"]


def test_a_sold_out_show_is_refused(client):
    booking = make_booking(show=make_show(total_seats=1))
    answer = book(client, booking.show, 1)
    assert (answer.status_code, answer.json()) == (409, {"detail": "This show is sold out.", "code": "sold_out"})


def test_a_show_that_has_started_is_refused(client):
    answer = book(client, make_show(starts_at=PAST))
    refusal = {"detail": "This show has already started.", "code": "show_started"}
    assert (answer.status_code, answer.json()) == (409, refusal)


def test_a_cancelled_show_is_refused(client):
    answer = book(client, make_show(cancelled_at=NOW))
    refusal = {"detail": "This show has been cancelled.", "code": "show_cancelled"}
    assert (answer.status_code, answer.json()) == (409, refusal)


def test_an_unknown_seat_is_refused(client, show):
    answer = book(client, show, 51)
    assert (answer.status_code, answer.json()) == (400, no_such_seat())


def test_a_seat_over_the_limit_is_refused(client, show, settings):
    settings.MAX_SEATS_PER_USER = 1
    book(client, show, 1)
    answer = book(client, show, 2)
    refusal = {"detail": "One customer may have 1 seats in a show.", "code": "seat_limit_reached"}
    assert (answer.status_code, answer.json()) == (409, refusal)


def test_an_unknown_show_can_not_be_booked(client):
    answer = client.post("/api/shows/77/book/", {"seat_number": 1})
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_a_second_cancel_is_refused(client, user):
    booking = make_booking(user=user, status="cancelled")
    answer = client.post(f"/api/bookings/{booking.pk}/cancel/")
    refusal = {"detail": "This booking is already cancelled.", "code": "already_cancelled"}
    assert (answer.status_code, answer.json()) == (409, refusal)


def test_a_booking_of_a_show_that_has_started_can_not_be_cancelled(client, user):
    booking = make_booking(user=user, show=make_show(starts_at=PAST))
    answer = client.post(f"/api/bookings/{booking.pk}/cancel/")
    refusal = {"detail": "This show has already started.", "code": "show_started"}
    assert (answer.status_code, answer.json()) == (409, refusal)


@pytest.mark.parametrize("key", ["", "é", "x" * 256, "a\tb"])
def test_an_invalid_idempotency_key_is_refused_with_the_header_s_name(client, show, key):
    answer = client.post(f"/api/shows/{show.pk}/book/", {"seat_number": 7}, HTTP_IDEMPOTENCY_KEY=key)
    assert field_errors(answer) == {"Idempotency-Key": ["Enter 1 to 255 printable ASCII characters."]}


# --- What all endpoints share -----------------------------------------------------------------

FOR_USERS = [
    ("get", "/api/me/"),
    ("patch", "/api/me/"),
    ("post", "/api/me/password/"),
    ("post", "/api/shows/1/book/"),
    ("post", "/api/shows/1/book-seats/"),
    ("post", "/api/shows/1/hold/"),
    ("get", "/api/my-bookings/"),
    ("get", "/api/bookings/1/"),
    ("post", "/api/bookings/1/cancel/"),
    ("post", "/api/bookings/1/move/"),
    ("post", "/api/orders/ACDEFGHJ/cancel/"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), FOR_USERS)
def test_endpoints_for_users_refuse_anonymous_requests(anyone, method, path):
    answer = getattr(anyone, method)(path)
    assert (answer.status_code, answer.json()) == (401, UNAUTHENTICATED)
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    "path",
    [
        "/api/me",
        "/api/movies",
        "/api/movies/{movie}",
        "/api/movies/{movie}/shows",
        "/api/shows/{show}",
        "/api/shows/{show}/seats",
        "/api/my-bookings",
        "/api/bookings/{booking}",
    ],
)
def test_a_get_without_a_trailing_slash_gets_the_same_response(client, user, show, path):
    booking = make_booking(user=user, show=show)
    path = path.format(movie=show.movie_id, show=show.pk, booking=booking.pk)
    bare, slashed = client.get(path), client.get(f"{path}/")
    assert (bare.status_code, bare.json()) == (200, slashed.json())


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/signup", {"username": "asha", "password": PASSWORD}, 201),
        ("/api/token", {"username": "esha", "password": PASSWORD}, 200),
        ("/api/token/refresh", {"refresh": "rubbish"}, 401),
        ("/api/token/blacklist", {"refresh": "rubbish"}, 401),
        ("/api/me/password", {"current_password": PASSWORD, "new_password": "another fine phrase"}, 204),
        ("/api/shows/{show}/book", {"seat_number": 2}, 201),
        ("/api/shows/{show}/book-seats", {"count": 2}, 201),
        ("/api/shows/{show}/hold", {"count": 2}, 201),
        ("/api/bookings/{booking}/cancel", {}, 200),
        ("/api/bookings/{booking}/move", {"seat_number": 2}, 200),
        ("/api/orders/{reference}/cancel", {}, 200),
    ],
)
def test_a_post_without_a_trailing_slash_is_accepted(client, user, show, path, body, status):
    booking = make_booking(user=user, show=show)
    path = path.format(show=show.pk, booking=booking.pk, reference=booking.reference)
    assert client.post(path, body).status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "options"])
@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/nothing/", "/api/movies/x/y/", "/api/movies//", "/api//", "/api/%0A"]
)
def test_an_unknown_path_is_not_found_in_json(anyone, settings, debug, method, path):
    settings.DEBUG = debug
    answer = getattr(anyone, method)(path)
    assert (answer.status_code, is_json(answer)) == (404, True)
    assert answer.json() == NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/signup/"),
        ("get", "/api/token/"),
        ("get", "/api/token/refresh/"),
        ("get", "/api/token/blacklist/"),
        ("post", "/api/me/"),
        ("put", "/api/me/"),
        ("get", "/api/me/logout-everywhere/"),
        ("get", "/api/password-reset/"),
        ("get", "/api/password-reset/confirm/"),
        ("get", "/api/me/password/"),
        ("post", "/api/movies/"),
        ("delete", "/api/movies/{movie}/"),
        ("post", "/api/movies/{movie}/shows/"),
        ("put", "/api/shows/{show}/"),
        ("post", "/api/shows/{show}/seats/"),
        ("get", "/api/shows/{show}/book/"),
        ("get", "/api/shows/{show}/book-seats/"),
        ("put", "/api/shows/{show}/hold/"),
        ("delete", "/api/shows/{show}/hold/"),
        ("post", "/api/my-bookings/"),
        ("delete", "/api/bookings/{booking}/"),
        ("get", "/api/bookings/{booking}/cancel/"),
        ("patch", "/api/bookings/{booking}/move/"),
        ("get", "/api/orders/ACDEFGHJ/cancel/"),
    ],
)
def test_another_method_is_refused(client, user, show, method, path):
    path = path.format(movie=show.movie_id, show=show.pk, booking=make_booking(user=user, show=show).pk)
    answer = getattr(client, method)(path)
    refusal = {"detail": f'Method "{method.upper()}" not allowed.', "code": "method_not_allowed"}
    assert (answer.status_code, answer.json()) == (405, refusal)
    assert answer["Allow"]


@pytest.mark.parametrize(
    "path", ["/api/signup/", "/api/token/", "/api/token/refresh/", *(path for _, path in FOR_USERS[1:])]
)
def test_each_endpoint_accepts_options(client, path):
    answer = client.options(path)
    assert (answer.status_code, is_json(answer)) == (200, True)


@pytest.mark.django_db
@pytest.mark.parametrize("debug", [False, True])
def test_a_crash_is_a_json_response_without_the_reason(anyone, settings, monkeypatch, caplog, debug):
    settings.DEBUG = debug
    monkeypatch.setattr(catalogue.MovieViewSet, "queryset", "no queryset at all")
    answer = anyone.get("/api/movies/")
    crash = {"detail": "Something went wrong on our side.", "code": "server_error"}
    assert (answer.status_code, answer.json()) == (500, crash)
    assert "Crash in movie-list" in caplog.messages


@pytest.fixture
def _short_retries(monkeypatch):
    monkeypatch.setattr(transactions, "RETRY_SECONDS", 0.2)


@pytest.mark.usefixtures("_short_retries")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/movies/"),
        ("get", "/api/movies/1/"),
        ("get", "/api/movies/1/shows/"),
        ("get", "/api/shows/1/"),
        ("post", "/api/signup/"),
        ("post", "/api/token/"),
        ("get", "/api/me/"),
        ("get", "/api/my-bookings/"),
        ("get", "/api/shows/1/seats/"),
        ("post", "/api/shows/1/book/"),
        ("post", "/api/shows/1/book-seats/"),
        ("post", "/api/shows/1/hold/"),
        ("get", "/api/bookings/1/"),
        ("post", "/api/bookings/1/cancel/"),
        ("post", "/api/bookings/1/move/"),
        ("post", "/api/orders/ACDEFGHJ/cancel/"),
    ],
)
def test_an_unavailable_database_makes_the_service_busy(client, method, path):
    def ask():
        # This thread's own connection, to a server and a file that there are not.
        away = {"HOST": "/nowhere", "NAME": "/nowhere/db.sqlite3"}
        connection.settings_dict = connection.settings_dict | away
        body = {"username": "asha", "password": PASSWORD} if method == "post" else None
        return getattr(client, method)(path, body)

    [answer] = at_once([ask])
    busy = {"detail": "The service is busy, please try again.", "code": "busy"}
    assert (answer.status_code, answer.json()) == (503, busy)
    assert answer["Retry-After"] == "1"


# --- Errors outside the API's views -----------------------------------------------------------


def answers_of_handlers(request):
    return [bad_request(request, Exception()), not_found(request, Exception()), server_error(request)]


def test_errors_outside_a_view_are_json_under_api(rf):
    answers = answers_of_handlers(rf.get("/api/movies/"))
    assert [answer.status_code for answer in answers] == [400, 404, 500]
    assert [is_json(answer) for answer in answers] == [True, True, True]


def test_errors_elsewhere_are_pages(rf):
    answers = answers_of_handlers(rf.get("/admin/"))
    assert [answer.status_code for answer in answers] == [400, 404, 500]
    titles = [re.search("<h1>(.*)</h1>", answer.content.decode())[1] for answer in answers]
    assert titles == ["Bad request", "Page not found", "Server error"]


def test_without_collected_static_files_errors_are_plain_text(rf, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
    answer = not_found(rf.get("/admin/"))
    assert (answer.status_code, answer["Content-Type"], answer.content) == (404, "text/plain", b"Not found.")


def test_a_forbidden_page_has_a_message(db):
    answer = staff_with("view_booking").get("/admin/booking/show/plan/")
    assert (answer.status_code, "Your account may not do this." in answer.content.decode()) == (403, True)


def test_the_error_for_a_missing_csrf_token_says_that_the_form_expired(db):
    answer = Client(enforce_csrf_checks=True).post("/admin/login/")
    assert (answer.status_code, "The form has expired." in answer.content.decode()) == (403, True)


def test_an_unknown_page_is_not_found(anyone):
    answer = anyone.get("/nothing/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_an_unknown_host_is_refused_in_json(anyone):
    answer = anyone.get("/api/movies/", HTTP_HOST="elsewhere.example")
    assert (answer.status_code, answer.json()) == (400, {"detail": "Bad request.", "code": "bad_request"})


def test_two_customers_see_only_their_own_bookings(client, user, show):
    make_booking(user=user, show=show, seat_number=15)
    other = signed_in(make_user())
    assert (client.get("/api/my-bookings/").json()["count"], other.get("/api/my-bookings/").json()["count"]) == (1, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_short_retries")
def test_a_page_reports_an_unavailable_database():
    browser = Client(raise_request_exception=False)
    with connection.execute_wrapper(database_away):
        answer = browser.post("/admin/login/", {"username": "esha", "password": "wrong"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert "<h1>Try again in a moment</h1>" in answer.content.decode()


def database_away(execute, sql, params, many, context):
    raise OperationalError("the connection is closed")


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/St_Johns"])
@pytest.mark.parametrize("make", [make_booking, partial(make_booking, status="cancelled"), make_hold])
def test_a_booking_s_fast_representation_equals_that_of_its_fields(settings, zone, make):
    settings.TIME_ZONE = zone
    booking, serializer = make(), BookingSerializer()
    by_fields = super(BookingSerializer, serializer).to_representation(booking)
    assert json.dumps(serializer.to_representation(booking)) == json.dumps(by_fields)
