"""Refused deletions in the admin, with their reasons and alternatives."""

import pytest
from django.utils import timezone

from booking.models import Movie, PriceList, Screen, SeatCategory, Show, TicketType, User
from tests.factories import (
    make_block,
    make_booking,
    make_movie,
    make_price_list,
    make_screen,
    make_show,
    make_ticket_type,
    make_user,
    redraw,
)
from tests.staff import act, staff_with


def path_of(row, page="delete/"):
    return f"/admin/booking/{row._meta.model_name}/{row.pk}/{page}"


def reasons(response):
    return list(response.context["protected"])


@pytest.fixture
def used(show, user):
    """An object of each kind that something refers to."""
    make_booking(show=show, user=user)
    return {Show: show, Movie: show.movie, Screen: show.screen, User: user}


WHY = {
    Show: "It has 1 booking, which their customers can still see. Cancel it instead, with its bookings.",
    Movie: "It has 1 show. Delete them first; a movie whose shows were booked has to stay.",
    Screen: "It has 1 show. Delete them or move them to another screen first. A screen on which shows were booked has "
    "to stay; it can be renamed.",
    User: "They have 1 booking. Clear “Active” on the account's page instead. Only customers themselves can delete an "
    "account with bookings, with their password.",
}


@pytest.mark.parametrize("model", WHY)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_refused_deletion_has_a_reason_and_an_alternative(staff, used, model, method):
    response = getattr(staff, method)(path_of(used[model]), {"post": "yes"})
    assert reasons(response) == [f"{used[model]}: {WHY[model]}"]
    assert "your account doesn't have permission" not in response.content.decode()
    assert model.objects.filter(pk=used[model].pk).exists()


def test_a_refused_deletion_redirects_to_the_object(staff, used):
    page = staff.get(path_of(used[Movie])).content.decode()
    assert f'<a href="{path_of(used[Movie], "change/")}">Back to {used[Movie]}</a>' in page
    assert "This movie can&#x27;t be deleted" in page or "This movie can't be deleted" in page


@pytest.mark.parametrize("model", [Movie, Screen, User])
def test_the_action_reports_why_selected_objects_are_not_deleted(staff, used, model):
    free = {Movie: make_movie, Screen: make_screen, User: make_user}[model]()
    path = f"/admin/booking/{model._meta.model_name}/"
    response = act(staff, path, "delete_selected", [used[model], free], post="yes")
    assert reasons(response) == [f"{used[model]}: {WHY[model]}"]
    assert "Nothing was deleted, because not all selected" in response.content.decode()
    assert model.objects.filter(pk=free.pk).exists()


@pytest.mark.parametrize("model", [Movie, Screen, User])
def test_selected_objects_that_nothing_refers_to_are_deleted(staff, model):
    rows = [{Movie: make_movie, Screen: make_screen, User: make_user}[model]() for _ in range(2)]
    path = f"/admin/booking/{model._meta.model_name}/"
    assert "Are you sure" in act(staff, path, "delete_selected", rows).content.decode()
    act(staff, path, "delete_selected", rows, post="yes")
    assert not model.objects.filter(pk__in=[row.pk for row in rows]).exists()


def test_the_reason_says_that_a_cancelled_show_can_stay(staff):
    show = make_show(cancelled_at=timezone.now())
    for seat in (1, 2):
        make_booking(show=show, seat_number=seat, status="cancelled")
    [reason] = reasons(staff.get(path_of(show)))
    assert reason.endswith(
        "It has 2 bookings, which their customers can still see. It is already cancelled, so it can stay."
    )


# --- Ticket types and seat categories ---

INACTIVE = "Clear “Active” on its page instead, so that it is not sold any more."


@pytest.fixture
def priced(db):
    """A ticket type and a category with prices in two lists."""
    child, balcony = make_ticket_type(name="Child"), SeatCategory.objects.create(code="B", name="Balcony")
    for version in (1, 2):
        make_price_list({("B", child): 8, ("S", child): 9}, version=version)
    return child, balcony


def test_a_ticket_type_of_sold_seats_is_made_inactive_instead(staff, priced):
    child, _ = priced
    make_booking(ticket_type=child)
    response = staff.post(path_of(child), {"post": "yes"})
    assert reasons(response) == [f"Child: Seats were sold as it, and what was sold stays explainable. {INACTIVE}"]
    assert "your account doesn't have permission" not in response.content.decode()
    assert TicketType.objects.filter(pk=child.pk).exists()


def test_a_ticket_type_with_prices_is_made_inactive_instead(staff, priced):
    assert reasons(staff.get(path_of(priced[0]))) == [f"Child: It has prices in 2 price lists. {INACTIVE}"]


def test_a_category_with_prices_is_deleted_after_its_price_lists(staff, priced):
    [reason] = reasons(staff.get(path_of(priced[1])))
    assert reason == (
        "Balcony (B): It has prices in 2 price lists. Delete them first; a list at whose prices seats were sold has "
        "to stay."
    )
    PriceList.objects.all().delete()
    for row in priced:
        staff.post(path_of(row), {"post": "yes"})
        assert not type(row).objects.filter(pk=row.pk).exists()


def test_a_category_of_a_seat_plan_stays(staff):
    redraw(make_screen(), "A SP")
    used = SeatCategory.objects.get(code="P")
    assert reasons(staff.get(path_of(used))) == [
        f"{used}: A seat plan uses it, and what was sold on it stays explainable."
    ]


def test_a_show_with_blocked_seats_is_deleted(show):
    make_block(show=show)
    planner = staff_with("view_show", "delete_show")
    assert "Are you sure" in planner.get(path_of(show)).content.decode()
    planner.post(path_of(show), {"post": "yes"})
    assert not Show.objects.exists()


def test_staff_who_may_not_delete_are_refused(show):
    assert staff_with("view_show").get(path_of(show)).status_code == 403
