"""Takes the README's pictures of a local service with demo data: `make run`, then `make screenshot` beside it."""

import sys
from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import CHROMIUM

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TOMORROW = date.today() + timedelta(days=1)  # noqa: DTZ011 (the service runs on this machine)


def swagger(page: Page) -> None:
    page.goto("/swagger/")
    expect(page.locator(".opblock").last).to_be_visible()


def plan(page: Page) -> None:
    page.goto(f"/admin/booking/show/plan/?day={TOMORROW}")


def hall(page: Page) -> None:
    """Two seats about to be sold, one of them to a child."""
    plan(page)
    page.get_by_role("region", name="Blue Room").get_by_role("listitem").first.click()
    for seat in ("C6", "C7"):
        page.locator(f"#hall-grid [title^='{seat},']").click()
    page.keyboard.press("2")
    page.get_by_role("heading", level=1).scroll_into_view_if_needed()


# What to open, and how high its picture is.
PICTURES = {"swagger": (swagger, 1350), "plan": (plan, 1110), "hall": (hall, 940)}


def take(browser: Browser, url: str) -> None:
    page = browser.new_page(base_url=url, locale="en-GB")
    page.goto("/admin/")
    page.get_by_label("Username:").fill("admin")
    page.get_by_label("Password:").fill("admin")
    page.get_by_role("button", name="Log in").click()
    for name, (open_page, height) in PICTURES.items():
        page.set_viewport_size({"width": 1200, "height": height})
        open_page(page)
        page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    with sync_playwright() as playwright:
        take(playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]), sys.argv[1])
