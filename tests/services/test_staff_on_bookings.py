"""The members of staff who sold, moved and cancelled a booking: stored, and shown to staff."""

from decimal import Decimal
from html import unescape
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.utils import timezone

from booking import services
from booking.models import Booking, User
from tests.factories import NOW, PASSWORD, make_booking, make_hold, make_user
from tests.staff import BOOKINGS, cancel_as, signed_in_as


@pytest.fixture
def clerk(db):
    return make_user(username="clerk", is_staff=True)


def staff_of(booking):
    return Booking.objects.values_list("sold_by", "moved_by", "cancelled_by").get(pk=booking.pk)


def sell(user, show, clerk, seat=1):
    return services.book_seat(user=user, show_id=show.pk, seat_number=seat, now=NOW, sold_by=clerk)


def move(booking, clerk, seat=2):
    return services.move_booking(user=booking.user, booking_id=booking.pk, seat_number=seat, now=NOW, moved_by=clerk)


def cancel(booking, clerk):
    return cancel_as(clerk, booking, NOW)


# --- On the booking ---------------------------------------------------------------------------


def test_a_sale_records_its_seller(user, show, clerk):
    assert staff_of(sell(user, show, clerk)) == (clerk.pk, None, None)


def test_the_sale_of_a_held_seat_records_its_seller(user, show, clerk):
    hold = make_hold(user=user, show=show)
    assert (sell(user, show, clerk).pk, staff_of(hold)) == (hold.pk, (clerk.pk, None, None))


def test_a_customer_s_own_booking_records_no_staff(user, show):
    booking = services.book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW)
    services.move_booking(user=user, booking_id=booking.pk, seat_number=2, now=NOW)
    services.cancel_booking(user=user, booking_id=booking.pk, now=NOW)
    assert staff_of(booking) == (None, None, None)


def test_a_booking_records_who_moved_and_cancelled_it(user, show, clerk):
    booking = make_booking(user=user, show=show)
    moved = move(booking, clerk)
    assert (moved.moved_by, cancel(booking, clerk).cancelled_by) == (clerk, clerk)
    assert staff_of(booking) == (None, clerk.pk, clerk.pk)


def test_a_move_by_the_customer_replaces_that_by_staff(user, show, clerk):
    booking = move(make_booking(user=user, show=show), clerk)
    services.move_booking(user=user, booking_id=booking.pk, seat_number=3, now=NOW)
    assert staff_of(booking) == (None, None, None)


def test_a_hold_on_the_seat_of_a_move_by_staff_is_cancelled_by_them(user, show, clerk):
    hold = make_hold(user=user, show=show, seat_number=2)
    move(make_booking(user=user, show=show), clerk)
    assert staff_of(hold) == (None, None, clerk.pk)


def test_bookings_of_a_cancelled_show_record_who_cancelled_it(user, show, clerk):
    made = [make_booking(user=user, show=show), make_hold(user=user, show=show, seat_number=2)]
    services.cancel_show(show_id=show.pk, now=NOW, cancelled_by=clerk)
    assert [staff_of(booking)[2] for booking in made] == [clerk.pk] * 2


# --- In the admin -----------------------------------------------------------------------------


def history(staff, thing):
    page = staff.get(f"/admin/booking/{thing._meta.model_name}/{thing.pk}/history/")
    lines = page.context["action_list"]
    return [(line.user and line.user.username, line.get_change_message()) for line in lines]


def test_the_hall_shows_who_sold_and_moved(staff, user, show, clerk):
    booking = move(sell(user, show, clerk), User.objects.get(username="boss"))
    hall = staff.get(f"/admin/booking/show/{show.pk}/hall/").json()
    assert hall["taken"]["2"]["title"] == f"sold to esha, {booking.reference} (sold by clerk, moved by boss)"


def test_the_page_of_a_booking_shows_who_sold_moved_and_cancelled_it(staff, user, show, clerk):
    booking = sell(user, show, clerk)
    move(booking, clerk)
    cancel(booking, clerk)
    page = staff.get(f"{BOOKINGS}{booking.pk}/change/").content.decode()
    assert page.count('<div class="readonly">clerk</div>') + page.count("clerk</a></div>") == 3


def test_the_page_of_a_booking_reports_a_cancellation_by_the_customer(staff, user, show):
    booking = make_booking(user=user, show=show, status="cancelled")
    assert '<div class="readonly">customer</div>' in staff.get(f"{BOOKINGS}{booking.pk}/change/").content.decode()


def test_the_history_of_a_sale_does_not_depend_on_the_log(staff, user, show, clerk):
    booking = sell(user, show, clerk)
    cancel(booking, clerk)
    LogEntry.objects.all().delete()
    assert history(staff, booking) == [("clerk", "Sold to esha."), ("clerk", "Cancelled.")]


def test_the_history_of_a_sale_remains_after_its_customer_was_deleted(staff, user, show, clerk):
    booking = sell(user, show, clerk)
    LogEntry.objects.all().delete()
    services.delete_account(user=user, password=PASSWORD, now=show.starts_at)
    assert history(staff, booking) == [("clerk", "Sold to a customer without an account.")]


def test_the_history_has_the_user_who_cancelled_the_show(staff, user, show):
    booking = make_booking(user=user, show=show, created_at=timezone.now())
    form = {"action": "cancel", "_selected_action": show.pk, "confirmed": "yes"}
    staff.post("/admin/booking/show/", form)
    assert history(staff, booking)[-1] == ("boss", "Cancelled with the show.")


# --- Accounts ---------------------------------------------------------------------------------


def changed_a_show(user, show, clerk):
    return LogEntry.objects.log_actions(clerk.pk, [show], CHANGE, change_message="Moved.")


CHANGES = {
    "sold": lambda user, show, clerk: sell(user, show, clerk),
    "moved": lambda user, show, clerk: move(make_booking(user=user, show=show), clerk),
    "cancelled": lambda user, show, clerk: cancel(make_booking(user=user, show=show), clerk),
}


def open_till(user, show, clerk):
    services.open_till(clerk=clerk, opening_float=Decimal(0), now=NOW)


@pytest.mark.parametrize("change", [*CHANGES.values(), open_till])
def test_a_clerk_with_a_history_is_not_deleted_over_the_api(user, show, clerk, change):
    change(user, show, clerk)
    LogEntry.objects.all().delete()
    User.objects.filter(pk=clerk.pk).update(is_staff=False)
    with pytest.raises(services.StaffAccount):
        services.delete_account(user=clerk, password=PASSWORD, now=NOW)


@pytest.mark.parametrize("change", [*CHANGES.values(), changed_a_show])
def test_a_clerk_with_a_history_is_not_deleted_in_the_admin(staff, user, show, clerk, change):
    change(user, show, clerk)
    pages = [
        staff.post(f"/admin/booking/user/{clerk.pk}/delete/", {"post": "yes"}),
        staff.post(
            "/admin/booking/user/",
            {"action": "delete_selected", "_selected_action": clerk.pk, "post": "yes"},
            follow=True,
        ),
        staff.get(f"/admin/booking/user/{clerk.pk}/change/"),
    ]
    sentence = "The history of shows and bookings lists what they did. Clear “Active” on the account's page instead."
    assert [sentence in unescape(page.content.decode()) for page in pages] == [True] * 3
    assert User.objects.filter(pk=clerk.pk).exists()


def test_a_clerk_without_a_history_is_deleted(staff, clerk):
    page = staff.get(f"/admin/booking/user/{clerk.pk}/change/").content.decode()
    staff.post(f"/admin/booking/user/{clerk.pk}/delete/", {"post": "yes"})
    assert ("lists what they did" in page, User.objects.filter(pk=clerk.pk).exists()) == (False, False)


def test_a_deactivated_clerk_is_in_the_history(staff, user, show, clerk):
    booking = sell(user, show, clerk)
    User.objects.filter(pk=clerk.pk).update(is_active=False)
    assert history(staff, booking) == [("clerk", "Sold to esha.")]
    assert signed_in_as(clerk).get("/admin/").status_code == 302


# --- The log of bookings from before ----------------------------------------------------------


def read_log():
    import_module("booking.migrations.0004_staff_from_log").read_log(apps, None)


def log(user, booking, flag, message):
    LogEntry.objects.log_actions(user.pk, [booking], flag, change_message=message)


def test_the_migration_fills_in_staff_from_the_log(user, show, clerk):
    booking = make_booking(user=user, show=show, status="cancelled")
    log(clerk, booking, ADDITION, "Sold to esha.")
    log(clerk, booking, CHANGE, "Moved from A1 to A2.")
    log(clerk, booking, CHANGE, "Cancelled.")
    read_log()
    assert staff_of(booking) == (clerk.pk,) * 3


def test_a_move_by_the_customer_is_not_filled_in(user, show):
    booking = make_booking(user=user, show=show)
    log(user, booking, CHANGE, "Moved from A1 to A2.")
    read_log()
    assert staff_of(booking) == (None, None, None)
