"""Local times in the admin's forms on the nights when the clocks change."""

from datetime import datetime, timedelta, timezone

import pytest

from booking.models import Show, User
from booking.services import read_local_time
from tests.factories import STARTS_AT, make_movie, make_price_list, make_screen, make_show, make_user
from tests.nights import BACK, EVENINGS, FORWARD, at
from tests.staff import SHOWS, act, form_errors

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def fields(name, local, offset=None):
    form = {f"{name}_0": f"{local:%Y-%m-%d}", f"{name}_1": f"{local:%H:%M}"}
    return form if offset is None else form | {f"{name}_2": offset}


def add(client, local, offset=None, **more):
    movie, screen = make_movie(duration_minutes=152), make_screen()
    form = {"movie": movie.pk, "screen": screen.pk, "ends_at_0": "", "ends_at_1": ""}
    form |= {"price_list": "", **fields("starts_at", local, offset), **more}
    return client.post(f"{SHOWS}add/", form)


def length():
    show = Show.objects.get()
    return show.ends_at - show.starts_at


# --- A show's form ----------------------------------------------------------------------------


@pytest.mark.parametrize(("zone", "evening"), EVENINGS)
def test_a_show_during_a_clock_change_lasts_as_long_as_its_movie(staff, settings, zone, evening):
    settings.TIME_ZONE = zone
    add(staff, evening.replace(hour=22))
    assert length() == 152 * MINUTE


@pytest.mark.parametrize("name", ["starts_at", "ends_at"])
@pytest.mark.parametrize(("zone", "local", "change"), FORWARD)
def test_a_time_that_does_not_exist_is_refused(staff, settings, zone, local, change, name):
    settings.TIME_ZONE = zone
    evening = fields("starts_at", local - timedelta(days=1))
    response = add(staff, local, **evening | fields(name, local))
    [[sentence]] = form_errors(response).values()
    assert sentence.endswith(f" does not exist in {zone}: the clocks go forward from {change}.")
    assert not Show.objects.exists()


@pytest.mark.parametrize("offset", [None, "", "+05:00", "x"])
@pytest.mark.parametrize(("zone", "local", "offsets", "change"), BACK)
def test_the_form_offers_both_offsets_of_an_ambiguous_time(staff, settings, zone, local, offsets, change, offset):
    settings.TIME_ZONE = zone
    response = add(staff, local, offset)
    assert list(form_errors(response)) == ["starts_at"]
    page = response.content.decode()
    assert [f'<option value="{each}">UTC{each}' in page for each in offsets] == [True, True]
    assert not Show.objects.exists()


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("zone", "local", "offsets", "change"), BACK)
def test_an_ambiguous_time_is_saved_with_the_chosen_offset(staff, settings, zone, local, offsets, change, number):
    settings.TIME_ZONE = zone
    add(staff, local, offsets[number])
    assert Show.objects.get().starts_at == read_local_time(local=local, offset=offsets[number])
    assert length() == 152 * MINUTE


def test_other_times_need_no_offset(staff, settings):
    settings.TIME_ZONE = "Europe/London"
    page = staff.get(f"{SHOWS}add/").content.decode()
    assert ("starts_at_1" in page, "starts_at_2" in page) == (True, False)


def test_a_chosen_offset_is_ignored_for_another_time(staff, settings):
    settings.TIME_ZONE = "Europe/London"
    add(staff, at("2099-06-01 20:00"), "+00:00")
    assert Show.objects.get().starts_at == datetime(2099, 6, 1, 19, 0, tzinfo=timezone.utc)


def posted_form(client, path):
    """Return the data that a browser posts when nothing was changed."""
    form = client.get(path).context["adminform"].form
    data = {}
    for bound in form:
        value = bound.value()
        if isinstance(value, datetime):
            value = form.fields[bound.name].widget.decompress(value)
        if isinstance(value, list):
            data |= {f"{bound.name}_{n}": "" if part is None else part for n, part in enumerate(value)}
        elif value not in (None, False):
            data[bound.name] = value
    return data


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("zone", "local", "offsets", "change"), BACK)
def test_a_show_that_ends_in_the_repeated_hour_can_be_saved_again(
    staff, settings, zone, local, offsets, change, number
):
    settings.TIME_ZONE = zone
    ends_at = read_local_time(local=local, offset=offsets[number])
    show = make_show(starts_at=ends_at - 2 * HOUR, ends_at=ends_at)
    path, prices = f"{SHOWS}{show.pk}/change/", make_price_list()
    page = staff.get(path).content.decode()
    assert f'<option value="{offsets[number]}" selected>' in page
    assert staff.post(path, posted_form(staff, path) | {"price_list": prices.pk}).status_code == 302
    assert Show.objects.values_list("ends_at", "price_list").get() == (ends_at, prices.pk)


def test_the_other_offset_of_an_ambiguous_time_is_a_change(staff, settings):
    settings.TIME_ZONE = "Europe/London"
    first, second = (read_local_time(local=BACK[0][1], offset=offset) for offset in BACK[0][2])
    show = make_show(starts_at=first - HOUR, ends_at=first)
    path = f"{SHOWS}{show.pk}/change/"
    staff.post(path, posted_form(staff, path) | {"ends_at_2": "+00:00"})
    assert Show.objects.get().ends_at == second


def test_an_end_in_the_repeated_hour_can_be_cleared(staff, settings):
    settings.TIME_ZONE = "Europe/London"
    ends_at = read_local_time(local=BACK[0][1], offset="+00:00")
    show = make_show(starts_at=ends_at - HOUR, ends_at=ends_at)
    path = f"{SHOWS}{show.pk}/change/"
    staff.post(path, posted_form(staff, path) | {"ends_at_0": "", "ends_at_1": ""})
    assert length() == 120 * MINUTE


@pytest.mark.parametrize(
    ("part", "error"), [("ends_at_0", "Enter a valid date."), ("ends_at_1", "Enter a valid time.")]
)
def test_an_end_without_date_or_time_is_refused(staff, part, error):
    response = add(staff, STARTS_AT, **fields("ends_at", STARTS_AT + HOUR) | {part: ""})
    assert form_errors(response) == {"ends_at": [error]}


@pytest.mark.parametrize("day", ["1899-12-31", "2200-01-02", "9999-12-31", "0001-01-01"])
@pytest.mark.parametrize("zone", ["Europe/London", "Australia/Sydney", "America/Santiago"])
def test_a_day_outside_the_calendar_is_refused(staff, settings, zone, day):
    settings.TIME_ZONE = zone
    response = add(staff, STARTS_AT, starts_at_0=day, starts_at_1="23:59")
    assert list(form_errors(response)) == ["starts_at"]


def test_a_user_who_joined_in_the_repeated_hour_can_be_saved_again(staff, settings):
    settings.TIME_ZONE = "Europe/London"
    user = make_user(username="nora", date_joined=datetime(2026, 10, 25, 1, 30, 15, 123, tzinfo=timezone.utc))
    path = f"/admin/booking/user/{user.pk}/change/"
    assert staff.post(path, posted_form(staff, path) | {"first_name": "Nora"}).status_code == 302
    saved = User.objects.get(pk=user.pk)
    assert (saved.first_name, saved.date_joined) == ("Nora", user.date_joined)


# --- Times in the address ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2099-06-01T20:15", "20:15"),
        ("2099-06-01 20:15+01:00", "20:15"),
        ("99999", ""),
        ("2099-02-30T20:15", ""),
        ("0001-01-01T00:00+14:00", ""),
        ("2099-10-25T01:30", "01:30"),
    ],
)
def test_a_valid_start_in_the_query_string_is_filled_in(staff, settings, text, shown):
    settings.TIME_ZONE = "Europe/London"
    response = staff.get(f"{SHOWS}add/", {"starts_at": text})
    assert response.status_code == 200
    time = response.context["adminform"].form["starts_at"].subwidgets[0].data["subwidgets"][1]["value"]
    assert (time or "")[:5] == shown


# --- Copying ----------------------------------------------------------------------------------


def copy(client, local, **more):
    show = make_show(starts_at=STARTS_AT, ends_at=STARTS_AT + 152 * MINUTE)
    form = {"first_day": f"{local:%Y-%m-%d}", "last_day": f"{local:%Y-%m-%d}", "times": f"{local:%H:%M}"}
    return act(client, SHOWS, "copy", [show], confirmed="yes", **form | more)


def copies():
    return list(Show.objects.exclude(starts_at=STARTS_AT))


@pytest.mark.parametrize(("zone", "local", "change"), FORWARD)
def test_a_copy_at_a_time_that_does_not_exist_is_refused(staff, settings, zone, local, change):
    settings.TIME_ZONE = zone
    response = copy(staff, local, first_day=f"{local - timedelta(days=1):%Y-%m-%d}")
    [sentence] = response.context["form"].errors["times"]
    assert sentence.endswith(f" does not exist in {zone}: the clocks go forward from {change}.")
    assert copies() == []


@pytest.mark.parametrize(("zone", "local", "offsets", "change"), BACK)
def test_the_copy_form_offers_both_offsets_of_an_ambiguous_time(staff, settings, zone, local, offsets, change):
    settings.TIME_ZONE = zone
    response = copy(staff, local)
    assert list(response.context["form"].errors) == ["offset"]
    assert f'<option value="{offsets[1]}">UTC{offsets[1]}' in response.content.decode()
    assert copies() == []


@pytest.mark.parametrize(("zone", "local", "offsets", "change"), BACK)
def test_a_copy_is_made_at_the_chosen_offset(staff, settings, zone, local, offsets, change):
    settings.TIME_ZONE = zone
    copy(staff, local, offset=offsets[1])
    [made] = copies()
    assert made.starts_at == read_local_time(local=local, offset=offsets[1])
    assert made.ends_at - made.starts_at == 152 * MINUTE


# --- Lists, plan and reports ------------------------------------------------------------------

NIGHTS = [(zone, local) for zone, local, _ in FORWARD] + [(zone, local) for zone, local, _, _ in BACK]


@pytest.mark.parametrize(("zone", "local"), NIGHTS)
def test_a_show_is_found_on_the_day_of_the_change(staff, settings, zone, local):
    settings.TIME_ZONE = zone
    show = make_show(starts_at=read_local_time(local=local.replace(hour=12)))
    day = {"starts_at__year": local.year, "starts_at__month": local.month, "starts_at__day": local.day}
    assert list(staff.get(SHOWS, day).context["cl"].result_list) == [show]
    [column] = staff.get(f"{SHOWS}plan/", {"day": f"{local:%Y-%m-%d}"}).context["plan"].columns
    assert [block.show.pk for block in column.blocks] == [show.pk]
    period = {"first_day": f"{local:%Y-%m-%d}", "last_day": f"{local:%Y-%m-%d}"}
    report = staff.get("/admin/booking/booking/reports/", period).context["report"]
    assert [line.shows for line in report.days] == [1]
