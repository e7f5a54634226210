"""Requests of staff to the pages of the admin."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models.signals import pre_save
from django.test import Client
from django.utils import timezone

from booking.models import Booking, Movie, PriceList, Screen, Show, User
from tests.conftest import signed_in
from tests.factories import STARTS_AT, make_booking, make_movie, make_price_list, make_screen, make_show, make_user
from tests.races import at_once
from tests.staff import BOOKINGS, SHOWS, act, form_errors, page_messages, sell, show_form

MOVIES = "/admin/booking/movie/"
SCREEN_FORM = {"name": "One", "layout": "SSS\nSSS", "turnaround_minutes": 15}


def change_form(show, **changes):
    """Return the data that a browser posts when only `changes` were made to the form of `show`."""
    values = {name: getattr(show, name) for name in ("starts_at", "ends_at")} | {"price_list": show.price_list_id}
    form = show_form(changes.pop("movie", show.movie), changes.pop("screen", show.screen), **(values | changes))
    return {name: "" if value is None else value for name, value in form.items()}


# --- Every page ---


@pytest.mark.parametrize("model", ["user", "movie", "screen", "show", "booking"])
def test_list_and_add_pages_open(staff, model):
    for path in ("", "add/"):
        assert staff.get(f"/admin/booking/{model}/{path}").status_code == 200


@pytest.mark.parametrize("title", ["Heat", ""])
def test_a_form_is_not_saved_as_another_row(staff, title):
    movie = make_movie(title="Alien")
    response = staff.post(f"{MOVIES}{movie.pk}/change/", {"title": title, "_saveasnew": "1"})
    assert response.status_code == (302 if title else 200)
    assert Movie.objects.values_list("pk", "title").get() == (movie.pk, title or "Alien")


def test_a_show_is_not_saved_as_another_one(staff, show):
    form = change_form(show, starts_at=show.starts_at + timedelta(days=1), ends_at=show.ends_at + timedelta(days=1))
    for wrong in ({"starts_at_0": "x"}, {}):
        staff.post(f"{SHOWS}{show.pk}/change/", form | wrong | {"_saveasnew": "1"})
    assert Show.objects.values_list("pk", "starts_at").get() == (show.pk, show.starts_at + timedelta(days=1))


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("path", "queries"),
    [(MOVIES, 8), (SHOWS, 9), (BOOKINGS, 6), ("/admin/booking/screen/", 5), ("/admin/booking/user/", 6)],
)
def test_a_list_costs_the_same_queries_for_1_and_3_rows(staff, path, queries, rows, django_assert_num_queries):
    for _ in range(rows):
        make_booking()
    with django_assert_num_queries(queries):
        staff.get(path)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"{MOVIES}?q=heat&genre=Crime", 1),
        (f"{MOVIES}?q=heat&genre=Drama", 0),
        (f"{SHOWS}?q=heat&state=upcoming", 1),
        (f"{SHOWS}?state=past", 0),
        (f"{SHOWS}?state=cancelled", 0),
        (f"{BOOKINGS}?q=nora&status__exact=booked&day=2099-06-01", 1),
        (f"{BOOKINGS}?q=nora&day=2099-06-02", 0),
        ("/admin/booking/user/?q=nora", 1),
    ],
)
def test_search_and_filters_work_on_each_list(staff, path, found):
    make_booking(show=make_show(movie=make_movie(title="Heat", genre="Crime")), user=make_user(username="nora"))
    make_booking()
    assert len(staff.get(path).context["cl"].result_list) == found


# --- Accounts ---


def test_staff_create_an_account(staff):
    form = {"username": "nora", "password1": "a long pass phrase", "password2": "a long pass phrase"}
    staff.post("/admin/booking/user/add/", form | {"usable_password": "true"})
    assert User.objects.get(username="nora").check_password("a long pass phrase")


def test_a_username_that_differs_only_in_case_is_refused_on_the_form(staff):
    make_user(username="nora")
    form = {"username": "NORA", "password1": "a long pass phrase", "password2": "a long pass phrase"}
    response = staff.post("/admin/booking/user/add/", form | {"usable_password": "true"})
    assert list(form_errors(response)) == ["username"]


# --- Movies ---


def upload(client, content: bytes):
    from django.core.files.uploadedfile import SimpleUploadedFile

    return client.post(f"{MOVIES}import/", {"file": SimpleUploadedFile("movies.csv", content)})


HEADER = b"title,duration_minutes,certificate,release_date,genre,director\n"


def test_a_filter_has_a_name_for_the_empty_value(staff):
    make_movie(genre="")
    assert '<a href="?genre=">Not known</a>' in staff.get(MOVIES).content.decode()


def test_the_movie_list_counts_upcoming_shows(staff):
    show = make_show()
    make_show(movie=show.movie, starts_at=timezone.now() - timedelta(days=2))
    make_show(movie=show.movie, starts_at=STARTS_AT + timedelta(days=1), cancelled_at=timezone.now())
    [row] = staff.get(MOVIES).context["cl"].result_list
    assert row.upcoming_shows == 1


def test_an_unreadable_file_is_refused_on_the_form(staff):
    response = upload(staff, b"\xff\x00\x81")
    assert response.context["form"].errors["file"] == [
        "The file is not text in UTF-8, UTF-16 or Windows-1252. Nothing was changed."
    ]
    assert Movie.objects.count() == 0


def test_a_huge_file_is_refused_on_the_form(staff, settings):
    settings.MAX_UPLOAD_BYTES = 10
    response = upload(staff, HEADER)
    assert response.context["form"].errors["file"] == ["The file is larger than 0 MB."]


def test_the_import_page_opens_from_the_list(staff):
    assert f"{MOVIES}import/" in staff.get(MOVIES).content.decode()
    assert staff.get(f"{MOVIES}import/").status_code == 200


# --- Shows ---


def test_a_new_show_takes_its_end_and_seats_from_movie_and_screen(staff):
    movie, screen = make_movie(duration_minutes=95), make_screen(rows=4, seats_per_row=6)
    staff.post(f"{SHOWS}add/", show_form(movie, screen))
    show = Show.objects.get()
    assert (show.ends_at - show.starts_at, show.plan) == (timedelta(minutes=95), screen.plan)


def test_the_form_refuses_a_movie_without_length_and_keeps_the_input(staff):
    response = staff.post(f"{SHOWS}add/", show_form(make_movie(duration_minutes=None), make_screen()))
    assert list(form_errors(response)) == ["movie"]
    assert response.context["adminform"].form["starts_at"].value()[:2] == [
        f"{STARTS_AT:%Y-%m-%d}",
        f"{STARTS_AT:%H:%M}",
    ]


def test_an_overlapping_show_is_refused_on_the_form(staff, show):
    response = staff.post(f"{SHOWS}add/", show_form(show.movie, show.screen))
    assert list(form_errors(response)) == ["starts_at"]
    assert Show.objects.count() == 1


def test_a_show_that_ends_before_it_starts_is_refused_on_the_form(staff):
    form = show_form(make_movie(), make_screen(), ends_at=STARTS_AT - timedelta(hours=1))
    response = staff.post(f"{SHOWS}add/", form)
    assert form_errors(response) == {"ends_at": ["A show must end after it starts."]}


def test_a_screen_s_seat_plan_is_entered_as_text(staff):
    staff.post("/admin/booking/screen/add/", SCREEN_FORM | {"layout": "SS.SS\n\nWW"})
    screen = Screen.objects.get()
    assert (screen.plan.layout, screen.total_seats) == ("A SS.SS\n\nB WW", 6)


def test_an_invalid_layout_is_refused_with_line_and_column(staff):
    response = staff.post("/admin/booking/screen/add/", SCREEN_FORM | {"layout": "SSS\nS?S"})
    assert form_errors(response) == {
        "layout": ["Line 2, column 2: '?' is neither a category's letter nor a gap ('.')."]
    }


def test_another_layout_of_a_screen_changes_no_show(staff, show):
    path = f"/admin/booking/screen/{show.screen_id}/change/"
    assert staff.get(path).context["adminform"].form["layout"].value() == show.screen.plan.layout
    staff.post(path, SCREEN_FORM | {"layout": "SSS"})
    show.refresh_from_db()
    assert (show.screen.total_seats, show.screen.rows, show.total_seats) == (3, 1, 50)


def test_a_screen_of_version_1_0_is_shown_with_full_rows(staff):
    screen = Screen.objects.create(name="Old", rows=2, seats_per_row=3)
    form = staff.get(f"/admin/booking/screen/{screen.pk}/change/").context["adminform"].form
    assert (form["layout"].value(), screen.total_seats) == ("A SSS\nB SSS", 6)


def test_a_changed_start_moves_the_end(staff, show):
    staff.post(f"{SHOWS}{show.pk}/change/", change_form(show, starts_at=STARTS_AT + timedelta(hours=5)))
    show.refresh_from_db()
    assert show.ends_at == STARTS_AT + timedelta(hours=7)


LATER = STARTS_AT + timedelta(hours=5)


def test_moving_the_start_of_a_sold_show_needs_a_confirmation(staff, show):
    make_booking(show=show)
    response = staff.post(
        f"{SHOWS}{show.pk}/change/", change_form(show, starts_at=LATER, price_list=make_price_list().pk)
    )
    page = response.content.decode()
    texts = ("<strong>1 seat</strong>", "From Mon 1 Jun 2099, 18:00", "To <strong>Mon 1 Jun 2099, 23:00</strong>")
    assert all(text in page for text in texts)
    assert list(Show.objects.values_list("starts_at", "price_list")) == [(STARTS_AT, None)]


def test_a_confirmed_start_moves_with_the_form_s_other_changes(staff, show):
    make_booking(show=show)
    path = f"{SHOWS}{show.pk}/change/"
    question = staff.post(path, change_form(show, starts_at=LATER, price_list=make_price_list().pk))
    staff.post(path, dict(question.context["form_fields"]) | {"start_confirmed": "yes"})
    assert list(Show.objects.values_list("starts_at", "price_list")) == [(LATER, PriceList.objects.get().pk)]


def test_other_changes_of_a_sold_show_are_saved_without_asking(staff, show):
    make_booking(show=show)
    staff.post(f"{SHOWS}{show.pk}/change/", change_form(show, price_list=make_price_list().pk))
    assert Show.objects.get().price_list == PriceList.objects.get()


@pytest.mark.parametrize(("field", "make"), [("movie", make_movie), ("screen", make_screen)])
def test_the_form_refuses_changes_that_sold_seats_depend_on(staff, show, field, make):
    make_booking(show=show, seat_number=50)
    value = make()
    response = staff.post(f"{SHOWS}{show.pk}/change/", change_form(show, **{field: value}))
    assert list(form_errors(response)) == [field]


def test_a_show_with_bookings_is_not_deleted(staff, show):
    make_booking(show=show)
    staff.post(f"{SHOWS}{show.pk}/delete/", {"post": "yes"})
    assert Show.objects.filter(pk=show.pk).exists()


def test_a_seat_booked_while_staff_confirm_a_deletion_keeps_the_show(staff, show, monkeypatch):
    # As if the seat were booked between Django's own check and the service's.
    monkeypatch.setattr("booking.admin.shows.ShowAdmin.get_deleted_objects", lambda *_: ([], {}, set(), []))
    make_booking(show=show)
    response = staff.post(f"{SHOWS}{show.pk}/delete/", {"post": "yes"})
    assert page_messages(response) == ["A show with bookings can't be deleted; cancel it instead."]


def test_a_show_without_bookings_is_deleted(staff, show):
    staff.post(f"{SHOWS}{show.pk}/delete/", {"post": "yes"})
    assert not Show.objects.exists()


def test_cancelling_needs_a_confirmation(staff, show):
    response = act(staff, SHOWS, "cancel", [show])
    assert "This can't be undone" in response.content.decode()
    assert not Show.objects.get().is_cancelled


def test_cancelling_cancels_the_active_bookings(staff, show):
    booking = make_booking(show=show)
    response = act(staff, SHOWS, "cancel", [show], confirmed="yes")
    booking.refresh_from_db()
    assert (page_messages(response), booking.status) == (["1 show cancelled."], "cancelled")


def test_cancelling_twice_is_refused_with_a_message(staff, show):
    act(staff, SHOWS, "cancel", [show], confirmed="yes")
    response = act(staff, SHOWS, "cancel", [show], confirmed="yes")
    assert page_messages(response)[-1] == f"{show}: This show has been cancelled."


def test_a_cancelled_show_is_read_only(staff):
    show = make_show(cancelled_at=timezone.now())
    assert not staff.get(f"{SHOWS}{show.pk}/change/").context["has_change_permission"]


def copy(client, shows, **data):
    first_day = STARTS_AT.date() + timedelta(days=1)
    form = {"first_day": first_day, "last_day": first_day + timedelta(days=1), "times": "14:00, 20:30"}
    return act(client, SHOWS, "copy", shows, confirmed="yes", **(form | data))


def test_a_show_is_copied_to_days_and_times(staff, show):
    response = copy(staff, [show])
    starts = [show.starts_at.strftime("%d %H:%M") for show in Show.objects.exclude(pk=show.pk)]
    assert starts == ["02 14:00", "02 20:30", "03 14:00", "03 20:30"]
    assert page_messages(response) == ["4 shows added."]


def test_one_overlapping_copy_prevents_all_copies(staff, show):
    response = copy(staff, [show], times="14:00 15:00")
    assert "Nothing was added." in response.context["form"].non_field_errors()[0]
    assert Show.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("times", "noon"),
        ("times", "14:00+02:00"),
        ("last_day", "2099-06-01"),
        ("last_day", "2100-06-01"),
        ("first_day", ""),
    ],
)
def test_an_invalid_copy_form_is_refused(staff, show, field, value):
    response = copy(staff, [show], **{field: value})
    assert list(response.context["form"].errors) == [field]


def test_a_copy_needs_one_show(staff, show):
    response = act(staff, SHOWS, "copy", [show, make_show(starts_at=STARTS_AT + timedelta(days=1))])
    assert page_messages(response) == ["Select one show."]


def test_the_copy_form_opens(staff, show):
    assert "first_day" in act(staff, SHOWS, "copy", [show]).content.decode()


def test_the_list_has_sold_seats_and_state_of_each_show(staff, show):
    make_booking(show=show)
    make_show(starts_at=timezone.now() - timedelta(hours=1))
    make_show(cancelled_at=timezone.now())
    page = staff.get(SHOWS).content.decode()
    assert all(text in page for text in ("1 of 50", "on sale", "started", "cancelled"))


# --- Bookings ---


def test_a_seat_is_sold_to_a_customer(box_office, show, user):
    sell(box_office, show, customer="ESHA")
    booking = Booking.objects.get()
    assert (booking.user, booking.seat_number, booking.status) == (user, 7, "booked")
    assert LogEntry.objects.get().object_id == str(booking.pk)


def test_a_taken_seat_is_refused_on_the_form(box_office, show, user):
    make_booking(show=show, seat_number=7)
    response = sell(box_office, show)
    assert form_errors(response) == {"seat_number": ["Seat A7 is already taken."]}
    assert Booking.objects.count() == 1


@pytest.mark.parametrize(
    ("seat_number", "customer", "field"),
    [
        (99, "esha", "seat_number"),
        (0, "esha", "seat_number"),
        ("9" * 20, "esha", "seat_number"),
        ("A0", "esha", "seat_number"),
        ("A11", "esha", "seat_number"),
        ("ZZZZ1", "esha", "seat_number"),
        ("\u01311", "esha", "seat_number"),
        (7, "x", "customer"),
    ],
)
def test_an_invalid_sale_is_refused_on_the_form(box_office, show, user, seat_number, customer, field):
    response = sell(box_office, show, customer, seat_number)
    assert list(form_errors(response)) == [field]
    assert not Booking.objects.exists()


def test_the_sell_form_offers_shows_that_can_be_sold(box_office, show):
    make_show(movie=show.movie, starts_at=timezone.now() - timedelta(days=1))
    make_show(movie=show.movie, cancelled_at=timezone.now())
    query = {"app_label": "booking", "model_name": "booking", "field_name": "show", "term": show.movie.title}
    found = box_office.get("/admin/autocomplete/", query).json()["results"]
    assert [result["id"] for result in found] == [str(show.pk)]


def test_the_seat_limit_does_not_bind_staff(box_office, show, user, settings):
    settings.MAX_SEATS_PER_USER = 1
    make_booking(show=show, user=user)
    sold = sell(box_office, show)
    assert Booking.objects.filter(user=user).count() == 2
    notice, _ = page_messages(box_office.get(sold["Location"]))
    assert notice == f"{user} has 2 seats in this show; the limit is 1."


def test_a_booking_is_shown_but_not_edited(staff, show):
    booking = make_booking(show=show)
    path = f"{BOOKINGS}{booking.pk}/change/"
    assert booking.reference in staff.get(path).content.decode()
    assert staff.post(path, {"show": show.pk, "seat_number": 9, "customer": "boss"}).status_code == 403


def test_a_booking_is_not_deleted(staff):
    booking = make_booking()
    assert staff.post(f"{BOOKINGS}{booking.pk}/delete/", {"post": "yes"}).status_code == 403
    act(staff, BOOKINGS, "delete_selected", [booking], post="yes")
    assert Booking.objects.count() == 1


# --- Who may do what ---


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (SHOWS, 200),
        (BOOKINGS, 200),
        (f"{BOOKINGS}add/", 200),
        (f"{SHOWS}add/", 403),
        (MOVIES, 403),
        (f"{MOVIES}import/", 403),
        ("/admin/booking/screen/", 403),
        ("/admin/booking/user/", 403),
    ],
)
def test_the_box_office_only_sees_shows_and_sells(box_office, path, status):
    assert box_office.get(path).status_code == status


@pytest.mark.parametrize("action", ["cancel", "copy"])
def test_the_box_office_can_neither_cancel_nor_copy(box_office, show, action):
    act(box_office, SHOWS, action, [show], confirmed="yes")
    assert list(Show.objects.values_list("cancelled_at")) == [(None,)]


def test_a_customer_can_not_use_the_admin(user):
    client = Client()
    client.force_login(user)
    assert client.get("/admin/").status_code == 302
    assert signed_in(user).get("/admin/").status_code == 302


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets no second writer in between")
@pytest.mark.django_db(transaction=True)
def test_a_screen_that_is_saved_at_the_same_time_is_refused_on_the_form(staff):
    def save_rival(instance, **kwargs):
        pre_save.disconnect(save_rival, Screen)
        at_once([lambda: Screen.objects.create(name="One", rows=1, seats_per_row=1)])

    pre_save.connect(save_rival, Screen)
    response = staff.post("/admin/booking/screen/add/", SCREEN_FORM)
    assert list(form_errors(response)) == ["name"]


@pytest.mark.parametrize(
    ("minutes", "errors"), [("15", {}), ("241", ["turnaround_minutes"]), ("-1", ["turnaround_minutes"])]
)
def test_a_screen_has_a_turnaround_of_four_hours_at_most(staff, minutes, errors):
    response = staff.post("/admin/booking/screen/add/", SCREEN_FORM | {"turnaround_minutes": minutes})
    assert list(form_errors(response) if errors else {}) == list(errors)
    assert list(Screen.objects.values_list("turnaround_minutes", flat=True)) == ([] if errors else [15])


def test_a_second_screen_of_the_same_name_is_refused_on_the_form(staff):
    make_screen(name="One")
    response = staff.post("/admin/booking/screen/add/", SCREEN_FORM)
    assert list(form_errors(response)) == ["name"]
    assert Screen.objects.count() == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets no second writer in between")
@pytest.mark.django_db(transaction=True)
def test_a_movie_deleted_while_its_show_is_planned_is_reported_on_the_form(staff):
    movie, screen = make_movie(), make_screen()
    pending = [Movie.objects.filter(pk=movie.pk).delete]

    def delete_first(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "booking_show"') and pending:
            at_once([pending.pop()])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_first):
        response = staff.post(f"{SHOWS}add/", show_form(movie, screen))
    assert list(form_errors(response)) == ["movie"]


@pytest.mark.parametrize("selected", ["abc", "", "\0", "0", "-1", "1.5", "9" * 30])
@pytest.mark.parametrize(("of", "action"), [("show", "copy"), ("show", "cancel"), ("booking", "cancel")])
def test_an_action_on_an_invalid_id_is_refused(staff, of, action, selected):
    data = {"action": action, "_selected_action": selected, "confirmed": "yes"}
    response = staff.post(f"/admin/booking/{of}/", data, follow=True)
    assert (response.status_code, page_messages(response)) == (200, ["The selected items are not in this list."])


@pytest.mark.parametrize("value", ["abc", "\0", "0", "-1", "9" * 5000])
@pytest.mark.parametrize(("path", "field"), [("booking/add", "show"), ("show/add", "movie")])
def test_an_invalid_id_in_a_field_with_a_search_is_reported(staff, path, field, value):
    response = staff.post(f"/admin/booking/{path}/", {field: value})
    assert field in form_errors(response)


@pytest.mark.parametrize("value", ["abc", "0", "-1", "9" * 500])
def test_the_mail_preview_opens_with_any_id_of_a_show(staff, value):
    assert staff.get(f"/admin/booking/order/mail/?show={value}", follow=True).status_code == 200


@pytest.mark.parametrize("show_id", ["abc", "%00", "0", "-1", "1.5", "9" * 30])
def test_an_invalid_id_has_no_hall(staff, show_id):
    hall = f"/admin/booking/show/{show_id}/hall/"
    assert (staff.get(hall).status_code, staff.post(f"{hall}sell/").status_code) == (404, 404)


def test_each_page_has_an_icon(staff):
    icon = '<link rel="icon" type="image/svg+xml" href="/static/booking/icon.svg">'
    assert [icon in staff.get(f"/admin/{path}").content.decode() for path in ("", "booking/show/add/")] == [True, True]


# --- Deactivated customers ---


def test_a_seat_is_not_sold_to_a_deactivated_customer(box_office, show, user):
    User.objects.filter(pk=user.pk).update(is_active=False)
    sentence = "The account esha is deactivated. Activate it first, or sell to another one."
    assert form_errors(sell(box_office, show)) == {"customer": [sentence]}
    assert not Booking.objects.exists()


def test_seats_of_the_hall_are_not_sold_to_a_deactivated_customer(box_office, show, user):
    User.objects.filter(pk=user.pk).update(is_active=False)
    response = box_office.post(f"{SHOWS}{show.pk}/hall/sell/", {"seats": "1,2", "customer": "ESHA"})
    assert (response.status_code, "is deactivated" in response.json()["detail"]) == (409, True)
    assert not Booking.objects.exists()
