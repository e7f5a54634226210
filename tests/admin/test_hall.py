"""The hall on a show's page in the admin: the page, its data, and the permissions."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from booking.models import User
from tests.admin.hall import CUSTOMERS, act, block, detail, hall_of, hold, page_of
from tests.factories import make_booking, make_show
from tests.staff import signed_in_as, staff_with

# --- The page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["staff", "box_office"])
def test_the_page_of_a_show_has_its_hall_for_staff_who_may_change_or_view_it(request, who, show):
    page = request.getfixturevalue(who).get(page_of(show)).content.decode()
    assert f'data-hall="{hall_of(show)}"' in page


@pytest.mark.parametrize("path", ["/admin/booking/show/add/", "/admin/booking/show/{}/change/?_popup=1"])
def test_new_shows_and_popups_have_no_hall(staff, show, path):
    assert "hall.js" not in staff.get(path.format(show.pk)).content.decode()


def test_the_page_explains_what_to_do_without_javascript(box_office, show):
    page = box_office.get(page_of(show)).content.decode()
    assert '<a href="/admin/booking/booking/">Bookings</a> page.' in page


def test_the_page_has_no_inline_script(box_office, show):
    assert "<script>" not in box_office.get(page_of(show)).content.decode()


# --- The plan of the hall ---------------------------------------------------------------------


def test_a_hall_links_to_its_seat_plan(box_office):
    show = make_show(layout="SS.SS\nWW")
    plan = box_office.get(box_office.get(hall_of(show)).json()["plan"]).json()
    assert [(row["label"], [seat["x"] for seat in row["seats"]]) for row in plan["rows"]] == [
        ("A", [0, 1, 3, 4]),
        ("B", [0, 1]),
    ]


def test_staff_who_may_view_bookings_see_the_customer_of_a_seat(box_office, show, user):
    booking, held = make_booking(show=show, user=user), hold(show, user, 2)
    block(show, 3)
    esha = {"user": "esha"}
    assert box_office.get(hall_of(show)).json()["taken"] == {
        "1": esha
        | {"state": "sold", "title": f"sold to esha, {booking.reference}", "reference": booking.reference}
        | {"booking": booking.pk, "url": f"/admin/booking/booking/{booking.pk}/change/"},
        "2": esha
        | {"state": "held", "title": f"held by esha until 17:00, {held.reference}", "reference": held.reference}
        | {"booking": held.pk, "url": f"/admin/booking/booking/{held.pk}/change/"},
        "3": {"state": "blocked", "title": "blocked: broken"},
    }


def test_staff_who_may_unblock_get_the_id_of_a_block(staff, show):
    block(show, 3)
    blocked = {"state": "blocked", "title": "blocked: broken", "booking": show.bookings.get().pk}
    assert staff.get(hall_of(show)).json()["taken"] == {"3": blocked}


def test_a_hall_that_has_not_changed_is_not_sent_again(box_office, show):
    etag = box_office.get(hall_of(show))["ETag"]
    assert box_office.get(hall_of(show), headers={"If-None-Match": etag}).status_code == 304
    make_booking(show=show)
    assert box_office.get(hall_of(show), headers={"If-None-Match": etag}).status_code == 200


def test_staff_who_may_not_view_bookings_see_only_the_status_of_a_seat(show, user):
    make_booking(show=show, user=user)
    hold(show, user, 2)
    block(show, 3)
    words = {"1": "sold", "2": "held", "3": "blocked"}
    hall = staff_with("view_show").get(hall_of(show)).json()
    assert hall["taken"] == {seat: {"state": word, "title": word} for seat, word in words.items()}


def test_the_seats_are_counted_and_an_expired_hold_is_free(box_office, show, user):
    make_booking(show=show, user=user)
    hold(show, user, 2, expires_at=timezone.now())
    block(show, 3)
    counts = box_office.get(hall_of(show)).json()["counts"]
    assert counts == {"free": 48, "sold": 1, "held": 0, "blocked": 1}


@pytest.mark.parametrize("sold", [1, 30])
def test_a_full_hall_costs_as_many_queries_as_an_empty_one(box_office, show, sold, django_assert_num_queries):
    for seat in range(1, sold + 1):
        make_booking(show=show, seat_number=seat)
    # Session, user, permissions, the show, its seats.
    with django_assert_num_queries(5):
        box_office.get(hall_of(show))


@pytest.mark.parametrize(
    ("fields", "closed"),
    [
        ({}, ""),
        ({"starts_at": timezone.now() - timedelta(minutes=5)}, "This show has already started."),
        ({"cancelled_at": timezone.now()}, "This show has been cancelled."),
    ],
)
def test_a_closed_hall_has_the_reason(box_office, fields, closed):
    assert box_office.get(hall_of(make_show(**fields))).json()["closed"] == closed


# --- Permissions ------------------------------------------------------------------------------

NOTHING = dict.fromkeys(("view", "sell", "sell-paid", "cancel", "move", "block", "unblock"), False)


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        (["view_show"], []),
        (["view_show", "view_booking"], ["view"]),
        (["view_show", "add_booking"], ["sell"]),
        (["view_show", "take_payment"], []),
        (["view_show", "add_booking", "take_payment"], ["sell", "sell-paid"]),
        # Cancelling needs the permission to view bookings.
        (["view_show", "cancel_booking"], []),
        (["view_show", "view_booking", "cancel_booking"], ["view", "cancel"]),
        (["view_show", "view_booking", "add_booking", "cancel_booking"], ["view", "sell", "cancel", "move"]),
        (["change_show"], ["block", "unblock"]),
    ],
)
def test_a_permission_allows_only_its_actions(show, user, permissions, may):
    client = staff_with(*permissions)
    assert client.get(hall_of(show)).json()["may"] == NOTHING | dict.fromkeys(may, True)
    statuses = {name: act(client, show, name).status_code for name in ("sell", "cancel", "move", "block", "unblock")}
    # 400: allowed, but the form is incomplete.
    assert statuses == {name: 400 if name in may else 403 for name in statuses}


@pytest.mark.parametrize("permissions", [[], ["add_booking", "view_booking", "cancel_booking"]])
def test_staff_who_may_not_view_shows_see_no_hall(show, permissions):
    client = staff_with(*permissions)
    answers = [client.get(hall_of(show)), act(client, show, "sell")]
    assert [detail(answer) for answer in answers] == [(403, "You may not see this show.")] * 2


def test_seats_of_a_cancelled_show_are_not_blocked(staff):
    show = make_show(cancelled_at=timezone.now())
    assert detail(act(staff, show, "block", seats="1", reason="x")) == (403, "You may not do this.")


def test_a_customer_is_redirected_to_the_login(show, user):
    answers = [signed_in_as(user).get(path) for path in (hall_of(show), CUSTOMERS)]
    assert [answer.status_code for answer in answers] == [302, 302]


def test_a_change_without_a_csrf_token_is_refused(show):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss"))
    assert act(client, show, "block", seats="1", reason="x").status_code == 403
    assert not show.bookings.exists()


@pytest.mark.parametrize("object_id", ["999", "x", str(10**30)])
def test_the_hall_of_a_missing_show_is_not_found(staff, object_id):
    answer = staff.get(f"/admin/booking/show/{object_id}/hall/")
    assert detail(answer) == (404, "There is no such show.")


def test_an_unknown_action_in_the_hall_is_not_found(staff, show):
    assert detail(act(staff, show, "paint")) == (404, "There is no such action.")


def test_halls_are_read_by_get_and_changed_by_post(staff, show):
    answers = [staff.post(hall_of(show)), staff.get(f"{hall_of(show)}sell/"), staff.post(CUSTOMERS)]
    assert [answer.status_code for answer in answers] == [405] * 3
