"""Invalid input in requests for several seats is refused with its field, and nothing is booked."""

import json

import pytest

from booking.models import Booking
from tests.bodies import NO_WHOLE_NUMBERS, field_errors, no_such_seat, reasons, send
from tests.factories import make_booking

WHOLE = "A whole number is required."
NAME_OR_COUNT = {"seat_numbers": ["Enter seat numbers or a count."]}
NOT_TOGETHER = ["Not allowed with seat_numbers."]
SPLIT = ["Must be a valid boolean."]


@pytest.fixture(params=["book-seats", "hold"])
def request_seats(request, client, show):
    """A function that sends a raw body to each of the two endpoints for several seats."""
    return lambda body: send(client, f"/api/shows/{show.pk}/{request.param}/", body)


def test_a_seat_that_is_not_an_integer_is_refused_with_all_others(request_seats):
    errors = {
        text: field_errors(request_seats(f'{{"seat_numbers": [1, {text}]}}')) for text in [*NO_WHOLE_NUMBERS, "null"]
    }
    expected = {text: {"seat_numbers.1": [WHOLE]} for text in NO_WHOLE_NUMBERS}
    assert errors == expected | {"null": {"seat_numbers.1": ["This field may not be null."]}}
    assert Booking.objects.count() == 0


def test_a_count_that_is_not_an_integer_is_refused(request_seats):
    errors = {text: field_errors(request_seats(f'{{"count": {text}}}')) for text in NO_WHOLE_NUMBERS}
    assert errors == {text: {"count": [WHOLE]} for text in NO_WHOLE_NUMBERS}
    assert Booking.objects.count() == 0


@pytest.mark.parametrize("field", ["seat_numbers", "count"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "1" * 5000, "05", "'5'"], ids=lambda text: text[:20])
def test_a_value_that_is_not_json_is_refused(request_seats, field, value):
    answer = request_seats(f'{{"{field}": [{value}]}}' if field == "seat_numbers" else f'{{"count": {value}}}')
    assert reasons(answer, 400)["code"] == "parse_error"


@pytest.mark.parametrize(
    ("value", "kind"), [('"1,2"', "str"), ('"\\u0000"', "str"), ("5", "int"), ("2.5", "float"), ("true", "bool")]
)
def test_seats_that_are_not_a_list_are_refused(request_seats, value, kind):
    reason = f'Expected a list of items but got type "{kind}".'
    assert field_errors(request_seats(f'{{"seat_numbers": {value}}}')) == {"seat_numbers": [reason]}


def test_seats_that_are_an_object_are_refused(request_seats):
    reason = 'Expected a list of items but got type "dict".'
    assert field_errors(request_seats('{"seat_numbers": {"0": 5}}')) == {"seat_numbers": [reason]}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, NAME_OR_COUNT),
        ({"split": True}, NAME_OR_COUNT),
        ({"seats": [1]}, NAME_OR_COUNT),
        ({"seat_number": 1}, NAME_OR_COUNT),
        ({"seat_numbers": []}, {"seat_numbers": ["This list may not be empty."]}),
        ({"seat_numbers": None}, {"seat_numbers": ["This field may not be null."]}),
        ({"count": None}, {"count": ["This field may not be null."]}),
        ({"count": 1, "split": None}, {"split": ["This field may not be null."]}),
        ({"seat_numbers": [1], "count": 1}, {"count": NOT_TOGETHER}),
        ({"seat_numbers": [1], "split": False}, {"split": NOT_TOGETHER}),
        ({"seat_numbers": [1], "count": 1, "split": True}, {"count": NOT_TOGETHER, "split": NOT_TOGETHER}),
        ({"seat_numbers": [], "count": 1}, {"seat_numbers": ["This list may not be empty."]}),
        ({"seat_numbers": [[1]]}, {"seat_numbers.0": [WHOLE]}),
        ({"seat_numbers": [5, 5]}, {"seat_numbers": ["Seat 5 is named twice."]}),
        ({"seat_numbers": [7, 5, "5", 7, "07"]}, {"seat_numbers": [f"Seat {n} is named twice." for n in (5, 7)]}),
        ({"seat_numbers": [*range(1, 52)]}, {"seat_numbers": ["At most 50 seats."]}),
        ({"seat_numbers": [1] * 51}, {"seat_numbers": ["At most 50 seats."]}),
        ({"count": 51}, {"count": ["At most 50 seats."]}),
        ({"count": 10**30}, {"count": ["At most 50 seats."]}),
        ({"count": 0}, {"count": ["Ensure this value is greater than or equal to 1."]}),
        ({"count": -1}, {"count": ["Ensure this value is greater than or equal to 1."]}),
        ({"count": -(10**30)}, {"count": ["Ensure this value is greater than or equal to 1."]}),
    ],
    ids=str,
)
def test_an_invalid_combination_is_refused_with_its_field(request_seats, body, answer):
    assert field_errors(request_seats(json.dumps(body))) == answer
    assert Booking.objects.count() == 0


def test_a_split_that_is_not_a_boolean_is_refused(request_seats):
    for split in ("maybe", "", 2, -1, 2.5, [], [True], {}, {"a": 1}, "\0", "2", "é"):
        assert field_errors(request_seats(json.dumps({"count": 2, "split": split}))) == {"split": SPLIT}


def test_a_split_that_resembles_a_boolean_is_refused(request_seats):
    for split in ("true", "yes", "on", "t", "0", 1, 1.0, 0):
        assert field_errors(request_seats(json.dumps({"count": 2, "split": split}))) == {"split": SPLIT}


def test_too_many_seats_are_refused_by_the_seat_limit(request_seats, settings):
    settings.MAX_SEATS_PER_USER = 2
    answers = [request_seats(json.dumps(body)) for body in ({"count": 3}, {"seat_numbers": [1, 2, 3]})]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "seat_limit_reached")] * 2


@pytest.mark.parametrize(
    ("body", "seats"),
    [
        ({"seat_numbers": ["5", "06", 7]}, [5, 6, 7]),
        ({"count": "2"}, [25, 26]),
        ({"count": 2, "split": False}, [25, 26]),
        ({"count": 2, "user": 10**9, "status": "cancelled", "reference": "MINE"}, [25, 26]),
    ],
    ids=str,
)
def test_digits_are_accepted_and_unknown_fields_are_ignored(request_seats, user, body, seats):
    answer = reasons(request_seats(json.dumps(body)), 201)
    assert [booking["seat_number"] for booking in answer["bookings"]] == seats
    assert set(Booking.objects.values_list("user", "cancelled_at")) == {(user.pk, None)}


def test_a_list_that_is_not_closed_is_refused(request_seats):
    assert field_errors(request_seats(json.dumps({"seat_numbers": [1] * 300_000}))) == {
        "seat_numbers": ["At most 50 seats."]
    }


def test_too_many_seats_are_refused_before_each_is_validated(request_seats):
    assert field_errors(request_seats(json.dumps({"seat_numbers": [""] * 51}))) == {
        "seat_numbers": ["At most 50 seats."]
    }


# --- Moving -----------------------------------------------------------------------------------


@pytest.fixture
def request_move(client, user, show):
    booking = make_booking(user=user, show=show, seat_number=5)
    return lambda seat_number: send(client, f"/api/bookings/{booking.pk}/move/", f'{{"seat_number": {seat_number}}}')


def test_a_move_to_a_seat_that_is_not_an_integer_is_refused(request_move):
    errors = {text: field_errors(request_move(text)) for text in NO_WHOLE_NUMBERS}
    assert errors == {text: {"seat_number": [WHOLE]} for text in NO_WHOLE_NUMBERS}
    assert Booking.objects.get().seat_number == 5


@pytest.mark.parametrize("seat_number", ["0", "-1", "51", '"51"', "2147483648", "1" * 31])
def test_a_move_to_a_seat_outside_the_hall_is_refused(request_move, seat_number):
    assert reasons(request_move(seat_number), 400) == no_such_seat()
    assert Booking.objects.get().seat_number == 5


@pytest.mark.parametrize("body", ["", "null", "[]", '"x"'])
def test_cancelling_an_order_ignores_the_body(client, user, show, body):
    booking = make_booking(user=user, show=show)
    answer = reasons(send(client, f"/api/orders/{booking.reference}/cancel/", body), 200)
    assert answer["reference"] == booking.reference
