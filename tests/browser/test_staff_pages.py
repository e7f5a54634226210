"""The front page, the day plan and the reports, in a browser: by mouse, by keyboard, on a phone, in the dark."""

import csv
import re
from datetime import datetime, timedelta, timezone

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.utils import timezone as django_timezone
from playwright.sync_api import expect

from booking.middleware import CONTENT_SECURITY_POLICY
from booking.models import Movie, Show
from tests.factories import (
    make_booking,
    make_movie,
    make_price_list,
    make_screen,
    make_show,
    make_ticket_type,
    make_user,
    redraw,
)

pytestmark = pytest.mark.django_db(transaction=True)

FRONT_PAGE = "/admin/"
PLAN = "/admin/booking/show/plan/?day=2099-06-01"
REPORTS = "/admin/booking/booking/reports/?first_day=2099-06-01&last_day=2099-06-03"
PAGES = {"front page": FRONT_PAGE, "plan": PLAN, "reports": REPORTS}


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def alien(live_server) -> Show:
    """A show on 1 June 2099, 14:00, with 2 of 50 seats sold."""
    show = make_show(starts_at=at(14), movie=make_movie(title="Alien"), screen=make_screen(name="Big"))
    for seat in (1, 2):
        make_booking(show=show, seat_number=seat)
    return show


def at(hour, day=1):
    return datetime(2099, 6, day, hour, tzinfo=timezone.utc)


def heading(page):
    return page.get_by_role("heading", level=1)


def test_the_pages_come_with_the_strict_policy(page, boss):
    assert page.goto(FRONT_PAGE).headers["content-security-policy"] == CONTENT_SECURITY_POLICY


# --- Day plan ---


def test_the_plan_links_to_the_previous_and_next_day(page, boss, alien):
    page.goto(PLAN)
    expect(heading(page)).to_have_text("Plan for Monday 1 June 2099")
    page.get_by_role("link", name="Tue 2 Jun").click()
    expect(heading(page)).to_have_text("Plan for Tuesday 2 June 2099")
    expect(page.get_by_text("No shows are planned for this day.")).to_be_visible()
    page.get_by_role("link", name="Mon 1 Jun").click()
    expect(page.get_by_role("link", name="Alien")).to_be_visible()
    page.get_by_role("link", name="Today", exact=True).click()
    expect(page.get_by_label("Day:")).to_have_value(f"{django_timezone.localdate()}")


def test_a_day_is_chosen_in_the_calendar(page, boss, alien):
    page.goto("/admin/booking/show/plan/")
    page.get_by_label("Day:").fill("2099-06-01")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(heading(page)).to_have_text("Plan for Monday 1 June 2099")


def test_a_show_in_the_plan_links_to_its_hall(page, boss, alien):
    page.goto(PLAN)
    page.get_by_role("region", name="Big").get_by_role("link", name="14:00\u201316:00 Alien 2 of 50 seats sold").click()
    expect(page).to_have_url(re.compile(f"/admin/booking/show/{alien.pk}/change/$"))
    expect(page.get_by_role("grid", name="Hall")).to_be_visible()


def test_blocks_are_drawn_to_scale(page, boss, alien):
    make_show(starts_at=at(17), ends_at=at(18), screen=alien.screen)
    page.goto(PLAN)
    first, second = (block.bounding_box() for block in page.locator(".plan-screen li").all())
    assert first["height"] == pytest.approx(2 * second["height"], abs=1)
    assert second["y"] - first["y"] == pytest.approx(3 * second["height"], abs=1)


# --- Reports ---


def test_a_period_is_chosen(page, boss, alien):
    page.goto("/admin/booking/booking/reports/")
    expect(page.get_by_text("No shows start in this period.")).to_be_visible()
    page.get_by_label("First day:").fill("2099-06-01")
    page.get_by_label("Last day:").fill("2099-06-03")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".totals")).to_have_text(re.compile(r"Seats sold\s*2\s*Seats on offer\s*50\s*Full\s*4%"))
    chart = page.get_by_role("img", name="Seats sold by day; the table below has the numbers")
    expect(chart.locator(".chart-bars b")).to_have_text(["2"])


def test_a_phone_shows_the_bar_and_the_number_of_each_day(page, boss, alien):
    make_booking(show=make_show(starts_at=at(18, day=30), screen=alien.screen))
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/admin/booking/booking/reports/?first_day=2099-06-01&last_day=2099-07-01")
    for number in page.locator(".chart-bars b").all():
        number.scroll_into_view_if_needed()
        expect(number).to_be_in_viewport(ratio=1)
    expect(page.locator(".chart-bars b")).to_have_text(["2", "1"])
    assert page.locator(".chart").evaluate("chart => chart.scrollWidth - chart.clientWidth") == 0


def test_a_period_that_ends_before_it_begins_is_refused(page, boss, alien):
    page.goto(REPORTS)
    page.get_by_label("Last day:").fill("2099-05-31")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("The last day is before the first day.")).to_be_visible()


def test_the_keyboard_unfolds_the_numbers_of_each_day(page, boss, alien):
    page.goto(REPORTS)
    page.get_by_text("Numbers of each day").focus()
    page.keyboard.press("Enter")
    rows = page.get_by_role("region", name="Seats sold by day").get_by_role("rowheader")
    expect(rows).to_have_text(["Mon 1 Jun 2099", "Tue 2 Jun 2099", "Wed 3 Jun 2099"])


def test_a_table_is_downloaded_without_formulas(page, boss, live_server):
    make_show(starts_at=at(14), movie=make_movie(title="=1+1"), screen=make_screen(name="@Big"))
    page.goto(REPORTS)
    with page.expect_download() as download:
        page.locator("[href*='/shows.csv']").click()
    assert download.value.suggested_filename == "shows-2099-06-01-to-2099-06-03.csv"
    with download.value.path().open(encoding="utf-8-sig", newline="") as lines:
        assert list(csv.reader(lines))[1][:4] == ["2099-06-01", "14:00", "'=1+1", "'@Big"]


# --- Front page ---


def test_the_front_page_links_to_shows_the_plan_and_the_reports(page, boss, live_server):
    show = make_show(starts_at=django_timezone.now(), movie=make_movie(title="Alien"))
    page.goto(FRONT_PAGE)
    for name, path in (("Alien", f"/show/{show.pk}/change/"), ("Day plan", "/show/plan/"), ("Reports", "/reports/")):
        page.get_by_role("main").get_by_role("link", name=name, exact=True).click()
        expect(page).to_have_url(re.compile(f"{path}$"))
        page.go_back()


def test_the_front_page_lists_nearly_full_shows(page, boss, live_server):
    show = make_show(starts_at=django_timezone.now() + timedelta(days=2), total_seats=1)
    make_booking(show=show, created_at=django_timezone.now())
    page.goto(FRONT_PAGE)
    expect(page.get_by_role("region", name="Nearly full").get_by_role("listitem")).to_contain_text(["1 of 1"])
    expect(page.get_by_role("region", name="Sold today")).to_contain_text("1 seat sold so far.")


# --- Every size and look ---

# Text with too little contrast to its background (WCAG AA); large text needs less.
HARD_TO_READ = r"""root => {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((n) => n / 255).map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour[3] !== 0) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const hard = [];
  // The colours of the other mode come gradually.
  document.getAnimations().forEach((each) => each.cancel());
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest("svg")) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(channels(style.color).slice(0, 3)), light(behind(element))];
    const ratio = Math.max(one, other) / Math.min(one, other);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) hard.push([texts.currentNode.data.trim(), ratio]);
  }
  return hard;
}"""


def expect_fitting_and_readable(page):
    """Look at the page on a desk and on a phone, in light and dark mode."""
    for width in (1200, 390):
        page.set_viewport_size({"width": width, "height": 800})
        # A table that is wider scrolls in its own box.
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.locator("#content").evaluate(HARD_TO_READ) == []


@pytest.mark.parametrize("name", PAGES)
def test_each_page_fits_and_has_enough_contrast(page, boss, alien, name):
    now = django_timezone.now()
    long = make_movie(title="The Assassination of Jesse James by the Coward Robert Ford " * 2)
    make_show(starts_at=at(18), movie=long, screen=alien.screen, cancelled_at=now)
    make_booking(show=make_show(starts_at=now, movie=long, screen=make_screen(name="W" * 50), total_seats=1))
    page.goto(PAGES[name])
    expect_fitting_and_readable(page)


# The targets of touches except for links within sentences (WCAG 2.2 AA).
SMALL = """root => [...root.querySelectorAll("a, button, input, summary")]
  .filter((each) => each.checkVisibility() && !each.closest("p:not(.download)"))
  .filter((each) => each.getBoundingClientRect().height < 24)
  .map((each) => each.textContent)"""


def test_links_and_buttons_are_large_enough_for_touch(page, boss, alien):
    page.set_viewport_size({"width": 390, "height": 800})
    make_show(starts_at=django_timezone.now())
    for path in PAGES.values():
        page.goto(path)
        assert page.locator("#content-main, .front-page").first.evaluate(SMALL) == []


def test_the_focus_is_visible(page, boss, alien):
    page.goto(PLAN)
    page.get_by_role("link", name="Add a show on Big").focus()
    page.keyboard.press("Tab")
    block = page.get_by_role("region", name="Big").get_by_role("link", name="Alien")
    expect(block).to_be_focused()
    expect(block).to_have_css("outline-style", "solid")


# --- Prices ---


def test_new_prices_are_previewed_with_the_suggested_rounding(page, boss, alien):
    price_list = make_price_list({("S", make_ticket_type(name="Adult")): 12})
    Show.objects.update(price_list=price_list)
    page.goto(f"/admin/booking/pricelist/{price_list.pk}/change/")
    page.get_by_label("Change by per cent").fill("5")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("button", name="Make a new version")).to_be_visible()


# --- Lists ---


def test_a_list_shows_all_its_columns(page, boss, alien):
    movie = make_movie(
        title="The Assassination of Jesse James by the Coward Robert Ford",
        release_date="2007-10-19", certificate="PG-13", genre="Thriller/Suspense", director="Florian von Donnersmarck",
    )  # fmt: skip
    make_booking(show=make_show(starts_at=at(18), movie=movie, screen=alien.screen))
    for model in ("movie", "screen", "show", "booking", "user"):
        page.goto(f"/admin/booking/{model}/")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            results = page.locator("#changelist .results")
            assert results.evaluate("box => [box.scrollWidth - box.clientWidth]") == [0], model
            assert page.evaluate("document.documentElement.scrollWidth") == width, model


# Words of the column names that don't stand on one line.
BROKEN_WORDS = """box => [...box.querySelectorAll("thead .text :is(a, span):not(:has(input))")].flatMap((name) => {
  const words = [...name.firstChild.data.matchAll(/\\S+/g)];
  return words.map((word) => {
    const range = document.createRange();
    range.setStart(name.firstChild, word.index);
    range.setEnd(name.firstChild, word.index + word[0].length);
    return [word[0], range.getClientRects().length];
  });
}).filter(([, lines]) => lines > 1)"""


def test_the_name_of_a_column_is_not_broken_within_a_word(page, boss, alien):
    make_price_list()
    for model in ("pricelist", "user"):
        page.goto(f"/admin/booking/{model}/")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.locator("#result_list").evaluate(BROKEN_WORDS) == []


def test_a_phone_shows_when_each_show_starts(page, boss, alien):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/admin/booking/show/")
    expect(page.get_by_role("link", name="1 Jun 2099, 14:00")).to_be_in_viewport()


def test_the_clock_offers_times_in_24_hours(page, boss):
    page.goto("/admin/booking/show/add/")
    page.locator("[id^=clocklink]").first.click()
    page.locator(".clockbox").first.get_by_role("link", name="20:00").click()
    expect(page.locator("[name=starts_at_1]")).to_have_value("20:00")


# --- Pages of the documentation ---


def test_swagger_ui_has_boxes_of_the_height_of_their_example_and_closed_models(page, live_server):
    page.goto("/swagger/")
    page.locator(".opblock-post .opblock-summary").first.click()
    box = page.locator("textarea.body-param__text").first
    assert box.evaluate("box => box.scrollHeight - box.clientHeight") == 0
    assert box.bounding_box()["height"] < 150
    expect(page.locator("section.models")).to_be_visible()
    expect(page.locator("section.models.is-open")).to_have_count(0)


# --- Forms that contain the values they showed ---


@pytest.fixture
def rows(live_server, alien):
    user = make_user(username="nora")
    user.groups.add(Group.objects.get_or_create(name="Clerks")[0])
    user.user_permissions.add(Permission.objects.all()[3])
    make_price_list(name="Regular")
    Movie.objects.update(description="One\nTwo")
    return {"show": alien, "movie": alien.movie, "screen": redraw(alien.screen, "A SSS\n\nB SS"), "user": user}


FORM_ROWS = "[...document.querySelectorAll('.form-row, .form-row *')].filter((one) => one.type !== 'hidden')"
BOXES = f"{FORM_ROWS}.map((one) => JSON.stringify(one.getBoundingClientRect()))"


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("kind", ["show", "movie", "screen", "user"])
def test_the_shown_values_take_no_room_and_an_unchanged_form_changes_nothing(page, boss, rows, kind, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/admin/booking/{kind}/{rows[kind].pk}/change/")
    if kind == "user":
        expect(page.locator("#id_groups_to")).to_be_attached()
    if kind == "screen":
        expect(page.locator("#plan-hall")).to_be_visible()
    page.wait_for_load_state("networkidle")
    shown = page.locator("[name^=initial-]")
    assert shown.count() > 0
    before = page.evaluate(BOXES)
    shown.evaluate_all("(inputs) => inputs.forEach((input) => input.remove())")
    assert page.evaluate(BOXES) == before
    page.reload()
    if kind == "user":
        expect(page.locator("#id_groups_to")).to_be_attached()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".success")).to_contain_text("was changed successfully")
    assert LogEntry.objects.latest("pk").get_change_message() == "No fields changed."
