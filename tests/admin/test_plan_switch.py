"""Changing upcoming shows to their screen's new seat plan, and the pages of seat categories and ticket types."""

import pytest

from booking.models import SeatCategory, Show, TicketType
from tests.factories import make_block, make_booking, make_show, redraw
from tests.staff import page_messages, staff_with

OLD, NEW = "A SSSS\nB SSSS", "A SSSS\nB SS.SS\nC SSSS"
CATEGORIES = "/admin/booking/seatcategory/"


@pytest.fixture
def show(db):
    show = make_show(layout=OLD)
    redraw(show.screen, NEW)
    return show


def page_of(show):
    return f"/admin/booking/screen/{show.screen_id}/seat-plan/"


def previewed(staff, show):
    switches = staff.get(page_of(show)).context["switches"]
    return [(switch.show, list(switch.taken), labels) for switch, labels in switches]


def test_the_preview_lists_taken_seats_and_those_that_differ(staff, show):
    make_booking(show=show, seat_number=1)
    assert previewed(staff, show) == [(show, [1], "")]
    redraw(show.screen, "A SSS\nB SSSS")
    make_block(show=show, seat_number=4)
    assert previewed(staff, show) == [(show, [1, 4], "A4")]


def test_a_show_without_bookings_changes(staff, show):
    response = staff.post(page_of(show), {"chosen": show.pk})
    assert (page_messages(response), previewed(staff, show)) == (["1 show changed to the new seat plan."], [])
    assert Show.objects.get().total_seats == 12


def test_a_show_whose_taken_seat_differs_is_refused(staff, show):
    make_booking(show=show, seat_number=4)
    redraw(show.screen, "A SSS\nB SSSS")
    [message] = page_messages(staff.post(page_of(show), {"chosen": show.pk}))
    assert message.endswith("Taken seats have another label in the new plan or are missing: A4.")
    assert Show.objects.get().total_seats == 8


@pytest.mark.parametrize("chosen", ["", "0", "x", "9" * 20])
def test_nothing_changes_without_a_ticked_show(staff, show, chosen):
    response = staff.post(page_of(show), {"chosen": chosen})
    assert page_messages(response) == ["Tick the shows that get the new seat plan."]
    assert Show.objects.get().total_seats == 8


@pytest.mark.parametrize("screen", ["0", "x", "9" * 20, "999"])
def test_an_unknown_screen_is_not_found(staff, show, screen):
    assert staff.get(f"/admin/booking/screen/{screen}/seat-plan/").status_code == 404


def test_the_page_of_a_screen_links_to_its_upcoming_shows(staff, show):
    page = f"/admin/booking/screen/{show.screen_id}/change/"
    assert page_of(show) in staff.get(page).content.decode()
    viewer = staff_with("view_screen")
    assert page_of(show) not in viewer.get(page).content.decode()


# --- Seat categories and ticket types ---


def test_a_used_category_is_read_only_with_the_reason(staff, show):
    page = f"{CATEGORIES}{SeatCategory.objects.get(code='S').pk}/change/"
    response = staff.get(page)
    assert (response.context["has_change_permission"], "another letter" in response.content.decode()) == (False, True)
    assert staff.post(page, {"code": "S", "name": "Other", "colour": "#000000"}).status_code == 403


def test_a_used_category_is_not_deleted(staff, show):
    category = SeatCategory.objects.get(code="S")
    staff.post(f"{CATEGORIES}{category.pk}/delete/", {"post": "yes"})
    assert SeatCategory.objects.filter(pk=category.pk).exists()


def test_an_unused_category_is_changed_and_deleted(staff, db):
    category = SeatCategory.objects.create(code="q", name="Quiet")
    staff.post(f"{CATEGORIES}{category.pk}/change/", {"code": "q", "name": "Silent", "colour": "#112233"})
    category.refresh_from_db()
    assert (category.name, category.colour) == ("Silent", "#112233")
    staff.post(f"{CATEGORIES}{category.pk}/delete/", {"post": "yes"})
    assert not SeatCategory.objects.filter(code="q").exists()


def test_a_ticket_type_is_added_with_its_position(staff, db):
    form = {"name": "Pensioner", "description": "From 65", "position": 7, "is_active": "on"}
    staff.post("/admin/booking/tickettype/add/", form)
    assert TicketType.objects.values_list("position", "is_active").get(name="Pensioner") == (7, True)
