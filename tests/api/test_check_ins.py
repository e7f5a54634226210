"""The door's operations over the API."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from booking.models import Booking, CheckIn
from tests.conftest import signed_in
from tests.door import let_check_in, make_door_staff
from tests.factories import make_booking, make_hold, make_show, make_ticket_type, make_user


@pytest.fixture
def show(db):
    """A show whose doors are open."""
    return make_show(starts_at=timezone.now() + timedelta(minutes=20))


@pytest.fixture
def booking(show):
    return make_booking(show=show, seat_number=5, created_at=timezone.now())


@pytest.fixture
def door(db):
    return signed_in(make_door_staff())


def path(show, rest=""):
    return f"/api/shows/{show.pk}/check-ins/{rest}"


def scan(client, booking, **fields):
    body = {"reference": booking.reference, "seat_label": booking.label, "nonce": "n"} | fields
    return client.post(path(booking.show), {name: value for name, value in body.items() if value is not None})


def undo(client, booking, **fields):
    body = {"booking": booking.pk, "reason": "Wrong ticket", "nonce": "u"} | fields
    return client.post(path(booking.show, "undo/"), body)


def errors(answer):
    assert answer.status_code == 400
    return {error["field"]: error["code"] for error in answer.json()["errors"]}


NO_TIMES = [
    "2030-01-30T19:42:07",
    "2030-01-30 19:42:07Z",
    "2030-01-30",
    "2030-W05-3T19:42:07Z",
    "20300130T194207Z",
    "2030-01-30T25:42:07Z",
    "2030-01-30T19:42Z",
    "٢٤30-01-30T19:42:07Z",
    "2030-01-30T19:42:07Z\n",
    "2030-01-30T19:42:07Z\0",
    5,
    True,
    "",
]


@pytest.mark.parametrize(
    "time", ["2026-01-30T19:42:07Z", "2026-01-30t19:42:07.123456789z", "2026-01-30T19:42:07+05:30"]
)
def test_a_scan_has_the_time_of_rfc_3339(door, booking, time):
    assert scan(door, booking, scanned_at=time).status_code == 201


def test_a_ticket_is_admitted(door, booking):
    answer = scan(door, booking, device="left")
    body = {"booking": booking.pk, "seat_label": "A5", "category": "S", "ticket_type": None, "action": "in"}
    scanned_at = CheckIn.objects.get().scanned_at.isoformat().replace("+00:00", "Z")
    assert (answer.status_code, answer.json()) == (201, body | {"scanned_at": scanned_at, "conflict": None})
    assert answer["Location"] == path(booking.show)
    assert undo(door, booking)["Location"] == path(booking.show)


def test_a_text_that_is_no_ticket_is_refused(door, show):
    answer = door.post(path(show), {"ticket": "nonsense", "nonce": "left-door-0001"}, format="json")
    assert answer.json()["code"] == "ticket_invalid"


def test_the_answer_names_the_ticket_type(door, booking):
    Booking.objects.update(ticket_type=make_ticket_type(name="Child"))
    assert scan(door, booking).json()["ticket_type"] == "Child"


def test_a_reference_and_a_seat_are_accepted_in_lower_case(door, booking):
    assert scan(door, booking, reference=booking.reference.lower(), seat_label="a5").status_code == 201


def test_a_second_scan_is_refused_with_the_time_of_the_first(door, booking):
    scan(door, booking)
    answer = scan(door, booking, nonce="m")
    admitted_at = CheckIn.objects.get().scanned_at
    detail = f"A5 was already admitted at {admitted_at:%H:%M}."
    expected = {"code": "already_checked_in", "detail": detail, "admitted_at": f"{admitted_at:%Y-%m-%dT%H:%M:%S+00:00}"}
    assert (answer.status_code, answer.json()) == (409, expected)


def test_a_request_that_is_sent_again_gets_the_same_answer(door, booking):
    first, again = scan(door, booking), scan(door, booking)
    assert (again.status_code, again.content) == (first.status_code, first.content)


def test_a_scan_made_offline_is_stored_and_its_conflict_is_reported(door, booking):
    scan(door, booking)
    answer = scan(door, booking, nonce="m", scanned_at=timezone.now().isoformat())
    assert (answer.status_code, answer.json()["conflict"]) == (201, "already_checked_in")


def test_an_admission_is_undone(door, booking):
    scan(door, booking)
    answer = undo(door, booking)
    assert (answer.status_code, answer.json()["action"], answer.json()["conflict"]) == (201, "undo", None)
    assert scan(door, booking, nonce="m").status_code == 201


def test_people_at_the_door_find_no_shows_of_other_days(door):
    booking = make_booking(show=make_show(starts_at=timezone.now() - timedelta(days=3)))
    answers = [scan(door, booking), undo(door, booking), door.get(path(booking.show))]
    expected = (404, {"code": "not_found", "detail": "You see the doors of today's shows only."})
    assert [(answer.status_code, answer.json()) for answer in answers] == [expected] * 3


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reference": None, "seat_label": None}, {"ticket": "required"}),
        ({"ticket": "x"}, {"reference": "not_allowed", "seat_label": "not_allowed"}),
        ({"nonce": None}, {"nonce": "required"}),
        ({"nonce": "a b"}, {"nonce": "invalid_nonce"}),
        ({"nonce": 5}, {"nonce": "invalid_nonce"}),
        ({"nonce": "x" * 65}, {"nonce": "invalid_nonce"}),
        ({"device": "x" * 51}, {"device": "max_length"}),
        ({"scanned_at": "yesterday"}, {"scanned_at": "invalid"}),
        ({"scanned_at": "0001-01-01T00:00:00+14:00"}, {"scanned_at": "overflow"}),
        *[({"scanned_at": text}, {"scanned_at": "invalid"}) for text in NO_TIMES],
    ],
)
def test_an_invalid_scan_is_refused_with_its_field(door, booking, fields, expected):
    assert errors(scan(door, booking, **fields)) == expected


def test_an_order_of_several_seats_requires_a_label(door, booking):
    make_booking(show=booking.show, seat_number=6, reference=booking.reference, user=booking.user)
    assert errors(scan(door, booking, seat_label=None)) == {"seat_label": "required"}


def test_an_undo_needs_a_reason(door, booking):
    assert errors(undo(door, booking, reason=" ")) == {"reason": "blank"}


# --- The list ---------------------------------------------------------------------------------


def test_the_list_has_seats_with_states_and_no_names(door, show, booking):
    unpaid = make_booking(show=show, seat_number=6, price=12, ticket_type=make_ticket_type())
    cancelled = make_booking(show=show, seat_number=7, status="cancelled", ticket_serial=2)
    make_hold(show=show, seat_number=8)
    scan(door, make_booking(show=show, seat_number=9))
    body = door.get(path(show)).json()
    seats = [(seat["booking"], seat["seat_label"], seat["serial"], seat["state"]) for seat in body.pop("seats")]
    admitted = CheckIn.objects.get().booking_id
    expected = [(booking.pk, "A5", 1, "expected"), (unpaid.pk, "A6", 1, "unpaid")]
    assert seats == [*expected, (cancelled.pk, "A7", 2, "cancelled"), (admitted, "A9", 1, "admitted")]
    times = {name: f"{time:%Y-%m-%dT%H:%M:%S.%fZ}" for name, time in times_of(show).items()}
    assert body == {"show": show.pk, "sold": 3, "admitted": 1} | times


def times_of(show):
    return {"starts_at": show.starts_at, "opens_at": show.starts_at - timedelta(minutes=45)}


def test_the_etag_of_the_list_changes_only_with_a_scan(door, booking):
    etag = door.get(path(booking.show))["ETag"]
    known = {"If-None-Match": etag}
    unchanged = door.get(path(booking.show), headers=known)
    assert (unchanged.status_code, unchanged["ETag"], unchanged.content) == (304, etag, b"")
    scan(door, booking)
    assert door.get(path(booking.show), headers=known).status_code == 200


def test_the_list_of_a_missing_show_is_not_found(door, show):
    show.pk += 1000
    assert door.get(path(show)).status_code == 404


# --- Permission and limit ---------------------------------------------------------------------


def test_a_customer_with_the_permission_is_refused(user, booking):
    user.user_permissions.add(Permission.objects.get(codename="check_in"))
    answer = scan(signed_in(user), booking)
    refusal = {"code": "permission_denied", "detail": "Your account may not admit at the door."}
    assert (answer.status_code, answer.json(), CheckIn.objects.count()) == (403, refusal, 0)


def test_staff_without_the_permission_are_refused(booking):
    assert scan(signed_in(make_user(is_staff=True)), booking).status_code == 403


def test_the_box_office_may_admit(booking):
    clerk = make_user(is_staff=True)
    let_check_in(clerk)
    assert scan(signed_in(clerk), booking).status_code == 201


def test_each_device_has_a_limit_of_its_own(door, booking, settings):
    settings.LIMITS = settings.LIMITS | {"door": (1, 60)}
    devices = ["left", "left", "right"]
    answers = [scan(door, booking, device=device, nonce=f"n{number}") for number, device in enumerate(devices)]
    assert [answer.status_code for answer in answers] == [201, 429, 409]
    assert answers[0]["RateLimit-Remaining"] == "0"
