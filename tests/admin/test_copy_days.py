"""The admin page that copies the shows of a day or a week."""

from datetime import date, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from booking.models import Movie, Show
from tests.factories import STARTS_AT, make_movie, make_show
from tests.races import at_once
from tests.staff import page_messages

COPY = "/admin/booking/show/copy/"
DAY = timedelta(days=1)
FORM = {"copy": "day", "first_day": "2099-06-01", "to": "2099-06-02", "rounds": "1"}


def errors(response):
    return {name: list(texts) for name, texts in response.context["form"].errors.items()}


def chosen(staff, **fields):
    return [copy.key for copy in staff.post(COPY, FORM | fields).context["copies"]]


@pytest.mark.parametrize(
    ("query", "suggestion"),
    [
        ("?day=2099-06-01", {"copy": "day", "first_day": date(2099, 6, 1), "to": date(2099, 6, 2)}),
        ("?day=2099-06-01&copy=week", {"copy": "week", "first_day": date(2099, 6, 1), "to": date(2099, 6, 8)}),
    ],
)
def test_the_form_suggests_the_next_day_or_week(staff, query, suggestion):
    assert staff.get(COPY + query).context["form"].initial == suggestion


def test_a_bad_day_in_the_address_suggests_today(staff):
    assert staff.get(f"{COPY}?day=x").context["form"].initial["copy"] == "day"


def test_a_preview_lists_the_copies(staff):
    show = make_show(movie=make_movie(title="Alien"))
    page = staff.post(COPY, FORM).content.decode()
    assert "1 show." in page
    assert "Tue 2 Jun 2099 18:00" in page
    assert Show.objects.get() == show


def test_copies_are_added_and_logged(staff):
    make_show()
    response = staff.post(COPY, FORM | {"add": "yes", "chosen": chosen(staff)})
    assert response.url == "/admin/booking/show/plan/?day=2099-06-02"
    assert page_messages(response) == ["1 show added."]
    assert LogEntry.objects.get().object_id == str(Show.objects.get(starts_at=STARTS_AT + DAY).pk)


def test_the_message_counts_two_copies(staff):
    make_show()
    form = FORM | {"rounds": "2"}
    response = staff.post(COPY, form | {"add": "yes", "chosen": chosen(staff, rounds="2")})
    assert page_messages(response) == ["2 shows added."]


def test_refused_copies_are_previewed_again(staff):
    show = make_show()
    keys = chosen(staff)
    make_show(starts_at=STARTS_AT + DAY, screen=show.screen)
    response = staff.post(COPY, FORM | {"add": "yes", "chosen": keys})
    [error] = errors(response)["__all__"]
    assert error.startswith("Overlaps with ")
    assert error.endswith(" Nothing was added.")
    assert "1 show, of which 1 can't be added." in response.content.decode()


def test_without_a_ticked_copy_nothing_is_added(staff):
    make_show()
    response = staff.post(COPY, FORM | {"add": "yes"})
    assert errors(response) == {"__all__": ["Tick the shows to add."]}


@pytest.mark.parametrize("key", ["", "x", "1-20990602180000", "\0"])
def test_a_key_that_is_not_in_the_preview_is_refused(staff, key):
    response = staff.post(COPY, FORM | {"add": "yes", "chosen": key})
    assert errors(response)["__all__"] == [
        "The shows have changed since they were listed. Look at the list again. Nothing was added."
    ]


def test_the_preview_of_a_day_without_shows_has_a_message(staff):
    assert "There are no shows to copy." in staff.post(COPY, FORM).content.decode()


def test_too_many_copies_are_refused_on_the_form(staff, monkeypatch):
    monkeypatch.setattr("booking.services.programme.copies.MAX_COPIES", 0)
    make_show()
    assert errors(staff.post(COPY, FORM)) == {"__all__": ["These would be 1 shows. Copy 0 at a time at most."]}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": "2099-06-01"}, "to"),
        ({"to": "9999-12-31"}, "to"),
        ({"first_day": "x"}, "first_day"),
        ({"copy": "year"}, "copy"),
        ({"rounds": "0"}, "rounds"),
        ({"rounds": "32"}, "rounds"),
    ],
)
def test_bad_input_is_refused_on_its_field(staff, fields, field):
    assert list(errors(staff.post(COPY, FORM | fields))) == [field]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets no second writer in between")
@pytest.mark.django_db(transaction=True)
def test_a_movie_deleted_while_its_show_is_copied_is_reported(staff):
    show = make_show()
    keys = chosen(staff)
    pending = [lambda: (Show.objects.filter(pk=show.pk).delete(), Movie.objects.filter(pk=show.movie_id).delete())]

    def delete_first(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "booking_show"') and pending:
            at_once([pending.pop()])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_first):
        response = staff.post(COPY, FORM | {"add": "yes", "chosen": keys})
    assert errors(response) == {"__all__": ["A show was deleted at the same time. Nothing was added."]}
