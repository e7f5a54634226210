"""Forms that were opened before a colleague changed the same row."""

from datetime import datetime, timedelta, timezone

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission

from booking.models import Movie, Screen, Show, TicketType, User
from booking.services import read_local_time
from tests.factories import (
    STARTS_AT,
    make_booking,
    make_movie,
    make_price_list,
    make_screen,
    make_show,
    make_ticket_type,
    make_user,
    redraw,
)
from tests.nights import BACK
from tests.page_forms import posted_form
from tests.staff import form_errors

HOUR = timedelta(hours=1)


def path_of(row):
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


def opened(client, row):
    """Return what a browser posts from the page of the row when nothing is changed."""
    return posted_form(client.get(path_of(row)), f"{row._meta.model_name}_form")


def save(client, row, form, **changes):
    return client.post(path_of(row), form | changes)


def newest_message():
    return LogEntry.objects.latest("pk").get_change_message()


def layout(screen):
    return screen.plan.layout.splitlines()


MAKE = {Show: make_show, Movie: make_movie, User: make_user, Screen: make_screen, TicketType: make_ticket_type}


@pytest.mark.parametrize("model", [*MAKE, Group])
def test_a_form_that_was_not_changed_saves_nothing(staff, model):
    row = MAKE[model]() if model in MAKE else Group.objects.create(name="Clerks")
    assert save(staff, row, opened(staff, row)).status_code == 302
    assert newest_message() == "No fields changed."


@pytest.mark.parametrize(
    ("model", "theirs", "mine"),
    [
        (Movie, {"duration_minutes": 99}, {"director": "Lang"}),
        (Movie, {"description": "One\nTwo"}, {"release_date": "2030-02-01"}),
        (Movie, {"release_date": STARTS_AT.date()}, {"title": "Metropolis"}),
        (User, {"is_active": False}, {"first_name": "Nora"}),
        (User, {"is_staff": True}, {"email": "nora@example.com"}),
        (User, {"date_joined": STARTS_AT}, {"first_name": "Nora"}),
        (Screen, {"turnaround_minutes": 25}, {"name": "Blue"}),
        (TicketType, {"is_active": False}, {"position": "7"}),
        (TicketType, {"position": 7}, {"description": "Up to 12"}),
    ],
)
def test_a_stale_form_keeps_what_a_colleague_changed(staff, model, theirs, mine):
    row = MAKE[model]()
    form = opened(staff, row)
    model.objects.filter(pk=row.pk).update(**theirs)
    assert save(staff, row, form, **mine).status_code == 302
    [saved] = model.objects.filter(pk=row.pk).values(*theirs, *mine)
    assert {name: str(value) for name, value in saved.items()} == {
        name: str(value) for name, value in (theirs | mine).items()
    }


@pytest.fixture
def lists():
    return make_price_list(name="Regular"), make_price_list(name="Holiday")


def test_a_stale_form_keeps_the_price_list_of_a_show(staff, lists):
    show = make_show(price_list=lists[0])
    form = opened(staff, show)
    Show.objects.update(price_list=lists[1])
    save(staff, show, form, ends_at_1="23:45")
    show.refresh_from_db()
    assert (show.price_list, f"{show.ends_at:%H:%M}") == (lists[1], "23:45")
    assert newest_message() == "Changed Ends at."


def test_a_stale_form_keeps_the_start_of_a_show(staff, lists):
    show = make_show(price_list=lists[0])
    form = opened(staff, show)
    Show.objects.update(starts_at=STARTS_AT + HOUR, ends_at=show.ends_at + HOUR)
    save(staff, show, form, price_list=lists[1].pk)
    assert Show.objects.values_list("starts_at", "ends_at", "price_list").get() == (
        STARTS_AT + HOUR,
        show.ends_at + HOUR,
        lists[1].pk,
    )


@pytest.mark.parametrize(("shown", "theirs"), [(0, 1), (1, 0)])
@pytest.mark.parametrize(("zone", "local", "offsets", "change"), BACK)
def test_a_stale_form_keeps_the_other_of_two_equal_local_times(
    staff, settings, lists, zone, local, offsets, change, shown, theirs
):
    settings.TIME_ZONE = zone
    ends = [read_local_time(local=local, offset=offset) for offset in offsets]
    show = make_show(starts_at=ends[0] - HOUR, ends_at=ends[shown])
    form = opened(staff, show)
    Show.objects.update(ends_at=ends[theirs])
    save(staff, show, form, price_list=lists[0].pk)
    assert Show.objects.values_list("ends_at", "price_list").get() == (ends[theirs], lists[0].pk)


def test_the_other_of_two_equal_local_times_is_a_change(staff, settings):
    settings.TIME_ZONE, local, offsets, _ = BACK[0]
    first, second = (read_local_time(local=local, offset=offset) for offset in offsets)
    show = make_show(starts_at=first - HOUR, ends_at=first)
    save(staff, show, opened(staff, show), ends_at_2=offsets[1])
    assert Show.objects.get().ends_at == second


def test_seconds_that_the_page_did_not_show_are_no_change(staff):
    joined = datetime(2026, 10, 25, 1, 30, 15, 123, tzinfo=timezone.utc)
    user = make_user(date_joined=joined)
    save(staff, user, opened(staff, user), first_name="Nora")
    assert User.objects.filter(pk=user.pk).values_list("first_name", "date_joined").get() == ("Nora", joined)


def test_a_stale_form_keeps_the_seat_plan_of_a_screen(staff):
    screen = redraw(make_screen(), "A SSS")
    form = opened(staff, screen)
    redraw(screen, "A SSSSS\nB SS")
    save(staff, screen, form, turnaround_minutes="25")
    screen = Screen.objects.get(pk=screen.pk)
    assert (layout(screen), screen.total_seats, screen.turnaround_minutes) == (["A SSSSS", "B SS"], 7, 25)
    assert newest_message() == "Changed Turnaround."


@pytest.mark.parametrize("shown", [[], ["Clerks"]])
def test_a_stale_form_keeps_the_groups_of_a_user(staff, shown):
    groups = {name: Group.objects.create(name=name) for name in ("Clerks", "Doors")}
    user = make_user()
    user.groups.set(groups[name] for name in shown)
    form = opened(staff, user)
    user.groups.set([groups["Doors"]])
    save(staff, user, form, first_name="Nora")
    user.refresh_from_db()
    assert (user.first_name, list(user.groups.all())) == ("Nora", [groups["Doors"]])


def test_a_stale_form_keeps_the_permissions_of_a_group(staff):
    group, [first, second] = Group.objects.create(name="Clerks"), Permission.objects.all()[:2]
    group.permissions.set([first])
    form = opened(staff, group)
    group.permissions.set([second])
    save(staff, group, form, name="Cashiers")
    group.refresh_from_db()
    assert (group.name, list(group.permissions.all())) == ("Cashiers", [second])


def test_the_last_change_of_the_same_field_wins(staff, lists):
    show = make_show(price_list=lists[0])
    form = opened(staff, show)
    Show.objects.update(price_list=lists[1])
    save(staff, show, form, price_list="")
    assert Show.objects.get().price_list is None


def test_a_change_back_to_what_a_colleague_also_chose_is_saved(staff):
    movie = make_movie(duration_minutes=90)
    form = opened(staff, movie)
    Movie.objects.update(duration_minutes=99)
    save(staff, movie, form, duration_minutes="99", director="Lang")
    assert Movie.objects.values_list("duration_minutes", "director").get() == (99, "Lang")


@pytest.mark.parametrize("shown", [[], ["Clerks"]])
def test_a_form_with_an_error_still_compares_with_the_page_that_was_opened(staff, shown):
    groups = {name: Group.objects.create(name=name) for name in ("Clerks", "Doors")}
    user = make_user()
    user.groups.set(groups[name] for name in shown)
    refused = save(staff, user, opened(staff, user), groups=[groups["Doors"].pk], email="x", date_joined_1="09:15")
    assert list(form_errors(refused)) == ["email"]
    User.objects.filter(pk=user.pk).update(is_active=False)
    save(staff, user, posted_form(refused, "user_form"), email="nora@example.com")
    user.refresh_from_db()
    assert (user.email, user.is_active, f"{user.date_joined:%H:%M}") == ("nora@example.com", False, "09:15")
    assert list(user.groups.all()) == [groups["Doors"]]


def test_a_form_without_the_shown_values_is_compared_with_the_database(staff):
    movie = make_movie(duration_minutes=90, director="Lang")
    form = {name: value for name, value in opened(staff, movie).items() if not name.startswith("initial-")}
    refused = save(staff, movie, form, title="", director="")
    assert "initial-" not in str(posted_form(refused, "movie_form"))
    save(staff, movie, form, director="")
    assert Movie.objects.values_list("duration_minutes", "director").get() == (90, "")
    assert newest_message() == "Changed Director."


@pytest.mark.parametrize("text", ["x", "2030-02-31 10:00Z", "2030-01-31 10:00", "\x00", "9" * 30])
def test_a_shown_value_that_is_none_counts_as_a_change(staff, lists, text):
    show = make_show(price_list=lists[0])
    shown = {f"initial-{name}": text for name in ("movie", "screen", "starts_at", "ends_at", "price_list")}
    assert save(staff, show, opened(staff, show), **shown).status_code == 302
    assert Show.objects.values_list("starts_at", "ends_at", "price_list").get() == (
        show.starts_at,
        show.ends_at,
        lists[0].pk,
    )


def test_the_question_before_a_start_is_moved_keeps_the_shown_values(staff, lists, user):
    show = make_show(price_list=lists[0])
    make_booking(show=show, user=user)
    form = opened(staff, show)
    question = save(staff, show, form, starts_at_1="13:00")
    fields = dict(question.context["form_fields"])
    Show.objects.update(price_list=lists[1])
    save(staff, show, fields, start_confirmed="yes", note="")
    show.refresh_from_db()
    assert (f"{show.starts_at:%H:%M}", show.price_list) == ("13:00", lists[1])
