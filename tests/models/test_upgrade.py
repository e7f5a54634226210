"""The upgrade from version 1.0, which writes rows without seat plans and orders before and after the migrations."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from booking.models import Booking, Order, Screen, Show
from booking.services import book_seat, clean_up
from booking.services.audit import find_breaches
from booking.services.programme.old_rows import complete_plans
from tests.factories import NOW, STARTS_AT, make_user

OLD = ("booking", "0007_movie_upload")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def version_1_0(transactional_db):
    """The models of version 1.0, with its columns only, in a database with its schema."""
    call_command("migrate", *OLD, verbosity=0)
    yield MigrationExecutor(connection).loader.project_state(OLD).apps
    call_command("migrate", verbosity=0)


def store_old_show(apps, name):
    """Store a show with a screen, two seats of one customer, a cancelled seat and a blocked one; return its id."""
    models = {model: apps.get_model("booking", model) for model in ("Movie", "Screen", "Show", "Booking", "User")}
    user = models["User"].objects.create(username=f"customer of {name}")
    show = models["Show"].objects.create(
        movie=models["Movie"].objects.create(title=name, duration_minutes=120),
        screen=models["Screen"].objects.create(name=name, rows=3, seats_per_row=4),
        starts_at=STARTS_AT,
        ends_at=STARTS_AT + timedelta(hours=2),
        total_seats=10,
        seats_per_row=4,
    )
    seats = [(1, "AAAAAAAA", {}), (6, "AAAAAAAA", {}), (2, "CCCCCCCC", {"status": "cancelled", "cancelled_at": NOW})]
    for number, reference, columns in seats:
        row = {"user": user, "show": show, "seat_number": number, "reference": reference, "created_at": NOW}
        models["Booking"].objects.create(**row | columns)
    models["Booking"].objects.create(
        show=show, seat_number=9, status="blocked", reference="EEEEEEEE", reason="House seats", created_at=NOW
    )
    return show.pk


def orders(show):
    rows = Order.objects.filter(show=show).order_by("reference").values_list("reference", "user__username")
    return list(rows)


def test_rows_of_version_1_0_get_plans_and_orders(version_1_0):
    before = store_old_show(version_1_0, "before")
    call_command("migrate", verbosity=0)
    of_before = [("AAAAAAAA", "customer of before"), ("CCCCCCCC", "customer of before")]
    assert (orders(before), Show.objects.get(pk=before).plan.layout) == (of_before, "A SSSS\nB SSSS\nC SS")
    assert Screen.objects.get(name="before").plan.layout == "A SSSS\nB SSSS\nC SSSS"

    # Version 1.0 still serves.
    after = store_old_show(version_1_0, "after")
    show = Show.objects.get(pk=after)
    labels = [booking.label for booking in show.bookings.order_by("seat_number")]
    assert (show.plan, orders(after), labels) == (None, [], ["A1", "A2", "B2", "C1"])
    booking = book_seat(user=make_user(), show_id=after, seat_number=10, now=NOW)
    assert (booking.label, booking.category) == ("C2", "S")

    complete_plans(shows=[show])
    assert show.plan == Show.objects.get(pk=before).plan
    late = version_1_0.get_model("booking", "Booking")
    late.objects.create(show_id=after, user_id=booking.user_id, seat_number=7, reference="FFFFFFFF", created_at=NOW)
    assert ("missing seat plans and orders", 1) in list(clean_up(now=NOW))
    references = {reference for reference, _ in orders(after)}
    assert references == {"AAAAAAAA", "CCCCCCCC", "FFFFFFFF", booking.reference}
    assert Booking.objects.get(reference="FFFFFFFF").label == "B3"
    assert list(find_breaches()) == []


def test_shows_with_plans_are_read_without_a_query(django_assert_num_queries, show):
    with django_assert_num_queries(0):
        complete_plans(shows=[show])
