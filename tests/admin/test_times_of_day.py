"""Times of day in the admin: their input and their format."""

from datetime import datetime, time, timezone

import pytest
from django.template import Context, Template

from booking.admin.forms import CopyShowForm
from booking.admin.times_of_day import TimeOfDayField, parse_time
from booking.models import Show
from tests.factories import make_movie, make_price_list, make_screen, make_show
from tests.staff import form_errors, show_form

ADD = "/admin/booking/show/add/"
TIMES = {
    "20:30": time(20, 30), "9.30": time(9, 30), "1130": time(11, 30), "930": time(9, 30), "9": time(9), "0": time(0),
    "11am": time(11), "11 a.m.": time(11), "11:15PM": time(23, 15), "12am": time(0), "12pm": time(12), "8p": time(20),
    "21h": time(21), "21h30": time(21, 30), " 9 30 ": time(9, 30), "09:05:30": time(9, 5, 30),
}  # fmt: skip


@pytest.mark.parametrize("text", TIMES)
def test_a_time_of_day_is_read(text):
    assert parse_time(text) == TIMES[text]


@pytest.mark.parametrize(
    "text",
    ["", "24:00", "20:60", "9:3", "9.", "13pm", "0am", "am", "noon", "123456", "-9", "٩:٣٠", "9:30:61", "20:30x"],
)
def test_any_other_text_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 (some come from `time`)
        parse_time(text)


def test_the_error_lists_the_accepted_formats(staff):
    form = show_form(make_movie(), make_screen()) | {"starts_at_1": "noon"}
    assert form_errors(staff.post(ADD, form)) == {
        "starts_at": ["Enter a time such as 20:30, 9.30, 1130 or 11am."],
    }


@pytest.mark.parametrize("text", ["9.30", "930", "9:30am"])
def test_a_show_is_planned_with_such_a_time(staff, text):
    staff.post(ADD, show_form(make_movie(), make_screen()) | {"starts_at_1": text})
    assert Show.objects.get().starts_at == datetime(2099, 6, 1, 9, 30, tzinfo=timezone.utc)


def test_the_times_of_copies_are_read_in_the_same_way():
    form = CopyShowForm({"first_day": "2099-06-01", "last_day": "2099-06-01", "times": "9.30, 11 am 1415"})
    assert (form.is_valid(), form.cleaned_data["times"]) == (True, [time(9, 30), time(11), time(14, 15)])


def test_a_form_hides_seconds_and_preserves_them(staff):
    starts_at = datetime(2099, 6, 1, 14, 0, 30, tzinfo=timezone.utc)
    show, prices = make_show(starts_at=starts_at), make_price_list()
    page = f"/admin/booking/show/{show.pk}/change/"
    assert 'value="14:00"' in str(staff.get(page).context["adminform"].form["starts_at"])
    staff.post(
        page, show_form(show.movie, show.screen, starts_at=starts_at, ends_at=show.ends_at, price_list=prices.pk)
    )
    show.refresh_from_db()
    assert (show.price_list, show.starts_at) == (prices, starts_at)


def test_seconds_that_are_typed_are_a_change():
    initial = time(14, 0, 30)
    assert [TimeOfDayField().has_changed(initial, text) for text in ("14:00", "14:00:31", "14:00:30")] == [0, 1, 0]


def test_an_empty_time_is_none():
    assert TimeOfDayField(required=False).clean("") is None


def test_pages_show_24_hours_without_seconds():
    moment = datetime(2099, 6, 1, 14, 5, 30)  # noqa: DTZ001
    template = Template('{{ at }}|{{ at.time }}|{{ at|date:"DATETIME_FORMAT" }}|{{ at|date:"SHORT_DATETIME_FORMAT" }}')
    assert template.render(Context({"at": moment})) == "1 Jun 2099, 14:05|14:05|1 Jun 2099, 14:05|01/06/2099 14:05"
