"""axe-core finds no serious fault on any page: of all kinds in light mode, of colours in dark mode."""

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
# A rule that is off by default: the accessible name of a control contains its visible text. Only colours differ in dark
# mode, and checking all rules takes three times as long.
OPTIONS = {
    "light": {"rules": {"label-content-name-mismatch": {"enabled": True}}},
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
}
# The colours of the other mode come gradually.
RUN = """options => {
  document.getAnimations().forEach((each) => each.cancel());
  return axe.run(document, { ...options, resultTypes: ["violations"] }).then((results) => results.violations);
}"""
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


def serious(page, schemes=OPTIONS):
    """Return the serious findings: rule, element and reason, and the names of fields that the browser refuses."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    violations = []
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        violations += page.evaluate(RUN, OPTIONS[scheme])
    return page.evaluate(REFUSED) + [
        (found["id"], node["target"], node["failureSummary"])
        for found in violations
        if found["impact"] in {"serious", "critical"}
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("name", STAFF_PAGES)
def test_the_pages_of_staff_are_accessible(page, boss, show, name):
    page.goto(STAFF_PAGES[name])
    assert serious(page) == []


def test_the_hall_is_accessible(page, boss, show):
    page.goto(f"/admin/booking/show/{show.pk}/change/")
    page.locator("#hall-grid [role='gridcell']").first.click()
    assert serious(page) == []


def prices():
    return {("S", ticket_type): 12 for ticket_type in (make_ticket_type(), make_ticket_type())}


@pytest.mark.parametrize("query", ["", "?percent=5&round_to=0.50&since=2099-06-01"])
def test_the_prices_of_a_used_list_are_accessible(page, boss, query):
    price_list = make_price_list(prices())
    make_show(price_list=price_list, screen=make_screen(price_list=price_list))
    page.goto(f"/admin/booking/pricelist/{price_list.pk}/change/{query}")
    expect(page.get_by_role("button", name="Make a new version")).to_have_count(1 if query else 0)
    assert serious(page) == []


def test_a_till_is_accessible(page, boss):
    page.goto(f"/admin/booking/till/{till_of(boss).pk}/change/")
    found = serious(page)
    page.get_by_role("link", name="Print").click()
    page.get_by_text("Signature").wait_for()
    assert (found, serious(page)) == ([], [])


def test_a_payment_in_the_hall_is_accessible(page, boss):
    till_of(boss)
    page.goto(f"/admin/booking/show/{make_priced_show().pk}/change/")
    page.get_by_role("gridcell", name="A1, Standard").click()
    page.get_by_label("Given").fill("10")
    page.get_by_text("Missing 2.00 EUR").wait_for()
    assert serious(page) == []


def test_a_payment_on_the_page_of_an_order_is_accessible(page, boss, order):
    till_of(boss)
    page.goto(f"/admin/booking/order/{order.pk}/change/")
    page.get_by_label("Given").fill("10")
    page.get_by_text("Missing 2.00 EUR").wait_for()
    found = serious(page)
    page.get_by_role("button", name="Take card").click()
    page.get_by_text("Took 12.00 EUR by card.").wait_for()
    found += serious(page)
    page.get_by_role("button", name="Receipt").click()
    page.get_by_role("heading", name="Receipt").wait_for()
    assert (found, serious(page)) == ([], [])


def test_the_hall_with_prices_is_accessible(page, boss):
    show = make_show(layout="SS", price_list=make_price_list(prices()))
    page.goto(f"/admin/booking/show/{show.pk}/change/")
    page.locator("#hall-grid [role='gridcell']").first.click()
    expect(page.locator("#hall-tickets select")).to_be_visible()
    assert serious(page) == []


def test_an_order_and_the_question_before_a_change_are_accessible(page, boss, order):
    page.goto(f"/admin/booking/order/{order.pk}/change/")
    found = serious(page)
    page.get_by_label("Ticket type of A1").select_option(index=1)
    page.get_by_role("button", name="Change ticket types").click()
    page.get_by_text("The order will cost").wait_for()
    assert (found, serious(page)) == ([], [])


def test_the_question_before_seats_are_cancelled_is_accessible(page, boss, order):
    User.objects.update(email="ann@example.com")
    page.goto(f"/admin/booking/order/{order.pk}/cancel/")
    expect(page.get_by_label("Sentence for the mail")).to_be_visible()
    assert serious(page) == []


def test_the_question_of_the_hall_is_accessible(page, boss, order):
    User.objects.update(email="ann@example.com")
    page.goto(f"/admin/booking/show/{order.show_id}/change/")
    page.locator("#hall-grid [title^='A1,']").click()
    page.get_by_role("button", name="Cancel the booking").click()
    expect(page.get_by_label("Sentence for the mail")).to_be_visible()
    assert serious(page) == []


def test_the_door_is_accessible(page, boss, show):
    admit(show.bookings.get(seat_number=1), boss)
    page.goto(f"/admin/booking/show/{show.pk}/door/")
    page.locator("#door-scans td").first.wait_for()
    found = serious(page)
    page.keyboard.type("nonsense")
    page.keyboard.press("Enter")
    page.locator("#door-answer.is-stop").wait_for()
    assert (found, serious(page)) == ([], [])


def test_the_editor_of_a_seat_plan_is_accessible(page, boss, show):
    page.goto(f"/admin/booking/screen/{show.screen_id}/change/")
    page.get_by_role("gridcell", name="A1, Standard", exact=True).press(".")
    page.get_by_role("gridcell", name="Row A, column 1, gap").wait_for()
    page.locator("#id_layout[aria-invalid='false']").wait_for()
    found = serious(page)
    page.locator("#id_layout").press_sequentially("?")
    page.locator("#id_layout[aria-invalid='true']").wait_for()
    assert (found, serious(page)) == ([], [])


def test_the_page_of_a_ticket_is_accessible(page, live_server):
    path = ticket_path(booking=make_booking(price=12))
    page.goto(path)
    found = serious(page)
    Booking.objects.update(ticket_serial=2)
    page.goto(path)
    assert (found, serious(page)) == ([], [])


@pytest.mark.parametrize("name", PUBLIC_PAGES)
def test_the_public_pages_are_accessible(page, live_server, name):
    page.goto(PUBLIC_PAGES[name])
    assert serious(page) == []


def test_swagger_ui_is_accessible(page, live_server):
    page.goto("/swagger/")
    page.locator(".opblock-post .opblock-summary").first.click()
    page.locator(".opblock.is-open .btn.execute").first.wait_for()
    assert serious(page) == []


def shorten(route):
    """Leave one operation of each method: Redoc draws all alike, and axe-core takes minutes for forty."""
    document = route.fetch().json()
    document["paths"] = {path: document["paths"][path] for path in ("/movies/", "/me/", "/shows/{id}/book/")}
    route.fulfill(json=document)


def test_redoc_is_accessible(page, live_server):
    page.route("**/redoc/?format=openapi", shorten)
    page.goto("/redoc/")
    page.get_by_role("heading", name="Movie ticket booking").first.wait_for()
    # It has no dark mode.
    assert serious(page, schemes=["light"]) == []
