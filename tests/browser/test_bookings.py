"""The bookings of the admin, in a browser: links, selling by label, and filters."""

import re

import pytest
from playwright.sync_api import expect

from booking.models import Booking, Show, User
from tests.factories import make_booking, make_show, make_user

pytestmark = pytest.mark.django_db(transaction=True)

BOOKINGS = "/admin/booking/booking/"


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def show(live_server) -> Show:
    return make_show()


@pytest.fixture
def esha(live_server) -> User:
    return make_user(username="esha", first_name="Esha", email="esha@example.com")


@pytest.fixture
def booking(show, esha) -> Booking:
    """A booking of seat A1; A2 has the same reference."""
    make_booking(show=show, user=esha, seat_number=2, reference="ACDEFGHJ")
    return make_booking(show=show, user=esha, seat_number=1, reference="ACDEFGHJ")


def follow(page, booking, link):
    page.goto(f"{BOOKINGS}{booking.pk}/change/")
    page.get_by_role("main").get_by_role("link", name=link, exact=True).click()


def seats():
    return sorted(Booking.objects.sold().values_list("seat_number", flat=True))


def test_a_booking_links_to_its_seat_in_the_hall(page, seller, booking):
    follow(page, booking, "Hall")
    expect(page.locator("#hall-chosen")).to_have_text("A1, sold to esha, ACDEFGHJ.")
    expect(page.locator("#hall-grid [title^='A1,']")).to_be_focused()


def test_a_booking_is_moved_by_two_clicks(page, seller, booking):
    follow(page, booking, "Move")
    expect(page.locator("#hall-chosen")).to_have_text(
        "Moving A1, sold to esha, ACDEFGHJ. Choose the free seat to move to."
    )
    page.locator("#hall-grid [title^='B2,']").click()
    expect(page.locator("#hall-message")).to_have_text("Moved esha, ACDEFGHJ, from A1 to B2.")
    assert seats() == [2, 12]


def test_a_link_to_a_booking_without_a_seat_has_a_message(page, seller, booking):
    page.goto(f"/admin/booking/show/{booking.show_id}/change/?booking=999&move=yes")
    expect(page.locator("#hall-message")).to_have_text("This booking has no seat any more.")
    expect(page.locator("#hall-chosen")).to_have_text("No seat is chosen.")


def test_a_booking_is_cancelled_after_a_question(page, seller, booking):
    follow(page, booking, "Cancel")
    expect(page.get_by_text("Do you want to cancel this booking?")).to_be_visible()
    page.get_by_role("link", name="No, take me back").click()
    page.get_by_role("link", name="Cancel all 2 seats").click()
    expect(page.get_by_text("Do you want to cancel these 2 bookings?")).to_be_visible()
    expect(page.get_by_text("2 seats, A1, A2 of esha, ACDEFGHJ")).to_be_visible()
    page.get_by_role("button", name="Cancel 2 bookings").click()
    expect(page.get_by_text("2 bookings cancelled.")).to_be_visible()
    expect(page).to_have_url(re.compile(f"/{booking.pk}/change/$"))
    assert seats() == []


def test_selected_bookings_are_cancelled_after_a_question(page, seller, booking):
    page.goto(BOOKINGS)
    for box in page.get_by_role("checkbox").all()[1:]:
        box.check()
    page.get_by_label("Action:").select_option("Cancel selected bookings")
    page.get_by_role("button", name="Go", exact=True).click()
    assert seats() == [1, 2]
    page.get_by_role("button", name="Cancel 2 bookings").click()
    expect(page.get_by_text("2 bookings cancelled.")).to_be_visible()
    assert seats() == []


def test_a_booking_links_to_its_order_and_its_show(page, seller, booking):
    page.goto(f"{BOOKINGS}{booking.pk}/change/")
    page.get_by_role("region", name="Other seats of ACDEFGHJ").get_by_role("link", name="ACDEFGHJ").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Booking ACDEFGHJ A2")
    page.get_by_role("link", name=str(booking.show)).click()
    expect(page.get_by_role("grid", name="Hall")).to_be_visible()


def test_a_booking_is_printed(page, seller, booking):
    page.add_init_script("window.prints = 0; window.print = () => { window.prints++; }")
    follow(page, booking, "Print")
    expect(page.get_by_text("A1, A2")).to_be_visible()
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.prints") == 2
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()


def test_a_seat_is_sold_by_its_label_to_a_customer_found_by_typing(page, seller, show, esha):
    make_user(username="bruno")
    page.goto(f"{BOOKINGS}add/")
    page.locator(".select2-selection").click()
    page.locator(".select2-search__field").fill(show.movie.title)
    page.get_by_role("option", name=str(show)).click()
    page.get_by_label("Seat:").fill("e5")
    customer = page.get_by_role("combobox", name="Customer:")
    customer.press_sequentially("@exam")
    customer.press("Enter")
    expect(customer).to_have_value("esha")
    customer.press("Enter")
    expect(page.locator("#hall-chosen")).to_have_text(re.compile("^E5, sold to esha, "))
    assert seats() == [45]


def test_bookings_are_filtered_by_day_and_show(page, seller, booking):
    make_booking(show=make_show(), reference="MNPQRTUV")
    page.goto(BOOKINGS)
    page.get_by_label("Day of the show").fill("2099-06-01")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("navigation", name="Filter").get_by_role("link", name=str(booking.show), exact=True).click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    expect(page.get_by_role("link", name="MNPQRTUV")).to_have_count(0)


def test_the_links_of_a_booking_leave_its_title_in_sight(page, boss, booking):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{BOOKINGS}{booking.pk}/change/")
    title, links = (page.locator(part).bounding_box() for part in ("#content h1", ".object-tools"))
    assert title["y"] + title["height"] <= links["y"]


def test_the_pages_fit_a_phone(page, seller, booking):
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("", "add/", "{pk}/change/", "{pk}/cancel/", "{pk}/cancel/?all=yes", "{pk}/print/"):
        page.goto(BOOKINGS + path.format(pk=booking.pk))
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
