"""Takes the README's pictures of a local service with demo data.

`DOORS_OPEN_MINUTES=20160 make run`, then `make screenshot` beside it. The pictures of the ticket and the door book two
seats of a free show, and the one of the hall opens a till.
"""

import re
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import ARGUMENTS, CHROMIUM

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TOMORROW = date.today() + timedelta(days=1)  # noqa: DTZ011 (the service runs on this machine)


def swagger(page: Page) -> None:
    page.goto("/swagger/")
    expect(page.locator(".opblock").last).to_be_visible()


def plan(page: Page) -> None:
    page.goto(f"/admin/booking/show/plan/?day={TOMORROW}")


def open_till(page: Page) -> None:
    """Open the till of the member of staff, unless it is open."""
    page.goto("/admin/booking/till/add/")
    if page.get_by_label("Float").is_visible():
        page.get_by_label("Float").fill("100")
        page.get_by_role("button", name="Open the till").click()


def hall(page: Page) -> None:
    """Two seats about to be sold for cash, one of them to a child."""
    open_till(page)
    plan(page)
    page.get_by_role("region", name="Blue Room").get_by_role("listitem").first.click()
    for seat in ("C6", "C7"):
        page.locator(f"#hall-grid [title^='{seat},']").click()
    page.keyboard.press("2")
    page.get_by_label("Given").fill("50")
    page.get_by_role("heading", level=1).scroll_into_view_if_needed()


def plan_editor(page: Page) -> None:
    page.goto("/admin/booking/screen/")
    page.get_by_role("link", name="Blue Room").click()
    expect(page.locator("#plan-hall")).to_be_visible()


def call(page: Page, path: str, token: str = "", **body: Any) -> Any:
    """Return the answer of the API; with a body it is a POST."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = page.request
    answer = request.post(path, headers=headers, data=body) if body else request.get(path, headers=headers)
    return answer.json()


def book_ticket(page: Page) -> tuple[int, Any]:
    """Return a show that is free, and a ticket for it of a new customer."""
    customer = {"username": f"picture-{time.time_ns()}", "password": "red-velvet-seats"}
    call(page, "/api/signup/", **customer)
    token = call(page, "/api/token/", **customer)["access"]
    shows = call(page, f"/api/shows/?date={TOMORROW}")["results"]
    show = next(show["id"] for show in shows if show["screen"]["name"] == "Studio")
    order = call(page, f"/api/shows/{show}/book-seats/", token, count=2)
    tickets = call(page, f"/api/orders/{order['reference']}/tickets/", token)["tickets"]
    return show, tickets[0]


def ticket(page: Page) -> None:
    page.goto(book_ticket(page)[1]["url"])
    page.get_by_text("Stored on this device").wait_for()


def door(page: Page) -> None:
    show, booked = book_ticket(page)
    page.goto(f"/admin/booking/show/{show}/door/")
    expect(page.locator("#door-sold")).to_have_text(re.compile("[0-9]"))
    page.keyboard.type(booked["ticket"])
    page.keyboard.press("Enter")
    expect(page.locator("#door-name")).to_have_text("Go")


def reports(page: Page) -> None:
    page.goto("/admin/booking/booking/reports/")


# The page of each picture, and the picture's width and height.
PICTURES = {
    "swagger": (swagger, 1200, 1350),
    "plan": (plan, 1200, 1110),
    "hall": (hall, 1200, 940),
    "plan-editor": (plan_editor, 1200, 1000),
    "ticket": (ticket, 390, 800),
    "door": (door, 600, 800),
    "reports": (reports, 1200, 1000),
}


def take(browser: Browser, url: str) -> None:
    page = browser.new_page(base_url=url, locale="en-GB")
    page.goto("/admin/")
    page.get_by_label("Username:").fill("admin")
    page.get_by_label("Password:").fill("admin")
    page.get_by_role("button", name="Log in").click()
    for name, (open_page, width, height) in PICTURES.items():
        page.set_viewport_size({"width": width, "height": height})
        open_page(page)
        page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    with sync_playwright() as playwright:
        take(playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS), sys.argv[1])
