"""Each question before a change has one way back, whose name can't be mistaken for the change."""

import re
from datetime import timedelta
from html import unescape

import pytest

from booking.models import Order
from tests.admin.orders import ORDERS
from tests.factories import STARTS_AT, make_booking, make_price_list, make_show, make_ticket_type, redraw
from tests.staff import BOOKINGS, SHOWS, act, show_form

LATER = STARTS_AT + timedelta(hours=1)


@pytest.fixture
def booking(db):
    """Seat A1 for an adult, in a show that has a price for children and another seat, too."""
    adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
    prices = make_price_list({("S", adult): 12, ("S", child): 8})
    booking = make_booking(show=make_show(layout="A SS", price_list=prices), ticket_type=adult, price=12)
    redraw(booking.show.screen, "A SSS")
    return booking


def change(staff, booking):
    form = show_form(booking.show.movie, booking.show.screen, starts_at=LATER, ends_at=LATER + timedelta(hours=2))
    return staff.post(f"{SHOWS}{booking.show_id}/change/", form | {"price_list": booking.show.price_list_id})


def move(staff, booking):
    form = {"show": booking.show_id, "screen": booking.show.screen_id, "starts_at": f"{LATER:%Y-%m-%dT%H:%M:%SZ}"}
    return staff.post(f"{SHOWS}plan/move/", form)


def change_order(staff, name, **form):
    return staff.post(f"{ORDERS}{Order.objects.get().pk}/{name}/", form)


QUESTIONS = {
    "cancel shows": lambda staff, one: act(staff, SHOWS, "cancel", [one.show]),
    "copy a show": lambda staff, one: act(staff, SHOWS, "copy", [one.show]),
    "block seats": lambda staff, one: act(staff, SHOWS, "block", [one.show]),
    "give shows a price list": lambda staff, one: act(staff, SHOWS, "set_price_list", [one.show]),
    "delete a show": lambda staff, one: staff.get(f"{SHOWS}{make_show().pk}/delete/"),
    "move a start": change,
    "move a show on the plan": move,
    "copy a day": lambda staff, one: staff.post(
        f"{SHOWS}copy/", {"copy": "day", "first_day": "2099-06-01", "to": "2099-06-02", "rounds": 1}
    ),
    "cancel bookings": lambda staff, one: act(staff, BOOKINGS, "cancel", [one]),
    "cancel a booking": lambda staff, one: staff.get(f"{BOOKINGS}{one.pk}/cancel/"),
    "issue a new ticket": lambda staff, one: staff.get(f"{BOOKINGS}{one.pk}/new-ticket/"),
    "cancel an order": lambda staff, one: staff.get(f"{ORDERS}{Order.objects.get().pk}/cancel/"),
    "change ticket types": lambda staff, one: change_order(
        staff, "types", type_1=one.show.price_list.prices.get(amount=8).ticket_type_id
    ),
    "move a seat": lambda staff, one: change_order(staff, "move", booking=f"{one.pk}:1:sold", seat="A2"),
    "change prices": lambda staff, one: staff.get(
        f"/admin/booking/pricelist/{one.show.price_list_id}/change/?percent=5&round_to=0.50&since=2099-06-01"
    ),
    "use a new seat plan": lambda staff, one: staff.get(f"/admin/booking/screen/{one.show.screen_id}/seat-plan/"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_way_back_is_named_so_and_changes_nothing(staff, booking, name):
    page = QUESTIONS[name](staff, booking)
    html = page.content.decode()
    [back] = re.findall('<a [^>]*href="([^"]*)"[^>]*>No, take me back</a>', html)
    assert staff.get(f"{page.request['PATH_INFO']}{back}" if back[0] in "?#" else unescape(back)).status_code == 200
    assert re.findall('(?:value="|>)Cancel["<]', html) == []
    booking.refresh_from_db()
    assert (booking.status, booking.seat_label, booking.show.starts_at) == ("booked", "A1", STARTS_AT)
