"""The door page and its JSON responses."""

import sys
from datetime import timedelta

import pytest
import segno
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from booking.models import Booking, CheckIn
from booking.services import MAX_SCAN_LENGTH
from tests.door import admit, make_door_staff, offline, stored
from tests.factories import make_booking, make_show, make_ticket_type
from tests.staff import signed_in_as, staff_with


@pytest.fixture
def show(db):
    """A show whose doors are open."""
    return make_show(starts_at=timezone.now() + timedelta(minutes=20))


@pytest.fixture
def booking(show):
    return make_booking(show=show, seat_number=5, created_at=timezone.now())


@pytest.fixture
def pair(booking):
    """A second booking in the order of `booking`."""
    return make_booking(show=booking.show, seat_number=6, user=booking.user, reference=booking.reference)


@pytest.fixture
def person(db):
    return make_door_staff()


@pytest.fixture
def door(person):
    return signed_in_as(person)


def path(show, rest=""):
    return f"/admin/booking/show/{show.pk}/door/{rest}"


def scan(door, booking, text=None, **fields):
    form = {"text": booking.reference if text is None else text, "nonce": "n", "device": "left"} | fields
    return door.post(path(booking.show, "admit/"), form)


# --- The pages --------------------------------------------------------------------------------


def test_the_door_group_sees_only_the_door(door, show):
    answer = door.get("/admin/", follow=True)
    assert answer.redirect_chain == [("/admin/booking/show/door/", 302)]
    pages = ["/admin/booking/show/", "/admin/booking/booking/", f"/admin/booking/show/{show.pk}/change/"]
    assert [door.get(page).status_code for page in pages] == [403, 403, 403]


@pytest.mark.parametrize(("permissions", "status"), [(["check_in", "view_show"], 200), ([], 200), (["check_in"], 302)])
def test_other_staff_see_the_usual_front_page(db, permissions, status):
    assert staff_with(*permissions).get("/admin/").status_code == status


def test_the_list_links_to_the_doors_of_today(door, show, booking):
    page = door.get("/admin/booking/show/door/")
    [listed] = page.context["shows"]
    assert (listed.show, listed.sold, listed.admitted) == (show, 1, 0)
    assert f'href="{path(show)}"' in page.content.decode()


@pytest.mark.parametrize("shows", [1, 3])
def test_the_list_of_doors_takes_the_same_queries_for_1_and_3_shows(door, shows, django_assert_num_queries):
    for _ in range(shows):
        make_show(starts_at=timezone.now() + timedelta(minutes=20))
    # Session, user, permissions, shows, scans.
    with django_assert_num_queries(5):
        door.get("/admin/booking/show/door/")


def test_only_the_door_allows_the_camera(door, show):
    policies = [door.get(page)["Permissions-Policy"] for page in (path(show), "/admin/booking/show/door/")]
    assert [policy.partition(",")[0] for policy in policies] == ["camera=(self)", "camera=()"]


def test_a_show_links_to_its_door(staff, box_office, show):
    page = f"/admin/booking/show/{show.pk}/change/"
    assert path(show) in staff.get(page).content.decode()
    assert path(show) not in staff_with("view_show").get(page).content.decode()
    assert "/admin/booking/show/door/" in box_office.get("/admin/").content.decode()


@pytest.mark.parametrize("rest", ["", "list/"])
def test_the_door_of_a_missing_show_is_not_found(door, show, rest):
    show.pk += 1000
    assert door.get(path(show, rest)).status_code == 404


def test_people_at_the_door_open_no_shows_of_other_days(door, box_office):
    booking = make_booking(show=make_show(starts_at=timezone.now() - timedelta(days=3)))
    pages = [path(booking.show), path(booking.show, "list/")]
    assert [[client.get(page).status_code for page in pages] for client in (door, box_office)] == [[404] * 2, [200] * 2]
    assert scan(door, booking).json()["detail"] == "You see the doors of today's shows only."


@pytest.mark.parametrize("number", ["0", "x", "1e3", "9" * 30])
def test_the_door_of_an_invalid_id_is_not_found(door, number):
    assert door.get(f"/admin/booking/show/{number}/door/").status_code == 404


def test_an_unknown_action_is_not_found(door, show):
    assert door.post(path(show, "delete/")).status_code == 404


def test_staff_without_the_permission_see_no_door(show):
    client = staff_with("view_show", "change_show", "view_booking")
    pages = ["/admin/booking/show/door/", path(show), path(show, "list/")]
    assert [client.get(page).status_code for page in pages] == [403] * 3
    assert client.post(path(show, "admit/")).status_code == 403


# --- Admitting --------------------------------------------------------------------------------


def test_a_reference_is_admitted(door, person, booking):
    Booking.objects.update(ticket_type=make_ticket_type(name="Child"))
    answer = scan(door, booking)
    expected = {"ok": True, "booking": booking.pk, "seat": "A5", "detail": "Child", "code": None}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert CheckIn.objects.values_list("by", "device", "nonce").get() == (person.pk, "left", "n")


@pytest.mark.parametrize("typed", ["{0} a6", "{0},A6", "{0}  A6"])
def test_a_reference_and_a_seat_may_be_typed_in_any_case(door, booking, pair, typed):
    answer = scan(door, booking, typed.format(booking.reference.lower()))
    assert (answer.json()["booking"], answer.json()["detail"]) == (pair.pk, "")


def test_the_seats_of_an_order_are_offered(door, booking, pair):
    answer = scan(door, booking)
    detail = f"Choose a seat of {booking.reference}: A5, A6."
    expected = {"ok": False, "code": "invalid", "detail": detail, "advice": "Choose the seat.", "choices": ["A5", "A6"]}
    assert (answer.status_code, answer.json()) == (400, expected)


def test_a_refusal_explains_the_next_step(door, booking):
    Booking.objects.update(price=12)
    answer = scan(door, booking)
    assert (answer.status_code, answer.json()["code"]) == (409, "ticket_unpaid")
    assert answer.json()["advice"] == "Send the customer to the box office to pay."


def test_a_text_that_is_no_reference_is_read_as_a_ticket(door, booking):
    assert scan(door, booking, "hello").json()["code"] == "ticket_invalid"


def test_a_text_that_is_too_long_for_a_ticket_is_refused(door, booking):
    answer = scan(door, booking, "x" * (MAX_SCAN_LENGTH + 1))
    assert (answer.status_code, answer.json()["detail"]) == (400, "This text is too long for a ticket.")
    assert scan(door, booking, "x" * MAX_SCAN_LENGTH).json()["code"] == "ticket_invalid"
    assert f'maxlength="{MAX_SCAN_LENGTH}"' in door.get(path(booking.show)).content.decode()


def test_a_scan_made_offline_is_stored_with_its_conflict(door, booking):
    scan(door, booking)
    at = timezone.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    answer = scan(door, booking, nonce="m", scanned_at=at)
    assert (answer.json()["ok"], answer.json()["code"]) == (True, "already_checked_in")
    assert stored(booking) == [("in", ""), ("in", "already_checked_in")]


@pytest.mark.parametrize("fields", [{"text": ""}, {"nonce": ""}, {"nonce": "a b"}, {"scanned_at": "now"}])
def test_an_invalid_scan_is_refused(door, booking, fields):
    answer = scan(door, booking, **fields)
    assert (answer.status_code, answer.json()["ok"], answer.json()["code"]) == (400, False, "invalid")


# --- Undoing ----------------------------------------------------------------------------------


def undo(door, booking, **fields):
    form = {"booking": booking.pk, "reason": "Wrong ticket", "nonce": "u"} | fields
    return door.post(path(booking.show, "undo/"), form).json()


def test_an_admission_is_undone_with_a_reason(door, booking):
    scan(door, booking)
    assert undo(door, booking) == {"ok": True, "seat": "A5", "detail": "The admission was undone."}
    assert stored(booking) == [("in", ""), ("undo", "Wrong ticket")]


def test_an_undo_needs_a_reason(door, booking):
    assert undo(door, booking, reason="")["detail"] == "Enter a reason."


# --- The list ---------------------------------------------------------------------------------


def test_the_list_has_the_seats_and_the_recent_scans(door, person, booking, pair):
    now = timezone.now()
    admit(booking, person, now=now, device="left")
    offline(booking, person, scanned_at=now, now=now)
    body = door.get(path(booking.show, "list/")).json()
    assert (body["sold"], body["admitted"]) == (2, 1)
    assert body["seats"] == {str(booking.pk): ["A5", 1, "admitted"], str(pair.pk): ["A6", 1, "expected"]}
    rows = [(row["seat"], row["what"], row["where"], row["undo"]) for row in body["scans"]]
    conflict = "Admitted, though already checked in"
    assert rows == [("A5", conflict, "door", True), ("A5", "Admitted", "left", False)]


def test_the_list_has_the_reason_for_undoing_an_admission(door, person, booking):
    scan(door, booking)
    undo(door, booking)
    assert door.get(path(booking.show, "list/")).json()["scans"][0]["what"] == "Undone: Wrong ticket"


def test_the_list_is_sent_again_only_after_a_change(door, booking):
    etag = door.get(path(booking.show, "list/"))["ETag"]
    assert door.get(path(booking.show, "list/"), headers={"If-None-Match": etag}).status_code == 304
    scan(door, booking)
    assert door.get(path(booking.show, "list/"), headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("seats", [1, 3])
def test_the_list_takes_the_same_queries_for_1_and_3_scans(door, person, show, seats, django_assert_num_queries):
    for number in range(seats):
        booking = make_booking(show=show, seat_number=1 + number, created_at=timezone.now())
        admit(booking, person, now=timezone.now())
    # Session, user, permissions; show, bookings, admissions; scans, bookings, admissions.
    with django_assert_num_queries(11):
        door.get(path(show, "list/"))


# --- Pictures ---------------------------------------------------------------------------------


def picture_of(text, scale=4):
    """Return the grey pixels of a QR code, and its width."""
    rows = [bytes(0 if dark else 255 for dark in row) for row in segno.make(text).matrix_iter(scale=scale, border=4)]
    return b"".join(rows), len(rows[0])


def read(door, show, pixels, width):
    form = {"width": width, "pixels": SimpleUploadedFile("pixels", pixels)}
    return door.post(path(show, "picture/"), form)


def test_a_qr_code_is_read_from_a_picture(door, show):
    assert read(door, show, *picture_of("a ticket")).json() == {"ok": True, "texts": ["a ticket"]}


def test_a_picture_without_a_qr_code_has_no_text(door, show):
    assert read(door, show, bytes(10_000), 100).json() == {"ok": True, "texts": []}


@pytest.mark.parametrize(("pixels", "width"), [(b"x" * 65_536, 1), (b"xyz", 2), (b"", 1), (b"x", "")])
def test_an_invalid_picture_is_refused(door, show, pixels, width):
    answer = read(door, show, pixels, width)
    assert (answer.status_code, answer.json()["advice"]) == (400, "")


def test_without_the_package_the_answer_explains_what_is_missing(door, show, monkeypatch):
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    assert "data-picture" not in door.get(path(show)).content.decode()
    answer = read(door, show, *picture_of("a ticket"))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_picture_reader")
