"""The contract for several seats, holds and moves: statuses, whole bodies and headers."""

from datetime import timedelta

import pytest
from django.utils import timezone

from booking import services
from booking.models import Booking, Order
from tests.bodies import field_errors, no_such_seat
from tests.conftest import signed_in
from tests.factories import (
    NOW,
    STARTS_AT,
    make_block,
    make_booking,
    make_hold,
    make_movie,
    make_screen,
    make_show,
    make_user,
)

PAST = STARTS_AT.replace(year=2020)
MINUTE = timedelta(minutes=1)
NOT_FOUND = {"detail": "Not found.", "code": "not_found"}
STARTED = {"detail": "This show has already started.", "code": "show_started"}
CANCELLED = {"detail": "This show has been cancelled.", "code": "show_cancelled"}
SOLD_OUT = {"detail": "This show is sold out.", "code": "sold_out"}
ALREADY_CANCELLED = {"detail": "This booking is already cancelled.", "code": "already_cancelled"}
LIMIT = {"detail": "One customer may have 10 seats in a show.", "code": "seat_limit_reached"}
KEY_REUSED = {"detail": "This Idempotency-Key was used for another request.", "code": "idempotency_key_reused"}


@pytest.fixture
def show(db):
    return make_show(
        movie=make_movie(title="Mulan", duration_minutes=88, certificate="U"), screen=make_screen(name="Screen 1")
    )


def post(client, path, body=None, **headers):
    return client.post(f"/api/{path}/", body, headers=headers)


def book(client, show, **body):
    return post(client, f"shows/{show.pk}/book-seats", body)


def hold(client, show, **body):
    return post(client, f"shows/{show.pk}/hold", body)


def move(client, booking, seat_number):
    return post(client, f"bookings/{booking.pk}/move", {"seat_number": seat_number})


def give_back(client, booking):
    return post(client, f"orders/{booking.reference}/cancel")


def as_text(moment):
    return moment and moment.isoformat().replace("+00:00", "Z")


def booking_body(booking):
    """Return the expected body for the stored row."""
    booking.refresh_from_db()
    return {
        "id": booking.pk,
        "reference": booking.reference,
        "show": {
            "id": booking.show.pk,
            "movie": {"id": booking.show.movie_id, "title": "Mulan", "duration_minutes": 88, "certificate": "U"},
            "screen": {"id": booking.show.screen_id, "name": "Screen 1"},
            "starts_at": "2099-06-01T18:00:00Z",
            "ends_at": "2099-06-01T20:00:00Z",
            "cancelled_at": None,
        },
        "seat_number": booking.seat_number,
        "seat_label": f"{'ABCDE'[(booking.seat_number - 1) // 10]}{(booking.seat_number - 1) % 10 + 1}",
        "category": "S",
        "ticket_type": None,
        "price": "0.00",
        "status": booking.status,
        "created_at": as_text(booking.created_at),
        "cancelled_at": as_text(booking.cancelled_at),
        "cancelled_by": booking.canceller,
        "expires_at": as_text(booking.expires_at),
    }


def group_body(*bookings):
    bodies = [booking_body(booking) for booking in bookings]
    created_at = Order.objects.get(reference=bodies[0]["reference"]).created_at
    free = {"currency": "EUR", "total": "0.00", "paid": "0.00", "refunded": "0.00", "due": "0.00", "payments": []}
    order = {"reference": bodies[0]["reference"], "show": bodies[0]["show"], "created_at": as_text(created_at)}
    return order | {"bookings": bodies} | free


def rows():
    return list(Booking.objects.order_by("pk"))


def seats():
    return list(Booking.objects.occupying().order_by("seat_number").values_list("seat_number", "status"))


# --- Booking several seats --------------------------------------------------------------------


def test_booking_seats_returns_their_reference_and_each_booking(client, show):
    answer = book(client, show, seat_numbers=[15, 16])
    assert (answer.status_code, answer.json()) == (201, group_body(*rows()))
    assert seats() == [(15, "booked"), (16, "booked")]


def test_booking_the_best_seats_returns_the_same_fields(client, show):
    answer = book(client, show, count=2, split=False)
    assert (answer.status_code, answer.json()) == (201, group_body(*rows()))
    assert seats() == [(25, "booked"), (26, "booked")]


def test_split_seats_are_booked_if_allowed(client):
    show = make_show(total_seats=3, seats_per_row=3)
    make_booking(show=show, seat_number=2)
    assert book(client, show, count=2, split=True).status_code == 201
    assert seats() == [(1, "booked"), (2, "booked"), (3, "booked")]


@pytest.mark.parametrize("ask", [book, hold])
def test_taken_seats_are_refused_with_alternatives(client, show, ask):
    make_booking(show=show, seat_number=5)
    make_block(show=show, seat_number=6)
    answer = ask(client, show, seat_numbers=[4, 5, 6])
    refusal = {"detail": "Seats A5, A6 are already taken.", "code": "seat_taken"}
    assert (answer.status_code, answer.json()) == (409, refusal | {"seats": [5, 6], "alternatives": [14, 15, 16]})


@pytest.mark.parametrize("ask", [book, hold])
def test_a_missing_block_is_refused_with_the_size_of_the_largest_one(client, ask):
    show = make_show(total_seats=3, seats_per_row=3)
    make_booking(show=show, seat_number=1)
    answer = ask(client, show, count=3)
    refusal = {"detail": "There are no 3 seats side by side.", "code": "no_block", "largest_block": 2}
    assert (answer.status_code, answer.json()) == (409, refusal)


@pytest.mark.parametrize("ask", [book, hold])
@pytest.mark.parametrize(
    ("fields", "body", "status", "refusal"),
    [
        ({"total_seats": 1}, {"seat_numbers": [1]}, 409, SOLD_OUT),
        ({"total_seats": 1}, {"count": 1}, 409, SOLD_OUT),
        ({"starts_at": PAST}, {"seat_numbers": [2]}, 409, STARTED),
        ({"cancelled_at": NOW}, {"count": 2}, 409, CANCELLED),
        ({}, {"seat_numbers": [2, 51]}, 400, no_such_seat("seat_numbers.1")),
        ({}, {"seat_numbers": [0]}, 400, no_such_seat("seat_numbers.0")),
        ({}, {"seat_numbers": [-1]}, 400, no_such_seat("seat_numbers.0")),
        ({}, {"seat_numbers": [10**30]}, 400, no_such_seat("seat_numbers.0")),
    ],
)
def test_unavailable_seats_are_refused(client, ask, fields, body, status, refusal):
    show = make_show(**fields)
    make_booking(show=show, seat_number=1)
    answer = ask(client, show, **body)
    assert (answer.status_code, answer.json(), seats()) == (status, refusal, [(1, "booked")])


@pytest.mark.parametrize("ask", [book, hold])
def test_seats_over_the_limit_are_refused(client, user, show, ask):
    make_hold(user=user, show=show, seat_number=50)
    answers = [ask(client, show, **body) for body in ({"count": 10}, {"seat_numbers": [*range(1, 11)]})]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(409, LIMIT)] * 2


# --- Holding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{"seat_numbers": [25, 26]}, {"count": 2}, {"count": 2, "split": True}])
def test_holding_seats_returns_the_expiry_and_each_hold(client, show, body):
    answer = hold(client, show, **body)
    end = {"expires_at": as_text(rows()[0].expires_at), "expires_in_seconds": 600}
    assert (answer.status_code, answer.json()) == (201, group_body(*rows()) | end)
    assert seats() == [(25, "held"), (26, "held")]


def test_holds_that_expire_at_different_times_return_the_first_expiry(client, user, show, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    make_hold(user=user, show=show, seat_number=5, held_since=NOW - 28 * MINUTE, expires_at=NOW + MINUTE)
    answer = hold(client, show, seat_numbers=[6, 5]).json()
    ends = [booking["expires_at"] for booking in answer["bookings"]]
    assert (answer["expires_at"], answer["expires_in_seconds"]) == ("2099-05-31T18:02:00Z", 120)
    assert ends == ["2099-05-31T18:10:00Z", "2099-05-31T18:02:00Z"]


def test_seats_held_for_too_long_are_refused(client, user, show):
    since = timezone.now() - 30 * MINUTE
    make_hold(user=user, show=show, seat_number=5, held_since=since, expires_at=since + 30 * MINUTE)
    answer = hold(client, show, seat_numbers=[5, 6])
    detail = "You have held A5 for the longest time allowed; book now or choose other seats."
    assert (answer.status_code, answer.json()) == (409, {"detail": detail, "code": "hold_limit_reached", "seats": [5]})


def test_a_hold_is_shown_as_booked_after_its_booking(client, show):
    hold(client, show, seat_numbers=[5, 6])
    held = client.get(f"/api/bookings/{rows()[0].pk}/").json()
    answer = book(client, show, seat_numbers=[5, 6])
    booked = client.get(f"/api/bookings/{rows()[0].pk}/").json()
    assert (held["status"], booked["status"], booked["expires_at"]) == ("held", "booked", None)
    assert (answer.json(), held["reference"]) == (group_body(*rows()), booked["reference"])


def test_a_held_seat_can_be_booked_as_a_single_seat(client, show):
    made = hold(client, show, seat_numbers=[15]).json()["bookings"][0]
    answer = post(client, f"shows/{show.pk}/book", {"seat_number": 15})
    assert (answer.status_code, answer.json()) == (201, booking_body(rows()[0]))
    assert (answer["Location"], answer.json()["id"]) == (f"/api/bookings/{made['id']}/", made["id"])


def test_cancelling_a_hold_returns_it(client, show):
    hold(client, show, seat_numbers=[15])
    answer = post(client, f"bookings/{rows()[0].pk}/cancel")
    assert (answer.status_code, answer.json()) == (200, booking_body(rows()[0]))
    assert (answer.json()["status"], seats()) == ("cancelled", [])


def test_an_expired_hold_can_not_be_cancelled(client, user, show):
    made = make_hold(user=user, show=show, expires_at=timezone.now() - MINUTE)
    answer = post(client, f"bookings/{made.pk}/cancel")
    assert (answer.status_code, answer.json()) == (409, ALREADY_CANCELLED)


# --- Moving -----------------------------------------------------------------------------------


def test_moving_returns_the_moved_booking(client, user, show):
    booking = make_booking(user=user, show=show, seat_number=5)
    answer = move(client, booking, 15)
    assert (answer.status_code, answer.json()) == (200, booking_body(booking))
    assert seats() == [(15, "booked")]


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_a_move_to_a_taken_seat_is_refused(client, user, show, make):
    booking = make_booking(user=user, show=show, seat_number=5)
    make(show=show, seat_number=15)
    answer = move(client, booking, 15)
    refusal = {"detail": "Seat B5 is already taken.", "code": "seat_taken", "seats": [15]}
    assert (answer.status_code, answer.json()) == (409, refusal)


@pytest.mark.parametrize(
    ("fields", "seat_number", "status", "refusal"),
    [
        ({"starts_at": PAST}, 2, 409, STARTED),
        ({"total_seats": 2}, 2, 409, SOLD_OUT),
        ({}, 51, 400, no_such_seat()),
        ({}, 10**30, 400, no_such_seat()),
    ],
)
def test_an_impossible_move_is_refused(client, user, fields, seat_number, status, refusal):
    show = make_show(**fields)
    booking = make_booking(user=user, show=show, seat_number=1)
    make_booking(show=show, seat_number=2)
    answer = move(client, booking, seat_number)
    assert (answer.status_code, answer.json(), seats()) == (status, refusal, [(1, "booked"), (2, "booked")])


def test_a_cancelled_booking_or_a_hold_can_not_be_moved(client, user, show):
    cancelled = make_booking(user=user, show=show, status="cancelled")
    answers = [move(client, row, 9) for row in (cancelled, make_hold(user=user, show=show))]
    held = {"detail": "This seat is only held; hold or book the other seat instead.", "code": "not_booked"}
    assert [(answer.status_code, answer.json()) for answer in answers] == [(409, ALREADY_CANCELLED), (409, held)]


# --- Cancelling all seats of a reference ------------------------------------------------------


def test_cancelling_an_order_returns_each_booking(client, show):
    book(client, show, seat_numbers=[16, 15])
    answer = give_back(client, rows()[0])
    assert (answer.status_code, answer.json()) == (200, group_body(*reversed(rows())))
    assert {row["status"] for row in answer.json()["bookings"]} == {"cancelled"}


def test_a_cancelled_or_started_order_can_not_be_cancelled(client, user):
    cancelled = make_booking(user=user, status="cancelled")
    started = make_booking(user=user, show=make_show(starts_at=PAST))
    answers = [give_back(client, booking) for booking in (cancelled, started)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(409, ALREADY_CANCELLED), (409, STARTED)]


@pytest.mark.parametrize(
    "reference", ["ACDEFGHJ", "acdefghj", "ACDEFGH", "ACDEFGHJK", "ACDEFGH0", "%00CDEFGHJ", "A" * 999]
)
def test_a_missing_reference_is_not_found(client, reference):
    answer = post(client, f"orders/{reference}/cancel")
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


# --- Unknown objects and those of other customers ---------------------------------------------


def test_a_booking_of_another_customer_is_not_found(client, show):
    booking = make_booking(show=show, seat_number=15)
    answers = [move(client, booking, 16), give_back(client, booking)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, NOT_FOUND)] * 2
    assert seats() == [(15, "booked")]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("shows/77/book-seats", {"seat_numbers": [1]}),
        ("shows/77/book-seats", {"count": 1}),
        ("shows/77/hold", {"seat_numbers": [1]}),
        ("shows/77/hold", {"count": 1}),
        ("bookings/77/move", {"seat_number": 1}),
    ],
)
def test_an_unknown_object_is_not_found(client, path, body):
    answer = post(client, path, body)
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


# --- The same request again -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("shows/{show}/book-seats", {"count": 2}, {"count": 1}),
        ("shows/{show}/book-seats", {"seat_numbers": [1, 2]}, {"seat_numbers": [2, 1]}),
        ("shows/{show}/hold", {"count": 2}, {"count": 2, "split": True}),
        ("bookings/{booking}/move", {"seat_number": 9}, {"seat_number": 10}),
    ],
)
def test_a_repeated_request_gets_the_same_response(client, user, show, path, body, other):
    path = path.format(show=show.pk, booking=make_booking(user=user, show=show, seat_number=50).pk)
    first, again, another = (post(client, path, sent, idempotency_key="k") for sent in (body, body, other))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert [answer.get("Idempotency-Replayed") for answer in (first, again, another)] == [None, "true", None]
    assert (another.status_code, another.json()) == (422, KEY_REUSED)


def test_a_key_belongs_to_one_kind_of_request(client, show):
    paths = [f"shows/{show.pk}/{action}" for action in ("hold", "book-seats", "hold")]
    answers = [post(client, path, {"seat_numbers": [5]}, idempotency_key="k") for path in paths]
    assert [answer.status_code for answer in answers] == [201, 422, 201]
    assert seats() == [(5, "held")]


def test_a_key_belongs_to_the_move_of_one_booking(client, user, show):
    first, second = (make_booking(user=user, show=show, seat_number=number) for number in (1, 2))
    paths = [f"bookings/{booking.pk}/move" for booking in (first, second)]
    answers = [post(client, path, {"seat_number": 9}, idempotency_key="k") for path in paths]
    assert [answer.status_code for answer in answers] == [200, 422]


def test_a_refusal_is_not_stored_under_its_key(client, show):
    rival = make_booking(show=show, seat_number=5)
    path, body = f"shows/{show.pk}/hold", {"seat_numbers": [5]}
    before = post(client, path, body, idempotency_key="k")
    services.cancel_booking(booking_id=rival.pk, now=timezone.now())
    assert [before.status_code, post(client, path, body, idempotency_key="k").status_code] == [409, 201]


@pytest.mark.parametrize("path", ["shows/{show}/book-seats", "shows/{show}/hold", "bookings/{booking}/move"])
def test_an_invalid_key_is_refused_with_the_header_s_name(client, user, show, path):
    path = path.format(show=show.pk, booking=make_booking(user=user, show=show).pk)
    answer = post(client, path, {"seat_number": 9, "count": 1}, idempotency_key="é")
    assert field_errors(answer) == {"Idempotency-Key": ["Enter 1 to 255 printable ASCII characters."]}


def test_two_customers_hold_and_book_side_by_side(client, show):
    hold(client, show, seat_numbers=[5])
    other = signed_in(make_user())
    assert [book(other, show, seat_numbers=[number]).status_code for number in (5, 6)] == [409, 201]
