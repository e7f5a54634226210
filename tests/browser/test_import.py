"""The import of movies and the times of a show in a browser."""

import re

import pytest
from playwright.sync_api import expect

from booking.models import Movie, Show
from tests.browser.test_staff_pages import expect_fitting_and_readable
from tests.factories import make_movie, make_screen

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "Title;Duration;Certificate;Release Date;Genre;Director\n"


@pytest.fixture
def base_url(live_server):
    return live_server.url


def choose(page, text):
    """Uploads a file in Windows-1252."""
    page.goto("/admin/booking/movie/import/")
    file = {"name": "movies.csv", "mimeType": "text/csv", "buffer": (HEADER + text).encode("cp1252")}
    page.get_by_label("CSV file").set_input_files([file])
    page.get_by_role("button", name="Show what would change").click()


def test_a_file_is_previewed_and_imported(page, boss):
    make_movie(title="Up", duration_minutes=96, director="")
    choose(page, "Amélie;122;;25.04.2001;;\nUp;97;;;;\nHeat;x;;;;\n")
    expect(page.get_by_text("Nothing has been changed yet.")).to_be_visible()
    expect(page.get_by_role("region", name="Changed (1)")).to_contain_text("duration minutes: 96 → 97")
    expect(page.get_by_role("region", name="Refused lines (1)")).to_contain_text("“x” is not a whole number of minutes")
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("movies.csv was imported:")).to_be_visible()
    expect(page.get_by_role("region", name="Added (1)")).to_contain_text("Amélie (2001)")
    assert Movie.objects.count() == 2


def test_an_ambiguous_order_of_day_and_month_is_chosen(page, boss):
    choose(page, "Up;96;;04/05/2009;;\n")
    expect(page.get_by_text("is 4 May 2009 with the day first and 5 April 2009 with the month first")).to_be_visible()
    page.get_by_label("The day comes first").check()
    page.get_by_role("button", name="Show what would change").click()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("movies.csv was imported:")).to_be_visible()
    assert f"{Movie.objects.get().release_date}" == "2009-05-04"


@pytest.mark.parametrize("text", ["Up;96;;04/05/2009;;\n", f"{'Long title ' * 15};1;;;;\n;1;;;;\nUp;97;;;;\n"])
def test_the_preview_fits_and_has_enough_contrast(page, boss, text):
    make_movie(title="Up", duration_minutes=96)
    choose(page, text)
    expect_fitting_and_readable(page)


def test_an_ambiguous_time_needs_an_offset(page, boss, settings):
    settings.TIME_ZONE = "Europe/London"
    movie, screen = make_movie(duration_minutes=152), make_screen()
    page.goto(f"/admin/booking/show/add/?movie={movie.pk}&screen={screen.pk}&day=2099-10-25")
    page.locator("[name=starts_at_1]").fill("01:30")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("comes twice in Europe/London: the clocks go back from 02:00 to 01:00.")).to_be_visible()
    page.get_by_label("Clock:").select_option("UTC+00:00, after the clocks go back")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile("/plan/"))
    show = Show.objects.get()
    assert (f"{show.starts_at:%H:%M}", (show.ends_at - show.starts_at).seconds // 60) == ("01:30", 152)
