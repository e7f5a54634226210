"""The admin's front page."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone as django_timezone
from django.utils.formats import date_format
from django.utils.html import strip_tags
from django.utils.timezone import localtime
from django_tasks_db.models import DBTaskResult

from booking import services
from booking.infrastructure.tasks import enqueue, new_task
from booking.models import User
from booking.services import open_till
from booking.services.reports import Sales
from tests.admin.orders import text_of
from tests.factories import make_booking, make_movie, make_show
from tests.staff import staff_with
from tests.tills import make_clerk, till_of

NOON = datetime(2099, 6, 1, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def with_seats_sold(count, **fields):
    show = make_show(total_seats=10, **fields)
    for seat in range(1, count + 1):
        make_booking(show=show, seat_number=seat)
    return show


def made(*moments, **fields):
    """Create a booking at each of the times, for a show in the far future."""
    show = make_show(starts_at=NOON + 30 * DAY)
    for seat, moment in enumerate(moments, 1):
        make_booking(show=show, seat_number=seat, created_at=moment, **fields)


def today(now=NOON):
    return [show.pk for show in services.read_programme(now=now).today]


def nearly_full():
    return [show.pk for show in services.read_programme(now=NOON).nearly_full]


# --- Today's shows ---


def test_today_s_shows_start_today():
    shows = [make_show(starts_at=NOON + hours * HOUR) for hours in (-12.1, -12, 11.9, 12)]
    assert today() == [shows[1].pk, shows[2].pk]


@pytest.mark.parametrize(("zone", "hours"), [("Europe/London", 1), ("America/New_York", -4)])
def test_today_is_a_day_of_the_cinema_s_time_zone(settings, zone, hours):
    settings.TIME_ZONE = zone
    midnight = NOON - (12 + hours) * HOUR
    shows = [make_show(starts_at=midnight + after) for after in (-HOUR / 10, 0 * HOUR, DAY - HOUR / 10, DAY)]
    assert today() == [shows[1].pk, shows[2].pk]


# --- What sells out ---


def test_a_show_is_nearly_full_from_90_percent_on():
    shows = [with_seats_sold(sold, starts_at=NOON + HOUR) for sold in (8, 9)]
    assert nearly_full() == [shows[1].pk]


def test_the_fullest_shows_are_first_and_of_these_the_soonest():
    shows = [with_seats_sold(sold, starts_at=NOON + hours * HOUR) for sold, hours in ((9, 1), (10, 3), (10, 2))]
    assert nearly_full() == [shows[2].pk, shows[1].pk, shows[0].pk]


def test_at_most_ten_nearly_full_shows_are_listed():
    shows = [with_seats_sold(9, starts_at=NOON + hours * HOUR) for hours in range(1, 12)]
    assert nearly_full() == [show.pk for show in shows[:10]]


def test_nearly_full_shows_start_within_seven_days():
    shows = [with_seats_sold(10, starts_at=NOON + days * DAY) for days in (-0.1, 0, 7, 7.1)]
    assert nearly_full() == [shows[2].pk]


def test_a_cancelled_show_is_not_nearly_full():
    with_seats_sold(10, starts_at=NOON + HOUR, cancelled_at=NOON)
    assert nearly_full() == []


# --- Seats sold ---


def test_seats_are_counted_on_the_day_of_their_booking():
    made(NOON - 36.1 * HOUR, NOON - 36 * HOUR, NOON - 12.1 * HOUR, NOON - 12 * HOUR, NOON)
    assert services.read_sales(now=NOON) == Sales(today=2, yesterday=2, yesterday_by_now=1)


def test_a_cancelled_seat_is_not_counted_as_sold():
    made(NOON, status="cancelled")
    assert services.read_sales(now=NOON).today == 0


def test_a_seat_booked_yesterday_for_yesterday_counts():
    make_booking(show=make_show(starts_at=NOON - DAY + HOUR), created_at=NOON - DAY)
    assert services.read_sales(now=NOON + HOUR).yesterday_by_now == 1


def test_yesterday_by_this_time_uses_local_time(settings):
    settings.TIME_ZONE = "Europe/London"
    now = datetime(2026, 3, 29, 9, tzinfo=timezone.utc)  # 10:00, an hour after the clocks changed
    made(now - DAY, now - DAY + HOUR / 2, now - DAY + HOUR)
    assert services.read_sales(now=now).yesterday_by_now == 2


# --- The page ---


def test_the_front_page_shows_all_figures(staff):
    now = django_timezone.now()
    with_seats_sold(9, starts_at=now + DAY, movie=make_movie(title="Alien"))
    made(now)
    page = staff.get("/admin/").content.decode()
    assert all(text in page for text in ("Alien", "9 of 10", "sold so far", "Today's shows", "Recent actions"))


def test_the_front_page_of_an_empty_service_has_messages(staff):
    page = staff.get("/admin/").content.decode()
    sentences = ("No shows today.", "No seat sold yet", "is 90% full.")
    assert [sentence in page for sentence in sentences] == [True, True, True]


def test_a_cancelled_show_is_marked_on_the_front_page(staff):
    make_show(starts_at=django_timezone.now(), cancelled_at=django_timezone.now())
    assert "<em>cancelled</em>" in staff.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("permissions", "seen"),
    [
        ([], []),
        (["view_show"], ["programme"]),
        (["change_show"], ["programme"]),
        (["view_booking"], ["sales"]),
        (["view_show", "view_booking"], ["programme", "sales"]),
    ],
)
def test_each_figure_needs_the_permission_to_view_its_objects(permissions, seen):
    context = staff_with(*permissions).get("/admin/").context
    assert [name for name in ("programme", "sales") if name in context] == seen


def test_the_front_page_links_to_the_plan_and_the_reports(staff):
    page = staff.get("/admin/").content.decode()
    assert 'href="/admin/booking/show/plan/"' in page
    assert 'href="/admin/booking/booking/reports/"' in page


# --- Tasks ---


def add_task(**fields):
    enqueue(new_task("booking.tasks.carry_out_refund", now=django_timezone.now(), refund_id=1))
    DBTaskResult.objects.filter(status="READY", worker_ids=[]).update(**fields)


def tasks_text(client):
    section = client.get("/admin/").content.decode().partition('id="tasks"')[2].partition("</section>")[0]
    return " ".join(strip_tags(f"<h2 {section}").split()).removeprefix("Background tasks ")


def test_tasks_that_failed_wait_or_are_retried_are_counted(staff):
    now = django_timezone.now()
    add_task(status="FAILED", finished_at=now)
    add_task(run_after=now + HOUR, worker_ids=["a"], exception_class_path="builtins.OSError")
    # One that waits without an error.
    add_task(run_after=now + HOUR, worker_ids=["a"])
    add_task(run_after=now - HOUR)
    assert tasks_text(staff) == (
        "1 failed and will not be retried by themselves. See why, and retry. "
        "1 waiting, the oldest for 60 minutes. Does manage.py db_worker run? "
        "1 did not work and will be tried again."
    )


def test_a_new_task_causes_no_warning(staff):
    add_task()
    assert tasks_text(staff) == "1 waiting for a moment."
    assert "needs-care" not in staff.get("/admin/").content.decode()


def test_a_message_says_that_all_tasks_are_done(staff):
    assert tasks_text(staff) == "All done."


def test_failed_tasks_link_to_the_list_that_retries_them(staff):
    add_task(status="FAILED", finished_at=django_timezone.now())
    path = "/admin/django_tasks_database/dbtaskresult/?status__exact=FAILED"
    assert f'href="{path}"' in staff.get("/admin/").content.decode()
    assert "Retry failed tasks" in staff.get(path).content.decode()


def test_tasks_need_the_permission_to_view_them():
    assert "tasks" not in staff_with("view_show").get("/admin/").context
    assert "tasks" in staff_with("view_dbtaskresult").get("/admin/").context


@pytest.mark.parametrize("is_open", [False, True])
def test_the_front_page_links_to_the_clerk_s_till(box_office, is_open):
    till = till_of(User.objects.get(username="seller")) if is_open else None
    link = f'href="/admin/booking/till/{till.pk}/change/">Your till<' if till else ">Open your till<"
    assert link in box_office.get("/admin/").content.decode()


def test_the_front_page_has_no_till_for_other_staff():
    assert "till" not in text_of(staff_with("view_show").get("/admin/"))


def left(name, hours):
    """Create a clerk whose till has been open for this time."""
    return open_till(clerk=make_clerk(name), opening_float=Decimal(0), now=django_timezone.now() - hours * HOUR)


def till_text(client):
    section = client.get("/admin/").content.decode().partition('<h2 id="till">')[2].partition("</section>")[0]
    return " ".join(strip_tags(section).split())


def test_the_front_page_names_tills_that_were_left_open(staff):
    tills = [left("anna", 17), left("ben", 16.1), left("carl", 15.9)]
    since = [date_format(localtime(till.opened_at), "D j M, H:i") for till in tills]
    assert till_text(staff) == (
        f"Till Payments need an open till. Open your till The till of anna has been open since {since[0]}. "
        f"The till of ben has been open since {since[1]}. See open tills"
    )
    assert 'href="/admin/booking/till/?state=open">See open tills<' in staff.get("/admin/").content.decode()


@pytest.mark.parametrize(("names", "them"), [(["anna"], "it"), (["anna", "ben"], "them")])
def test_a_clerk_who_sees_no_other_tills_tells_a_manager(box_office, names, them):
    for name in names:
        left(name, 17)
    assert till_text(box_office).endswith(f". Tell a manager, who counts the cash and closes {them}.")


def test_a_clerk_s_own_till_is_not_left_open(box_office):
    clerk = User.objects.get(username="seller")
    open_till(clerk=clerk, opening_float=Decimal(0), now=django_timezone.now() - 17 * HOUR)
    assert till_text(box_office).lower().count("open since") == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_costs_the_same_queries_for_1_and_3_shows(staff, rows, django_assert_num_queries):
    for _ in range(rows):
        with_seats_sold(9, starts_at=django_timezone.now() + HOUR)
    with django_assert_num_queries(9):
        staff.get("/admin/")


def test_a_customer_is_redirected_to_the_sign_in_page(user):
    client = Client()
    client.force_login(user)
    assert client.get("/admin/").status_code == 302
