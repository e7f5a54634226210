"""Adding, moving and copying shows on the day plan, in a browser: by mouse, by keyboard, by finger."""

import re
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect

from booking.models import Show
from tests.factories import make_booking, make_movie, make_price_list, make_screen, make_show

pytestmark = pytest.mark.django_db(transaction=True)

PLAN = "/admin/booking/show/plan/?day=2099-06-01"
HOUR_PIXELS = 72


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def small(live_server):
    return make_screen(name="Small")


@pytest.fixture
def alien(live_server, small) -> Show:
    """A show on 1 June 2099, 14:00 to 16:00; the plan begins at 12:00."""
    screen = make_screen(name="Big", turnaround_minutes=20)
    return make_show(starts_at=at(14), movie=make_movie(title="Alien"), screen=screen)


def at(hour, minute=0):
    return datetime(2099, 6, 1, hour, minute, tzinfo=timezone.utc)


def column(page, name):
    return page.get_by_role("region", name=name, exact=True).get_by_role("list")


def block(page):
    return page.get_by_role("link", name=re.compile("Alien"))


def place(show):
    show.refresh_from_db()
    return show.screen.name, show.starts_at


def drag(page, block, *, right=0, down=0):
    box = block.bounding_box()
    x, y = box["x"] + 40, box["y"] + 50
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=4)
    page.mouse.up()


# --- Moving ---


def test_a_show_is_dragged_to_another_time_and_screen(page, boss, alien):
    page.goto(PLAN)
    right = column(page, "Small").bounding_box()["x"] - column(page, "Big").bounding_box()["x"]
    drag(page, block(page), right=right, down=HOUR_PIXELS * 1.5)
    expect(page.get_by_text("Moved: Alien, Mon 01 Jun 2099 15:30, Small.")).to_be_visible()
    assert place(alien) == ("Small", at(15, 30))


def test_the_arrow_keys_move_a_show(page, boss, alien):
    page.goto(PLAN)
    page.get_by_role("button", name="Move Alien, 14:00").focus()
    page.keyboard.press("Enter")
    for key in ("Shift+ArrowDown", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.get_by_role("status")).to_contain_text("Alien: 14:55\u201316:55 on Small.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Moved: Alien, Mon 01 Jun 2099 14:55, Small.")).to_be_visible()
    expect(block(page)).to_be_focused()
    assert place(alien) == ("Small", at(14, 55))


def test_escape_cancels_a_move(page, boss, alien):
    page.goto(PLAN)
    page.get_by_role("button", name="Move Alien").focus()
    before = block(page).bounding_box()
    for key in ("Enter", "ArrowDown", "ArrowRight", "Escape"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Move Alien")).to_be_focused()
    expect(page.get_by_role("status")).to_be_empty()
    assert block(page).bounding_box() == before


def test_a_show_is_moved_by_two_clicks(page, boss, alien):
    page.goto(PLAN)
    page.get_by_role("button", name="Move Alien").click()
    column(page, "Small").click(position={"x": 20, "y": HOUR_PIXELS})
    expect(page.get_by_text("Moved: Alien")).to_be_visible()
    assert place(alien) == ("Small", at(13))


def test_a_show_that_does_not_fit_is_not_moved(page, boss, alien):
    make_show(starts_at=at(17), screen=alien.screen, movie=make_movie(title="Mulan"))
    page.goto(PLAN)
    drag(page, block(page), down=HOUR_PIXELS * 0.75)
    refusal = "was not moved. Overlaps with Mulan, Mon 01 Jun 2099 17:00, Big, which ends at 19:00; the screen needs 20"
    expect(page.get_by_text(refusal)).to_be_visible()
    assert place(alien) == ("Big", at(14))


def test_moving_a_sold_show_needs_a_confirmation(page, boss, alien):
    make_booking(show=alien)
    page.goto(PLAN)
    drag(page, block(page), down=HOUR_PIXELS)
    expect(page.get_by_text("Do you want to move its start?")).to_be_visible()
    page.get_by_role("link", name="No, take me back").click()
    assert place(alien) == ("Big", at(14))
    drag(page, block(page), down=HOUR_PIXELS)
    page.get_by_role("button", name="Move the show").click()
    expect(page.get_by_text("Moved: Alien")).to_be_visible()
    assert place(alien) == ("Big", at(15))


def test_only_a_click_without_a_drag_opens_the_show(page, boss, alien):
    page.goto(PLAN)
    drag(page, block(page), down=8)
    drag(page, block(page), down=-8)
    expect(page).to_have_url(re.compile("/plan/"))
    block(page).click()
    expect(page).to_have_url(re.compile(f"/show/{alien.pk}/change/$"))


def test_a_started_show_can_not_be_moved(page, boss, live_server):
    make_show(starts_at=datetime.now(timezone.utc) - timedelta(minutes=1), movie=make_movie(title="Alien"))
    page.goto("/admin/booking/show/plan/")
    expect(block(page).first).to_be_visible()
    expect(page.get_by_role("button", name="Move Alien")).to_have_count(0)


def test_the_box_office_can_neither_move_nor_add_shows(page, seller, alien):
    page.goto(PLAN)
    expect(block(page)).to_be_visible()
    expect(page.get_by_role("button", name="Move Alien")).to_have_count(0)
    column(page, "Small").click(position={"x": 20, "y": HOUR_PIXELS})
    expect(page.get_by_role("form", name="Add a show")).to_have_count(0)


# --- Adding ---


def test_a_click_on_a_free_time_opens_the_form_with_it(page, boss, alien):
    page.goto(PLAN)
    column(page, "Small").click(position={"x": 20, "y": HOUR_PIXELS * 2.5})
    page.locator(".select2-search__field").fill("ali")
    page.get_by_role("option", name="Alien").click()
    page.get_by_role("button", name="Add show").click()
    expect(page.get_by_text("Added: Alien, Mon 01 Jun 2099 14:30, Small.")).to_be_visible()


def test_the_keyboard_adds_a_show(page, boss, alien):
    page.goto(PLAN)
    page.get_by_role("link", name="Add a show on Small").focus()
    page.keyboard.press("Enter")
    page.locator(".select2-search__field").press_sequentially("alien")
    expect(page.get_by_role("option", name="Alien")).to_be_visible()
    page.keyboard.press("Enter")
    page.get_by_label("Time:").fill("8.15pm")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Added: Alien, Mon 01 Jun 2099 20:15, Small.")).to_be_visible()


def test_a_show_that_does_not_fit_is_refused_in_the_form(page, boss, alien):
    page.goto(PLAN)
    page.get_by_role("link", name="Add a show on Big").click()
    page.locator(".select2-search__field").fill("ali")
    page.get_by_role("option", name="Alien").click()
    page.get_by_label("Time:").fill("1610")
    page.get_by_role("button", name="Add show").click()
    expect(page.get_by_role("form", name="Add a show")).to_contain_text("the screen needs 20 minutes between shows.")
    expect(page.get_by_label("Time:")).to_have_value("1610")


def test_the_prices_of_a_new_show_are_chosen(page, boss, alien):
    alien.screen.price_list = make_price_list(name="Regular")
    alien.screen.save()
    make_price_list(name="Cheap")
    page.goto(PLAN)
    prices = page.get_by_label("Prices:")
    page.get_by_label("Screen:").select_option("Big")
    expect(prices.locator("option:checked")).to_have_text("The screen's: Regular (version 1)")
    page.get_by_role("link", name="Add a show on Small").click()
    expect(prices.locator("option:checked")).to_have_text("The screen's: free")
    page.locator(".select2-search__field").fill("ali")
    page.get_by_role("option", name="Alien").click()
    page.get_by_label("Time:").fill("20:00")
    prices.select_option("Cheap (version 1)")
    page.get_by_role("button", name="Add show").click()
    expect(page.get_by_role("link", name="Prices: Cheap (version 1)")).to_be_visible()


# --- Copying ---


def test_a_day_is_copied_after_a_preview(page, boss, alien):
    make_show(starts_at=at(18), screen=alien.screen, movie=make_movie(title="Mulan"))
    make_show(starts_at=at(19) + timedelta(days=1), screen=alien.screen, movie=make_movie(title="Dune"))
    page.goto(PLAN)
    page.get_by_role("link", name="Copy this day").click()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("2 shows, of which 1 can't be added.")).to_be_visible()
    expect(page.get_by_role("row", name="Mulan")).to_contain_text("Overlaps with Dune, Tue 02 Jun 2099 19:00, Big")
    expect(page.get_by_role("checkbox", name="Tue 2 Jun 2099 14:00 Alien")).to_be_checked()
    page.get_by_role("button", name="Add the ticked shows").click()
    expect(page.get_by_text("1 show added.")).to_be_visible()
    expect(page.locator(".plan-screen li")).to_contain_text(["Alien", "Dune"])
