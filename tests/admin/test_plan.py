"""The plan of a day in the admin."""

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone as django_timezone

from booking.models import Screen, Show, User
from tests.factories import make_booking, make_movie, make_price_list, make_screen, make_show
from tests.races import at_once
from tests.staff import form_errors, page_messages, show_form, signed_in_as, staff_with

PLAN = "/admin/booking/show/plan/"
ADD = "/admin/booking/show/add/"
DAY = date(2099, 6, 1)
LONDON = ZoneInfo("Europe/London")


@pytest.fixture
def staff(db) -> Client:
    return signed_in_as(User.objects.create_superuser("boss"))


@pytest.fixture
def viewer(db) -> Client:
    """A client of staff who may not add shows; the plan has no free hours for them."""
    return staff_with("view_show")


@pytest.fixture
def london(settings):
    settings.TIME_ZONE = "Europe/London"


def at(hour, minute=0, day=DAY, zone=timezone.utc):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(timezone.utc)


def planned(starts_at, hours=2.0, **fields):
    return make_show(starts_at=starts_at, ends_at=starts_at + timedelta(hours=hours), **fields)


def plan(client, day=DAY):
    return client.get(PLAN, {"day": day}).context["plan"]


def blocks(client, day=DAY):
    """Return each drawn block of the first screen: its times, and its position and height in hours."""
    drawn = plan(client, day).columns[0].blocks
    return [(block.times.replace("\u2013", "-"), float(block.at), float(block.lasts)) for block in drawn]


def hours(client, day=DAY):
    return [name for _, name in plan(client, day).hours]


# --- What stands where ---


def test_shows_are_placed_by_screen_and_time(viewer):
    first, second = make_screen(name="A"), make_screen(name="B")
    late, early = planned(at(20, 30), 1.5, screen=second), planned(at(14), screen=first)
    columns = plan(viewer).columns
    assert [(c.screen, [b.show.pk for b in c.blocks]) for c in columns] == [(first, [early.pk]), (second, [late.pk])]
    assert (columns[1].blocks[0].at, columns[1].blocks[0].lasts) == ("6.5000", "1.5000")


def test_the_hours_run_from_the_first_show_to_the_end_of_the_last(viewer):
    planned(at(14, 20), 1)
    planned(at(15, 50), 1.5)
    assert hours(viewer) == ["14:00", "15:00", "16:00", "17:00", "18:00"]


def test_a_show_has_time_title_and_sold_seats(viewer):
    show = planned(at(14), total_seats=280, movie=make_movie(title="Alien"))
    for seat in (1, 2):
        make_booking(show=show, seat_number=seat)
    make_booking(show=show, seat_number=3, status="cancelled")
    page = viewer.get(PLAN, {"day": DAY}).content.decode()
    assert all(
        text in page for text in ("14:00\u201316:00", "Alien", "2 of 280", f"/admin/booking/show/{show.pk}/change/")
    )


def test_a_cancelled_show_is_marked(viewer):
    planned(at(14), cancelled_at=at(9))
    assert "<em>cancelled</em>" in viewer.get(PLAN, {"day": DAY}).content.decode()


def test_a_show_that_overlaps_a_cancelled_one_is_placed_beside_it(viewer):
    screen = make_screen()
    for start, hours, off in ((14, 3, at(9)), (15, 1, None), (16, 3, None), (20, 1, None)):
        planned(at(start), hours, screen=screen, cancelled_at=off)
    lanes = [(block.lane, block.lanes) for block in plan(viewer).columns[0].blocks]
    assert lanes == [(0, 2), (1, 2), (1, 2), (0, 1)]


def test_staff_who_plan_shows_have_free_hours_before_and_after(staff):
    planned(at(14), 1)
    assert (hours(staff)[0], hours(staff)[-1], blocks(staff)) == ("12:00", "17:00", [("14:00-15:00", 2, 1)])


def test_the_free_hours_end_at_midnight_and_with_the_night(staff):
    planned(at(1), 28)
    assert (hours(staff)[0], hours(staff)[-1], len(hours(staff))) == ("00:00", "06:00", 31)


def turnarounds(client):
    return [float(block.turnaround) for block in plan(client).columns[0].blocks]


def test_the_turnaround_follows_each_show_that_is_not_cancelled(viewer):
    screen = make_screen(turnaround_minutes=30)
    planned(at(14), 1, screen=screen)
    planned(at(16), 1, screen=screen, cancelled_at=at(9))
    planned(at(18), 1.75, screen=screen)
    # The plan ends at 20:00.
    assert turnarounds(viewer) == [0.5, 0, 0.25]
    assert "30 minutes until the next show" in viewer.get(PLAN, {"day": DAY}).content.decode()


def test_a_screen_without_turnaround_has_none_in_the_plan(viewer):
    planned(at(14), 1.5)
    assert turnarounds(viewer) == [0]
    assert "until the next show" not in viewer.get(PLAN, {"day": DAY}).content.decode()


def test_a_short_show_has_a_line_of_text(viewer):
    planned(at(14), 0.5)
    assert [block.is_short for block in plan(viewer).columns[0].blocks] == [True]


# --- Midnight and the clocks ---


def test_a_show_past_midnight_is_drawn_to_its_end(viewer):
    planned(at(23), 2.5)
    assert blocks(viewer) == [("23:00-Tue 01:30", 0, 2.5)]
    assert hours(viewer) == ["23:00", "00:00", "01:00", "02:00"]


def test_a_show_past_midnight_is_also_on_the_next_day(viewer):
    planned(at(23), 2.5)
    assert blocks(viewer, DAY + timedelta(days=1)) == [("Mon 23:00-01:30", 0, 1.5)]


def test_a_show_that_starts_in_the_drawn_night_is_in_the_plan(viewer):
    screen = make_screen()
    planned(at(23), 1.5, screen=screen)
    planned(at(0, 30, DAY + timedelta(days=1)), 3, screen=make_screen())
    planned(at(5, 0, DAY + timedelta(days=1)), 1, screen=screen)
    assert [len(column.blocks) for column in plan(viewer).columns] == [1, 1]


def test_a_show_of_several_days_ends_with_the_drawn_night(viewer):
    planned(at(22), 48)
    assert blocks(viewer) == [("22:00-Wed 22:00", 0, 8)]
    assert blocks(viewer, DAY + timedelta(days=1)) == [("Mon 22:00-Wed 22:00", 0, 30)]


def test_a_day_is_one_of_the_cinema_s_time_zone(viewer, london):
    planned(at(23, 30, date(2099, 5, 31)))
    assert blocks(viewer) == [("00:30-02:30", 0.5, 2)]


def test_a_day_west_of_greenwich_is_one_of_the_cinema_s_time_zone(viewer, settings):
    settings.TIME_ZONE = "America/New_York"
    planned(at(1, 30, DAY + timedelta(days=1)))
    assert blocks(viewer) == [("21:30-23:30", 0.5, 2)]


def test_a_day_of_23_hours_lacks_a_label(viewer, london):
    planned(at(0, 30, date(2026, 3, 29), LONDON), 1.5)
    assert blocks(viewer, date(2026, 3, 29)) == [("00:30-03:00", 0.5, 1.5)]
    assert hours(viewer, date(2026, 3, 29)) == ["00:00", "02:00", "03:00"]


def test_a_day_of_25_hours_has_a_label_twice(viewer, london):
    planned(at(0, 30, date(2026, 10, 25), LONDON), 2)
    assert blocks(viewer, date(2026, 10, 25)) == [("00:30-01:30", 0.5, 2)]
    assert hours(viewer, date(2026, 10, 25)) == ["00:00", "01:00", "01:00", "02:00"]


@pytest.mark.parametrize(("day", "length"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_of_23_or_25_hours_is_drawn_whole(viewer, london, day, length):
    screen = make_screen()
    planned(at(0, 0, day, LONDON), 1, screen=screen)
    planned(at(23, 0, day, LONDON), 1, screen=screen)
    assert [top for _, top, _ in blocks(viewer, day)] == [0, length - 1]


# --- Choosing a day ---


def test_the_default_day_is_today(staff):
    assert staff.get(PLAN).context["day"] == django_timezone.localdate()


@pytest.mark.parametrize("day", ["", "x", "2099-02-30", "0001-01-01", "9999-12-31", "01/02/2099"])
def test_a_bad_day_is_refused_on_the_form(staff, day):
    response = staff.get(PLAN, {"day": day})
    assert (response.status_code, list(response.context["form"].errors)) == (200, ["day"])


def test_the_days_before_and_after_are_linked(staff):
    page = staff.get(PLAN, {"day": DAY}).content.decode()
    assert 'href="?day=2099-05-31" rel="prev"' in page
    assert 'href="?day=2099-06-02" rel="next"' in page


@pytest.mark.parametrize(("day", "missing"), [("1900-01-01", "previous_day"), ("2200-01-01", "next_day")])
def test_the_first_and_last_day_have_no_neighbour(staff, day, missing):
    assert staff.get(PLAN, {"day": day}).context[missing] is None


def test_an_empty_day_has_a_message_and_hours(staff):
    make_screen()
    page = staff.get(PLAN, {"day": DAY}).content.decode()
    assert "No shows are planned for this day." in page
    assert (hours(staff)[0], hours(staff)[-1]) == ("10:00", "00:00")


def test_a_cinema_without_screens_gets_a_message(staff):
    assert "There are no screens yet." in staff.get(PLAN).content.decode()


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_costs_the_same_queries_for_1_and_3_shows(staff, rows, django_assert_num_queries):
    for _ in range(rows):
        make_booking(show=planned(at(14)))
    with django_assert_num_queries(5):
        staff.get(PLAN, {"day": DAY})


# --- Adding a show from there ---


def test_the_add_form_has_screen_and_day_filled_in(staff):
    screen = make_screen()
    assert f'href="{ADD}?screen={screen.pk}&amp;day=2099-06-01"' in staff.get(PLAN, {"day": DAY}).content.decode()
    form = staff.get(ADD, {"screen": screen.pk, "day": DAY}).context["adminform"].form
    assert (form["screen"].value(), form["starts_at"].value()) == (str(screen.pk), [DAY, None])
    assert 'value="01/06/2099"' in str(form["starts_at"])


@pytest.mark.parametrize("query", [{}, {"day": "x"}])
def test_without_a_day_the_add_form_is_empty(staff, query):
    assert staff.get(ADD, query).context["adminform"].form["starts_at"].value() is None


def test_adding_a_show_from_the_plan_redirects_to_its_day(staff):
    form = show_form(make_movie(), make_screen(), starts_at=at(14)) | {"_save": "Save"}
    response = staff.post(f"{ADD}?day=2099-05-30", form)
    assert response.headers["Location"] == f"{PLAN}?day=2099-06-01"


def test_an_overlap_is_refused_on_the_form(staff):
    show = planned(at(14))
    response = staff.post(f"{ADD}?day=2099-06-01", show_form(show.movie, show.screen, starts_at=at(15)))
    assert (list(form_errors(response)), Show.objects.count()) == (["starts_at"], 1)


def test_adding_a_show_from_elsewhere_redirects_to_the_list(staff):
    form = show_form(make_movie(), make_screen(), starts_at=at(14)) | {"_save": "Save"}
    response = staff.post(ADD, form)
    assert response.url == "/admin/booking/show/"
    assert len(page_messages(response)) == 1


# --- Who may do what ---


def test_the_show_list_links_to_the_plan(staff):
    assert f'href="{PLAN}"' in staff.get("/admin/booking/show/").content.decode()


@pytest.mark.parametrize(("permission", "status"), [("view_show", 200), ("change_show", 200), ("view_booking", 403)])
def test_the_plan_needs_the_permission_to_view_shows(db, permission, status):
    assert staff_with(permission).get(PLAN).status_code == status


def test_adding_is_offered_only_with_the_permission(db):
    Screen.objects.create(name="A", rows=1, seats_per_row=1)
    pages = [
        staff_with(*permissions).get(PLAN).content.decode()
        for permissions in (["view_show"], ["view_show", "add_show"])
    ]
    assert ["a show on A" in page for page in pages] == [False, True]


# --- Adding and moving on the plan ---

MOVE = f"{PLAN}move/"


def add_form(movie, screen, time="14:00", **fields):
    return {"movie": movie.pk, "screen": screen.pk, "starts_at_0": "2099-06-01", "starts_at_1": time} | fields


def move(client, moved, **fields):
    form = {"show": moved.pk, "screen": moved.screen_id, "starts_at": f"{moved.starts_at:%Y-%m-%dT%H:%M:%SZ}"} | fields
    return client.post(f"{MOVE}?day={DAY}", form)


def test_a_show_is_added_on_the_plan(staff):
    response = staff.post(f"{PLAN}?day={DAY}", add_form(make_movie(title="Alien"), make_screen(name="Big")))
    show = Show.objects.get()
    assert response.url == f"{PLAN}?day=2099-06-01#show-{show.pk}"
    assert page_messages(response) == ["Added: Alien, Mon 01 Jun 2099 14:00, Big."]
    assert LogEntry.objects.get().object_id == str(show.pk)


def test_an_overlap_on_the_plan_is_refused_in_the_form(staff):
    show = planned(at(14))
    response = staff.post(f"{PLAN}?day={DAY}", add_form(show.movie, show.screen, "15:00"))
    assert list(response.context["new"].errors) == ["starts_at"]


def test_bad_input_on_the_plan_is_refused_in_the_form(staff):
    response = staff.post(f"{PLAN}?day={DAY}", add_form(make_movie(), make_screen(), "noon") | {"movie": ""})
    assert list(response.context["new"].errors) == ["movie", "starts_at"]


def test_a_screen_deleted_while_a_show_is_added_is_reported_above_the_form(staff):
    screen, reads = make_screen(), []

    def delete_before_the_lock(execute, sql, params, many, context):
        if sql.startswith("SELECT") and 'FROM "booking_screen" WHERE "booking_screen"."id" = ' in sql:
            reads.append(sql)
            # The form reads the screen first, and then the service.
            if len(reads) == 2:
                Screen.objects.all().delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_before_the_lock):
        response = staff.post(f"{PLAN}?day={DAY}", add_form(make_movie(), screen))
    assert response.context["new"].non_field_errors() == ["Not found."]


def test_a_show_is_moved_to_another_screen_and_time(staff):
    show, other = planned(at(14), movie=make_movie(title="Alien")), make_screen(name="Small")
    response = move(staff, show, screen=other.pk, starts_at="2099-06-02T00:30:00Z")
    show.refresh_from_db()
    assert (show.screen, show.starts_at) == (other, at(0, 30, DAY + timedelta(days=1)))
    assert response.url == f"{PLAN}?day=2099-06-02#show-{show.pk}"
    assert page_messages(response) == ["Moved: Alien, Tue 02 Jun 2099 00:30, Small."]
    assert " to Alien, Tue 02 Jun 2099 00:30, Small." in LogEntry.objects.get().change_message


def test_a_sold_show_changes_its_time_only_after_confirmation(staff):
    show = planned(at(14))
    make_booking(show=show)
    response = move(staff, show, starts_at="2099-06-01T15:00:00Z")
    assert "<strong>1 seat</strong>" in response.content.decode()
    assert Show.objects.get().starts_at == at(14)
    move(staff, show, starts_at="2099-06-01T15:00:00Z", start_confirmed="yes")
    assert Show.objects.get().starts_at == at(15)


def test_a_sold_show_keeps_its_screen(staff):
    show = planned(at(14))
    make_booking(show=show)
    response = move(staff, show, screen=make_screen().pk)
    assert page_messages(response) == [
        f"{show} was not moved. This show has bookings, so this can't be changed any more."
    ]


@pytest.mark.parametrize("fields", [{"show": 0}, {"screen": "x"}, {"starts_at": "9999"}, {"starts_at": "\0"}])
def test_a_move_of_a_missing_show_is_refused(staff, fields):
    response = move(staff, planned(at(14)), **fields)
    assert response.url == f"{PLAN}?day=2099-06-01"
    assert page_messages(response) == ["The show was not moved: it, or the screen, is not there any more."]


@pytest.mark.parametrize(("path", "permission"), [(PLAN, "change_show"), (MOVE, "add_show"), (MOVE, "view_show")])
def test_changes_need_their_permission(db, path, permission):
    assert staff_with("view_show", permission).post(path, {}).status_code == 403


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets no second writer in between")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("field", "error"),
    [
        ("movie", "This movie does not exist any more."),
        ("price_list", "This price list was changed at the same time. Choose it again."),
    ],
)
def test_a_row_deleted_while_its_show_is_added_is_reported_on_the_form(staff, field, error):
    movie, prices = make_movie(), make_price_list()
    pending = [{"movie": movie, "price_list": prices}[field].delete]

    def delete_first(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "booking_show"') and pending:
            at_once([pending.pop()])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_first):
        response = staff.post(f"{PLAN}?day={DAY}", add_form(movie, make_screen(), price_list=prices.pk))
    assert response.context["new"].errors == {field: [error]}


# --- Prices ---


def test_the_plan_shows_the_price_list_of_each_show(viewer):
    planned(at(14), price_list=make_price_list(name="Matinee", version=2))
    planned(at(18))
    page = viewer.get(PLAN, {"day": DAY}).content.decode()
    prices = '<span class="visually-hidden">Prices: </span>'
    assert [f"{prices}{text}</span>" in page for text in ("Matinee (version 2)", "free")] == [True] * 2


def test_the_plan_of_a_cinema_without_prices_has_none(viewer):
    planned(at(14))
    assert "Prices: " not in viewer.get(PLAN, {"day": DAY}).content.decode()


@pytest.mark.parametrize("choice", ["screen", "own", "free"])
def test_the_prices_of_a_new_show_are_chosen_on_the_plan(staff, choice):
    own, of_screen = make_price_list(name="Own"), make_price_list(name="Screen")
    chosen = {"screen": "", "own": own.pk, "free": "free"}[choice]
    form = add_form(make_movie(), make_screen(price_list=of_screen), price_list=chosen)
    staff.post(f"{PLAN}?day={DAY}", form)
    assert Show.objects.get().price_list == {"screen": of_screen, "own": own, "free": None}[choice]


def test_an_unknown_price_list_is_refused_in_the_form(staff):
    response = staff.post(f"{PLAN}?day={DAY}", add_form(make_movie(), make_screen(), price_list="77"))
    assert response.context["new"].errors == {"price_list": ["This price list does not exist any more."]}


def test_the_plan_offers_the_screen_s_prices_each_list_and_none(staff):
    screen = make_screen(price_list=make_price_list(name="Regular"))
    response = staff.get(PLAN, {"day": DAY})
    choices = [str(label) for _, label in response.context["new"].fields["price_list"].choices]
    assert choices == ["The screen's", "Regular (version 1)", "None: the show is free"]
    assert f'data-name="{screen}" data-prices="Regular (version 1)"' in response.content.decode()


def test_a_show_s_page_explains_an_empty_price_list(staff):
    paths = (ADD, f"/admin/booking/show/{planned(at(14)).pk}/change/")
    fields = [staff.get(path).context["adminform"].form.fields["price_list"] for path in paths]
    assert [field.empty_label for field in fields] == ["The screen's", "None: the show is free"]


@pytest.mark.parametrize("choice", ["screen", "own", "free"])
def test_the_form_of_a_new_show_chooses_its_prices(staff, choice):
    of_screen, own = make_price_list(), make_price_list()
    screen = make_screen(price_list=of_screen)
    chosen = {"screen": "", "own": own.pk, "free": "free"}[choice]
    form = {"movie": make_movie().pk, "screen": screen.pk, "starts_at_0": "2099-06-01", "starts_at_1": "18:00"}
    staff.post(ADD, form | {"ends_at_0": "", "ends_at_1": "", "price_list": chosen})
    assert Show.objects.get().price_list == {"screen": of_screen, "own": own, "free": None}[choice]


def test_the_form_of_a_planned_show_has_one_choice_of_no_prices(staff):
    show = make_show(price_list=make_price_list())
    path = f"/admin/booking/show/{show.pk}/change/"
    field = staff.get(path).context["adminform"].form.fields["price_list"]
    assert [text for _, text in field.choices].count("None: the show is free") == 1
    answer = staff.post(path, {"price_list": "free"})
    assert "price_list" in answer.context["adminform"].form.errors
