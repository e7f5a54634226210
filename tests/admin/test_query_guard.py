"""Invalid query strings on pages of the admin."""

import logging

import pytest
from django.contrib import admin
from django.db import OperationalError
from django.utils import timezone

from booking.admin.query_guard import LEFT_OUT, TOO_LONG
from booking.admin.site import CinemaSite
from booking.models import Show
from tests.factories import make_booking, make_movie, make_screen
from tests.staff import SHOWS, page_messages, show_form

DIGITS = "9" * 20
LISTS = {
    "show": "starts_at",
    "booking": "created_at",
    "user": "date_joined",
    "movie": "release_date",
}
TIMES = ["9999", "0", "-1", "99999999", DIGITS, "x", "0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59-14:00"]


@pytest.fixture
def booking(db):
    return make_booking(created_at=timezone.now())


def check(response, path, message=LEFT_OUT):
    """Assert that the page is shown without its query string, with a message."""
    assert response.redirect_chain == [(path, 302)]
    assert (response.status_code, page_messages(response)) == (200, [message])


# --- Lists ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lookup", ["", "__year", "__gte", "__date", "__month", "__range"])
@pytest.mark.parametrize("model", LISTS)
def test_a_list_accepts_any_time(staff, booking, model, lookup):
    name = f"{LISTS[model]}{lookup}"
    answers = [staff.get(f"/admin/booking/{model}/", {name: value}).status_code for value in TIMES]
    assert set(answers) <= {200, 302}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (SHOWS, {"starts_at__year": DIGITS}),
        (SHOWS, {"id": "x"}),
        (SHOWS, {"screen__id__range": "x"}),
        (SHOWS, {"nonsense": "1"}),
        (SHOWS, {"nonsense": "1", "e": "1"}),
        ("/admin/booking/user/", {"date_joined__year": "99999999"}),
        ("/admin/booking/user/", {"is_staff__exact": "2", "e": "1"}),
        ("/admin/booking/movie/", {"title__regex": "("}),
        ("/admin/auth/group/", {"id__range": "1"}),
    ],
)
def test_invalid_filters_are_left_out(staff, booking, path, query):
    check(staff.get(path, query, follow=True), path)


def test_an_id_of_20_digits_finds_nothing_or_is_left_out(staff, booking):
    for name in ("id", "id__exact", "id__in", "id__gt", "screen__id__exact", "pk"):
        assert staff.get(SHOWS, {name: DIGITS}, follow=True).status_code == 200, name


@pytest.mark.parametrize("more", [{}, {"starts_at__month": "13", "starts_at__day": "31"}])
def test_the_date_hierarchy_accepts_any_year(staff, booking, more):
    for year in ("0", "1", "9999", "10000", DIGITS):
        assert staff.get(SHOWS, {"starts_at__year": year} | more, follow=True).status_code == 200, year


def test_the_error_flag_is_ignored(staff, booking):
    for value in ("", "1", "x", DIGITS, "[]", "1&e=2", "\ud7ff"):
        assert staff.get(f"{SHOWS}?e={value}", follow=True).status_code == 200, value


@pytest.mark.parametrize("path", [SHOWS, "/admin/booking/booking/", "/admin/booking/user/", "/admin/booking/movie/"])
@pytest.mark.parametrize("text", ["a " * 2000, "x" * 201])
def test_a_search_for_2000_words_is_left_out(staff, booking, path, text):
    check(staff.get(path, {"q": text}, follow=True), path, TOO_LONG)


def test_a_search_for_100_words_is_carried_out(staff, booking):
    response = staff.get(SHOWS, {"q": "a " * 100})
    assert (response.status_code, page_messages(response)) == (200, [])


def test_a_valid_filter_is_applied(staff, booking):
    response = staff.get(SHOWS, {"starts_at__year": "2099", "state": "upcoming"})
    assert (response.status_code, response.context["cl"].result_count) == (200, 1)


def test_an_action_with_bad_filters_is_not_carried_out(staff, booking):
    form = {"action": "cancel", "_selected_action": booking.show_id, "confirmed": "yes"}
    check(staff.post(f"{SHOWS}?id__range=x", form, follow=True), SHOWS)
    assert not Show.objects.get().is_cancelled


# --- Forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["movie", "screen", "starts_at", "ends_at", "total_seats", "day", "_popup"])
def test_a_form_accepts_any_initial_value(staff, booking, name):
    for value in ("", "0", "-1", "x", DIGITS, "99999", "2099-06-01", "1e9", "a,b", "[]"):
        assert staff.get(f"{SHOWS}add/", {name: value}, follow=True).status_code == 200, value


def test_a_form_with_a_bad_address_is_saved(staff):
    staff.post(f"{SHOWS}add/?movie={DIGITS}&_changelist_filters=%ff", show_form(make_movie(), make_screen()))
    assert Show.objects.count() == 1


@pytest.mark.parametrize("query", ["show=x", f"show={DIGITS}", "created_at=99999", f"seat_number={DIGITS}"])
def test_the_sell_form_accepts_any_value(staff, query):
    assert staff.get(f"/admin/booking/booking/add/?{query}", follow=True).status_code == 200


# --- What is no bad address -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{SHOWS}?movie__shows__bookings__user__password__startswith=a", 400),
        (f"{SHOWS}?_to_field=password", 400),
        ("/admin/autocomplete/?term=a", 403),
        ("/admin/booking/booking/reports/x.csv?x=1", 404),
    ],
)
def test_a_refusal_is_not_changed(staff, path, status):
    assert staff.get(path).status_code == status


def test_a_user_who_is_not_signed_in_is_redirected_to_sign_in(client, booking):
    response = client.get(f"{SHOWS}?starts_at__year={DIGITS}")
    assert (response.status_code, response.url.split("?")[0]) == (302, "/admin/login/")


def test_an_outage_is_not_reported_as_an_invalid_query(staff, booking, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("unable to open database file")

    monkeypatch.setattr(admin.site._registry[Show], "get_queryset", fail)
    staff.raise_request_exception = False
    assert staff.get(f"{SHOWS}?q=a").status_code == 503


def test_an_error_without_a_query_string_is_raised(staff, booking, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(admin.site._registry[Show], "get_queryset", fail)
    staff.raise_request_exception = False
    with caplog.at_level(logging.WARNING):
        assert staff.get(f"{SHOWS}?q=a", follow=True).status_code == 500
    assert "The query string of a page of the admin is not understood." in caplog.messages


def test_every_page_of_the_admin_is_guarded():
    assert isinstance(admin.site, CinemaSite)
