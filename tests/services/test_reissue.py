"""Issuing new tickets, which invalidates the earlier ones."""

import pytest
from django.contrib.admin.models import LogEntry

from booking import services
from booking.models import Booking
from booking.services.door.tickets import read_ticket
from tests.factories import NOW, make_block, make_booking, make_hold, make_user


@pytest.fixture
def clerk(db):
    return make_user(username="clerk", is_staff=True)


def reissue(booking, by):
    return services.reissue_ticket(booking_id=booking.pk, by=by, now=NOW)


def test_a_new_ticket_has_a_higher_serial(user, show, clerk):
    booking = make_booking(user=user, show=show)
    renewed = reissue(booking, clerk)
    assert Booking.objects.get(pk=booking.pk).ticket_serial == renewed.ticket_serial == 2
    assert read_ticket(services.sign_ticket(booking=renewed)).serial == 2


def test_a_new_ticket_is_in_the_history(user, show, clerk):
    booking = make_booking(user=user, show=show)
    reissue(booking, clerk)
    [entry] = LogEntry.objects.all()
    assert (entry.user, entry.object_id, entry.change_message) == (clerk, str(booking.pk), "Issued a new ticket.")


@pytest.mark.parametrize("make", [make_hold, make_block, lambda **fields: make_booking(status="cancelled", **fields)])
def test_a_seat_that_is_not_booked_gets_no_ticket(show, clerk, make):
    booking = make(show=show)
    with pytest.raises(services.NoTicket):
        reissue(booking, clerk)
    assert Booking.objects.get(pk=booking.pk).ticket_serial == 1


def test_a_booking_that_does_not_exist_gets_no_ticket(clerk):
    with pytest.raises(services.NotFound):
        services.reissue_ticket(booking_id=1, by=clerk, now=NOW)


# --- In the admin -----------------------------------------------------------------------------


def page_of(booking, ending="change"):
    return f"/admin/booking/booking/{booking.pk}/{ending}/"


def test_the_page_of_a_booking_links_to_its_ticket(box_office, user, show):
    booking = make_booking(user=user, show=show)
    text = box_office.get(page_of(booking)).content.decode()
    links = [f'href="{services.ticket_path(booking=booking)}"', f'href="{page_of(booking, "new-ticket")}"']
    assert [link in text for link in links] == [True, True]


def test_the_page_of_a_cancelled_booking_has_no_link_to_a_ticket(box_office, user, show):
    text = box_office.get(page_of(make_booking(user=user, show=show, status="cancelled"))).content.decode()
    assert ("/t/" in text, "new-ticket" in text) == (False, False)


def test_a_new_ticket_needs_a_confirmation(box_office, user, show):
    booking = make_booking(user=user, show=show)
    assert "Do you want to issue a new ticket" in box_office.get(page_of(booking, "new-ticket")).content.decode()
    assert Booking.objects.get().ticket_serial == 1


def test_staff_issue_a_new_ticket(box_office, user, show):
    booking = make_booking(user=user, show=show)
    answer = box_office.post(page_of(booking, "new-ticket"), follow=True)
    assert Booking.objects.get().ticket_serial == 2
    assert "A new ticket was issued. Earlier ones are not valid any more." in answer.content.decode()


def test_the_page_explains_why_there_is_no_new_ticket(box_office, user, show):
    booking = make_booking(user=user, show=show, status="cancelled")
    answer = box_office.post(page_of(booking, "new-ticket"), follow=True)
    assert "This booking was cancelled, so it has no ticket." in answer.content.decode()


def test_a_booking_that_does_not_exist_has_no_page(box_office):
    assert box_office.get("/admin/booking/booking/1/new-ticket/").status_code == 404
