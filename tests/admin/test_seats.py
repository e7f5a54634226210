"""Blocking and unblocking seats on the forms of the admin."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from booking.models import Booking, User
from tests.factories import STARTS_AT, make_block, make_booking, make_hold, make_show, make_user
from tests.staff import BOOKINGS, SHOWS, act, page_messages


def block(client, show, seats="A1", reason="House seats"):
    return act(client, SHOWS, "block", [show], confirmed="yes", seats=seats, reason=reason)


def unblock(client, show, seats="A1"):
    return act(client, SHOWS, "unblock", [show], confirmed="yes", seats=seats)


def blocked(show):
    return list(show.bookings.filter(status="blocked").order_by("pk").values_list("seat_number", flat=True))


def errors(response):
    """Return the errors of the form in the response."""
    return dict(response.context["form"].errors)


# --- Keeping seats from sale ------------------------------------------------------------------


@pytest.mark.parametrize(("action", "fields"), [("block", ["seats", "reason"]), ("unblock", ["seats"])])
def test_the_form_opens_and_changes_nothing_yet(staff, show, action, fields):
    response = act(staff, SHOWS, action, [show], seats="A1", reason="Broken")
    assert (list(response.context["form"].fields), response.context["form"].is_bound) == (fields, False)
    assert Booking.objects.count() == 0


def test_seats_are_blocked_with_a_reason(staff, show):
    response = block(staff, show, "A1, B3-B6", "Broken")
    assert page_messages(response) == ["Blocked A1, B3, B4, B5, B6 (Broken)."]
    assert blocked(show) == [1, 13, 14, 15, 16]
    assert set(show.bookings.values_list("user", "reason")) == {(None, "Broken")}


def test_the_history_has_the_user_who_blocked_seats(staff, show):
    block(staff, show, "A1", "Broken")
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("boss", str(show.pk))
    assert entry.get_change_message() == "Blocked A1 (Broken)."


@pytest.mark.parametrize(
    ("seats", "numbers"),
    [
        ("A1", [1]),
        ("a1", [1]),
        ("  b10 ", [20]),
        ("E10", [50]),
        ("A1,A3", [1, 3]),
        ("A3 A1;B1\tB2\nA2", [3, 1, 11, 12, 2]),
        ("A1, a1, A1-A2", [1, 2]),
        ("B1-B10", list(range(11, 21))),
        ("b3-b3", [13]),
        ("A1-A3, A2-A4", [1, 2, 3, 4]),
    ],
)
def test_seats_are_read_as_people_write_them(staff, show, seats, numbers):
    block(staff, show, seats)
    assert blocked(show) == numbers


@pytest.mark.parametrize(
    "part",
    [
        "1",
        "A",
        "A0",
        "A11",
        "A01",
        "X",
        "-A1",
        "A1-A11",
        "A1-3",
        "A1-A2-A3",
        "A1\u2013A3",
        "A1.",
        "Ä1",
        "*",
        "A1-*",
        "AAAAA1",
    ],
)
def test_an_unknown_seat_is_refused_on_the_form(staff, show, part):
    response = block(staff, show, f"B1, {part}")
    assert errors(response) == {"seats": [f"{part} is not a seat. Enter seats such as A1, B3-B6, C12."]}
    assert blocked(show) == []


@pytest.mark.parametrize("part", ["A3-A1", "B1-A1", "A1-B1", "A1-E10"])
def test_an_invalid_range_is_refused_on_the_form(staff, show, part):
    assert errors(block(staff, show, part)) == {"seats": [f"{part} is not a range of seats in one row."]}
    assert blocked(show) == []


def test_a_part_of_two_rows_is_refused_on_the_form(staff, show):
    assert errors(block(staff, show, "A9-B2")) == {"seats": ["A9-B2 is not a range of seats in one row."]}


def test_a_part_without_an_end_is_refused_on_the_form(staff, show):
    assert errors(block(staff, show, "A1-")) == {"seats": ["A1- is not a seat. Enter seats such as A1, B3-B6, C12."]}


@pytest.mark.parametrize("text", ["a1 - a3", "A1-A3", "A1,A2 ; a3"])
def test_seats_may_be_entered_in_several_ways(staff, show, text):
    block(staff, show, text)
    assert blocked(show) == [1, 2, 3]


def test_letters_of_other_alphabets_are_not_rows(staff, show):
    message = "\u01311 is not a seat. Enter seats such as A1, B3-B6, C12."
    assert errors(block(staff, show, "\u01311")) == {"seats": [message]}


def test_a_comma_at_the_end_does_no_harm(staff, show):
    block(staff, show, "A1, A2,")
    assert blocked(show) == [1, 2]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"seats": ""}, ["seats"]),
        ({"reason": ""}, ["reason"]),
        ({"seats": " ", "reason": " "}, ["seats", "reason"]),
        ({"seats": "A1 " * 200}, ["seats"]),
        ({"reason": "x" * 201}, ["reason"]),
        ({"seats": "A1\0"}, ["seats"]),
        ({"reason": "\0"}, ["reason"]),
    ],
)
def test_seats_and_a_reason_have_to_be_given(staff, show, fields, names):
    assert list(errors(block(staff, show, **fields))) == names
    assert blocked(show) == []


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_the_form_refuses_taken_seats_and_keeps_the_input(staff, show, make):
    for seat_number in (1, 11):
        make(show=show, seat_number=seat_number)
    response = block(staff, show, "A1-A3, B1", "Broken")
    assert errors(response) == {"__all__": ["Seats A1, B1 are already taken. Nothing was changed."]}
    values = {name: response.context["form"][name].value() for name in ("seats", "reason")}
    assert (values, show.bookings.count()) == ({"seats": "A1-A3, B1", "reason": "Broken"}, 2)


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"cancelled_at": STARTS_AT}, "This show has been cancelled."),
        ({"starts_at": STARTS_AT.replace(year=2020)}, "This show has already started."),
    ],
)
def test_a_show_whose_seats_can_not_be_blocked_is_refused_on_the_form(staff, fields, detail):
    show = make_show(**fields)
    assert errors(block(staff, show, "A10")) == {"__all__": [f"{detail} Nothing was changed."]}
    assert (blocked(show), LogEntry.objects.count()) == ([], 0)


def test_a_seat_whose_hold_has_expired_can_be_blocked(staff, show):
    make_hold(show=show, seat_number=1, expires_at=timezone.now() - timedelta(minutes=1))
    block(staff, show)
    assert blocked(show) == [1]


# --- Putting them back ------------------------------------------------------------------------


def test_seats_are_unblocked(staff, show):
    for seat_number in (1, 2, 3):
        make_block(show=show, seat_number=seat_number)
    response = unblock(staff, show, "a1-a2")
    assert (page_messages(response), blocked(show)) == (["Unblocked A1, A2."], [3])
    assert LogEntry.objects.get().get_change_message() == "Unblocked A1, A2."


@pytest.mark.parametrize("seats", ["A1-A3", "A1, E9"])
def test_seats_are_all_unblocked_or_none(staff, show, seats):
    make_block(show=show, seat_number=1)
    make_booking(show=show, seat_number=2)
    missing = {"A1-A3": "A2, A3", "A1, E9": "E9"}[seats]
    assert errors(unblock(staff, show, seats)) == {"__all__": [f"Not blocked: {missing}. Nothing was changed."]}
    assert (blocked(show), LogEntry.objects.count()) == ([1], 0)


def test_an_unknown_seat_can_not_be_unblocked(staff, show):
    assert list(errors(unblock(staff, show, "X"))) == ["seats"]


def test_seats_of_a_started_show_can_be_unblocked(staff):
    show = make_show(starts_at=STARTS_AT.replace(year=2020))
    make_block(show=show)
    unblock(staff, show)
    assert blocked(show) == []


@pytest.mark.parametrize("action", ["block", "unblock"])
def test_the_form_lists_the_blocked_seats(staff, show, action):
    make_block(show=show, seat_number=12, reason="House <b>")
    make_block(show=show, seat_number=2, reason="Broken")
    make_block(show=make_show(), seat_number=3)
    response = act(staff, SHOWS, action, [show])
    text = "Such as A1, B3-B6, C12. Currently blocked: A2 (Broken), B2 (House <b>)"
    assert response.context["form"].fields["seats"].help_text == text
    assert "B2 (House &lt;b&gt;)" in response.content.decode()


# --- Who may do it, and where it shows --------------------------------------------------------


@pytest.mark.parametrize("action", ["block", "unblock"])
@pytest.mark.parametrize("confirmed", [{}, {"confirmed": "yes"}])
def test_seats_of_one_show_are_changed_at_a_time(staff, show, action, confirmed):
    make_block(show=show)
    shows = [show, make_show()]
    response = act(staff, SHOWS, action, shows, seats="A1", reason="Broken", **confirmed)
    assert (page_messages(response), [blocked(one) for one in shows]) == (["Select one show."], [[1], []])


def test_the_box_office_can_neither_block_nor_unblock_seats(box_office, show):
    block(box_office, show, "A1")
    assert blocked(show) == []
    make_block(show=show, seat_number=1)
    unblock(box_office, show, "A1")
    assert blocked(show) == [1]
    page = box_office.get(SHOWS).content.decode()
    assert ("Block seats" in page, "Unblock seats" in page) == (False, False)


@pytest.mark.parametrize(("right", "offered"), [("change_show", True), ("add_show", False)])
def test_staff_who_may_change_shows_may_block_seats(show, right, offered):
    user = make_user(username="planner", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_show", right]))
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    block(client, show)
    assert blocked(show) == ([1] if offered else [])


def test_blocked_seats_are_not_listed_as_bookings(staff, box_office, show):
    booking, row = make_booking(show=show, seat_number=1), make_block(show=show, seat_number=2)
    for client in (staff, box_office):
        assert list(client.get(BOOKINGS).context["cl"].result_list) == [booking]
        assert list(client.get(BOOKINGS, {"q": row.reference}).context["cl"].result_list) == []


def test_blocked_seats_are_not_counted_as_sold(staff, show):
    make_block(show=show)
    assert "0 of 50" in staff.get(SHOWS).content.decode()
