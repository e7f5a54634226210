"""axe-core finds no serious fault on any page, in light and dark mode."""

from datetime import datetime, timezone
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from booking.models import Booking, Order, User
from booking.services import ticket_path
from tests.door import admit
from tests.factories import (
    make_block,
    make_booking,
    make_movie,
    make_price_list,
    make_screen,
    make_show,
    make_ticket_type,
)
from tests.tills import make_priced_show, till_of

pytestmark = pytest.mark.django_db(transaction=True)

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# A rule that is off by default: the accessible name of a control contains its visible text.
RUN = "axe.run(document, {rules: {'label-content-name-mismatch': {enabled: true}}})"
# Fields whose content the browser would refuse although nobody has changed it; a form could not be sent.
REFUSED = """[...document.querySelectorAll("input, select, textarea")]
  .filter((field) => field.value && !field.validity.valid).map((field) => field.name)"""
STAFF_PAGES = {
    "index": "/admin/",
    "movies": "/admin/booking/movie/",
    "screens": "/admin/booking/screen/",
    "add a screen": "/admin/booking/screen/add/",
    "shows": "/admin/booking/show/",
    "bookings": "/admin/booking/booking/",
    "orders": "/admin/booking/order/",
    "users": "/admin/booking/user/",
    "add a show": "/admin/booking/show/add/",
    "payments": "/admin/booking/payment/",
    "payments by clerk": "/admin/booking/payment/payments-and-refunds/",
    "refunds": "/admin/booking/refund/",
    "tills": "/admin/booking/till/",
    "open a till": "/admin/booking/till/add/",
    "tasks": "/admin/django_tasks_database/dbtaskresult/",
    "doors": "/admin/booking/show/door/",
    "admissions": "/admin/booking/booking/admissions/",
    "plan": "/admin/booking/show/plan/?day=2099-06-01",
    "copy": "/admin/booking/show/copy/?day=2099-06-01",
    "reports": "/admin/booking/booking/reports/?first_day=2099-06-01&last_day=2099-06-03",
}
PUBLIC_PAGES = {"start": "/", "login": "/admin/login/"}


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def show(live_server):
    screen = make_screen(name="Big", turnaround_minutes=20)
    starts_at = datetime(2099, 6, 1, 14, tzinfo=timezone.utc)
    show = make_show(starts_at=starts_at, movie=make_movie(title="Alien"), screen=screen)
    make_booking(show=show)
    make_block(show=show, seat_number=7)
    return show


@pytest.fixture
def order(live_server):
    """An order of a seat that costs something."""
    adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
    show = make_show(price_list=make_price_list({("S", adult): 12, ("S", child): 8}))
    make_booking(show=show, ticket_type=adult, price=12)
    return Order.objects.get()


@pytest.fixture(params=["light", "dark"])
def seen(request, page):
    page.emulate_media(color_scheme=request.param)
    return page


def serious(page):
    """Return the serious findings: rule, element and reason, and the names of fields that the browser refuses."""
    page.evaluate(AXE)
    return page.evaluate(REFUSED) + [
        (found["id"], node["target"], node["failureSummary"])
        for found in page.evaluate(RUN)["violations"]
        if found["impact"] in {"serious", "critical"}
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("name", STAFF_PAGES)
def test_the_pages_of_staff_are_accessible(seen, boss, show, name):
    seen.goto(STAFF_PAGES[name])
    assert serious(seen) == []


def test_the_hall_is_accessible(seen, boss, show):
    seen.goto(f"/admin/booking/show/{show.pk}/change/")
    seen.locator("#hall-grid [role='gridcell']").first.click()
    assert serious(seen) == []


def prices():
    return {("S", ticket_type): 12 for ticket_type in (make_ticket_type(), make_ticket_type())}


@pytest.mark.parametrize("query", ["", "?percent=5&round_to=0.50&since=2099-06-01"])
def test_the_prices_of_a_used_list_are_accessible(seen, boss, query):
    price_list = make_price_list(prices())
    make_show(price_list=price_list, screen=make_screen(price_list=price_list))
    seen.goto(f"/admin/booking/pricelist/{price_list.pk}/change/{query}")
    expect(seen.get_by_role("button", name="Make a new version")).to_have_count(1 if query else 0)
    assert serious(seen) == []


def test_a_till_is_accessible(seen, boss):
    seen.goto(f"/admin/booking/till/{till_of(boss).pk}/change/")
    found = serious(seen)
    seen.get_by_role("link", name="Print").click()
    seen.get_by_text("Signature").wait_for()
    assert (found, serious(seen)) == ([], [])


def test_a_payment_in_the_hall_is_accessible(seen, boss):
    till_of(boss)
    seen.goto(f"/admin/booking/show/{make_priced_show().pk}/change/")
    seen.get_by_role("gridcell", name="A1, Standard").click()
    seen.get_by_label("Given").fill("10")
    seen.get_by_text("Missing 2.00 EUR").wait_for()
    assert serious(seen) == []


def test_a_payment_on_the_page_of_an_order_is_accessible(seen, boss, order):
    till_of(boss)
    seen.goto(f"/admin/booking/order/{order.pk}/change/")
    seen.get_by_label("Given").fill("10")
    seen.get_by_text("Missing 2.00 EUR").wait_for()
    found = serious(seen)
    seen.get_by_role("button", name="Take card").click()
    seen.get_by_text("Took 12.00 EUR by card.").wait_for()
    found += serious(seen)
    seen.get_by_role("button", name="Receipt").click()
    seen.get_by_role("heading", name="Receipt").wait_for()
    assert (found, serious(seen)) == ([], [])


def test_the_hall_with_prices_is_accessible(seen, boss):
    show = make_show(layout="SS", price_list=make_price_list(prices()))
    seen.goto(f"/admin/booking/show/{show.pk}/change/")
    seen.locator("#hall-grid [role='gridcell']").first.click()
    expect(seen.locator("#hall-tickets select")).to_be_visible()
    assert serious(seen) == []


def test_an_order_and_the_question_before_a_change_are_accessible(seen, boss, order):
    seen.goto(f"/admin/booking/order/{order.pk}/change/")
    found = serious(seen)
    seen.get_by_label("Ticket type of A1").select_option(index=1)
    seen.get_by_role("button", name="Change ticket types").click()
    seen.get_by_text("The order will cost").wait_for()
    assert (found, serious(seen)) == ([], [])


def test_the_question_before_seats_are_cancelled_is_accessible(seen, boss, order):
    User.objects.update(email="ann@example.com")
    seen.goto(f"/admin/booking/order/{order.pk}/cancel/")
    expect(seen.get_by_label("Sentence for the mail")).to_be_visible()
    assert serious(seen) == []


def test_the_question_of_the_hall_is_accessible(seen, boss, order):
    User.objects.update(email="ann@example.com")
    seen.goto(f"/admin/booking/show/{order.show_id}/change/")
    seen.locator("#hall-grid [title^='A1,']").click()
    seen.get_by_role("button", name="Cancel the booking").click()
    expect(seen.get_by_label("Sentence for the mail")).to_be_visible()
    assert serious(seen) == []


@pytest.mark.parametrize("text", ["", "nonsense"])
def test_the_door_is_accessible(seen, boss, show, text):
    admit(show.bookings.get(seat_number=1), boss)
    seen.goto(f"/admin/booking/show/{show.pk}/door/")
    seen.locator("#door-scans td").first.wait_for()
    seen.keyboard.type(text)
    seen.keyboard.press("Enter")
    seen.locator("#door-answer.is-stop" if text else "#door-answer").wait_for()
    assert serious(seen) == []


@pytest.mark.parametrize("wrong", ["", "?"])
def test_the_editor_of_a_seat_plan_is_accessible(seen, boss, show, wrong):
    seen.goto(f"/admin/booking/screen/{show.screen_id}/change/")
    seen.get_by_role("gridcell", name="A1, Standard", exact=True).press(".")
    seen.get_by_role("gridcell", name="Row A, column 1, gap").wait_for()
    seen.locator("#id_layout").press_sequentially(wrong)
    seen.locator(f"#id_layout[aria-invalid='{'true' if wrong else 'false'}']").wait_for()
    assert serious(seen) == []


@pytest.mark.parametrize("is_valid", [True, False])
def test_the_page_of_a_ticket_is_accessible(seen, live_server, is_valid):
    booking = make_booking(price=12)
    path = ticket_path(booking=booking)
    Booking.objects.update(ticket_serial=1 if is_valid else 2)
    seen.goto(path)
    assert serious(seen) == []


@pytest.mark.parametrize("name", PUBLIC_PAGES)
def test_the_public_pages_are_accessible(seen, live_server, name):
    seen.goto(PUBLIC_PAGES[name])
    assert serious(seen) == []


def test_swagger_ui_is_accessible(seen, live_server):
    seen.goto("/swagger/")
    seen.locator(".opblock-post .opblock-summary").first.click()
    seen.locator(".opblock.is-open .btn.execute").first.wait_for()
    assert serious(seen) == []


def test_redoc_is_accessible(seen, live_server):
    seen.goto("/redoc/")
    seen.get_by_role("heading", name="Movie ticket booking").first.wait_for()
    assert serious(seen) == []
