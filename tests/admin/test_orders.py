"""The orders in the admin: the list, its search, and the page of an order with its contact."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from booking.models import Booking, Order
from booking.services import Contact, book_seats
from tests.admin.orders import ORDERS, links_of, page_of, text_of
from tests.factories import (
    STARTS_AT,
    make_booking,
    make_hold,
    make_movie,
    make_price_list,
    make_screen,
    make_show,
    make_ticket_type,
    make_user,
)
from tests.staff import BOOKINGS, SHOWS, form_errors, page_messages, staff_with
from tests.tills import make_payment, make_refund

JO = Contact("Jo Bakker", "jo@cinema.example", "06-1234 (5678)")


def order_of(booking):
    return Order.objects.get(show=booking.show, reference=booking.reference)


def listed(client, **query):
    return set(client.get(ORDERS, query).context["cl"].result_list)


@pytest.fixture
def clerk(db):
    return make_user(username="clerk", is_staff=True)


@pytest.fixture
def sale(clerk):
    """An order of seats A1 and A2 for a customer without an account, of 24.00."""
    adult = make_ticket_type(name="Adult")
    show = make_show(
        movie=make_movie(title="Aliën"),
        screen=make_screen(name="Blue Room"),
        price_list=make_price_list({("S", adult): 12, ("S", make_ticket_type(name="Child")): 8}),
    )
    now = timezone.now()
    return order_of(book_seats(user=None, show_id=show.pk, seat_numbers=[1, 2], now=now, sold_by=clerk, contact=JO)[0])


# --- The list ---------------------------------------------------------------------------------


def rows(client, **query):
    """Return the texts of each row, by column."""
    page = client.get(ORDERS, query).content.decode()
    cells = re.findall(r'<t[dh] class="field-(\w+)[^>]*>(.*?)</t[dh]>', page, re.DOTALL)
    texts = [text_of(cell).strip() for _, cell in cells]
    return [texts[start : start + 6] for start in range(0, len(texts), 6)]


def test_an_order_is_listed_with_customer_seats_and_amounts(box_office, sale):
    row = [sale.reference, "Jo Bakker (no account)", str(sale.show), "A1, A2", "24.00", "24.00"]
    assert rows(box_office) == [row]


def test_cancelled_seats_are_neither_listed_nor_owed(box_office, sale):
    Booking.objects.filter(seat_number=1).update(status="cancelled", cancelled_at=timezone.now())
    assert rows(box_office)[0][3:] == ["A2", "12.00", "12.00"]
    Booking.objects.update(status="cancelled", cancelled_at=timezone.now())
    assert rows(box_office)[0][3:] == ["all cancelled", "0.00", "0.00"]


def test_the_list_has_no_orders_whose_holds_have_ended(box_office, show):
    make_hold(show=show, expires_at=timezone.now() - timedelta(minutes=1))
    make_hold(show=show, seat_number=2, status="cancelled")
    active = make_hold(show=show, seat_number=3, expires_at=timezone.now() + timedelta(minutes=5))
    assert listed(box_office) == {order_of(active)}


@pytest.mark.parametrize(
    "end",
    [
        lambda hold: hold.update(status="cancelled", cancelled_at=timezone.now()),
        lambda hold: hold.update(expires_at=timezone.now()),
        # As when the customer books it together with a seat of another order.
        lambda hold: hold.update(reference="MNPQRTUV"),
    ],
)
def test_an_order_without_seats_is_found_and_opens_because_of_its_money(box_office, show, end):
    order = order_of(make_hold(show=show, expires_at=timezone.now() + timedelta(minutes=5)))
    make_refund(make_payment(order, provider="demo"), reason="The hold has expired.")
    end(Booking.objects.filter(reference=order.reference))
    assert rows(box_office, q=order.reference)[0][3:] == ["none", "0.00", "0.00"]
    page = box_office.get(page_of(order))
    assert "This order has no seats: the hold has ended, or the seats are in another order." in text_of(page)
    assert "Total 0.00 Paid 12.00 Refunded 12.00 Due 0.00" in text_of(page)
    assert "The hold has expired." in text_of(page)
    assert "Print" not in links_of(page)
    receipt = box_office.post(f"{ORDERS}{order.pk}/receipts/", follow=True)
    assert "Paid online" in text_of(receipt)


def test_the_pages_of_an_order_without_seats_say_so(box_office, show):
    order = order_of(make_hold(show=show))
    make_payment(order, provider="demo")
    Booking.objects.all().delete()
    message = ["This order has no seats: the hold has ended, or the seats are in another order."]
    for name in ("print", "cancel"):
        response = box_office.get(f"{ORDERS}{order.pk}/{name}/", follow=True)
        assert (response.redirect_chain, page_messages(response)) == ([(page_of(order), 302)], message)
    assert box_office.get(f"{ORDERS}{order.pk}/history/").status_code == 200
    preview = {"reference": order.reference, "mail": "payment_received"}
    assert order.reference in text_of(box_office.get(f"{ORDERS}mail/", preview))


@pytest.mark.parametrize("number", [1, 3])
def test_the_list_takes_the_same_queries_for_any_number_of_orders(box_office, show, number, django_assert_num_queries):
    for seat in range(1, number + 1):
        make_booking(show=show, seat_number=seat)
    box_office.get(ORDERS)
    # Session, account, permissions, number of orders, orders, bookings, and shows and screens of the filters.
    with django_assert_num_queries(10):
        assert len(listed(box_office)) == number


@pytest.mark.parametrize(
    "typed",
    [
        "REFERENCE",
        "reference",
        "cdef",
        "bakk",
        "Jo BAKKER",
        "@cinema",
        "0612345678",
        "06 12 34",
        "a2",
        "alien",
        "blue",
        "alien bakker A1",
    ],
)
def test_orders_are_found_by_a_part_of_each_searched_field(box_office, sale, typed):
    Order.objects.update(reference="ACDEFGHJ")
    Booking.objects.update(reference="ACDEFGHJ")
    other = make_booking(seat_number=7, reference="MNPQRTUV")
    typed = {"REFERENCE": "ACDEFGHJ", "reference": "acdefghj"}.get(typed, typed)
    assert listed(box_office, q=typed) == {sale}
    assert order_of(other) in listed(box_office)


@pytest.mark.parametrize("typed", ["joan", "oan", "jo@"])
def test_orders_are_found_by_their_customer_s_account(box_office, sale, typed):
    joan = make_user(username="joan", email="jo@work.example")
    booking = make_booking(user=joan, show=sale.show, seat_number=9)
    assert order_of(booking) in listed(box_office, q=typed)


@pytest.mark.parametrize("typed", ["12345679", "a3", "zorro", "\u00b4", "-"])
def test_other_orders_are_not_found(box_office, sale, typed):
    Order.objects.update(phone="0612345678")
    assert listed(box_office, q=typed) == set()


def test_orders_are_filtered_by_day_show_and_customer(box_office, sale, user):
    other = order_of(make_booking(user=user, show=make_show(starts_at=STARTS_AT + timedelta(days=1))))
    assert (listed(box_office, day="2099-06-01"), listed(box_office, day="2099-06-02")) == ({sale}, {other})
    assert listed(box_office, show__id__exact=sale.show_id) == {sale}
    assert listed(box_office, user__id__exact=user.pk) == {other}
    assert listed(box_office, show__screen__id__exact=sale.show.screen_id) == {sale}


# --- The page ---------------------------------------------------------------------------------


def test_an_order_links_to_the_pages_that_staff_need(box_office, sale):
    booking = Booking.objects.get(seat_number=1)
    page = box_office.get(page_of(sale))
    assert links_of(page) == {
        "Hall": f"{SHOWS}{sale.show_id}/change/?booking={booking.pk}",
        "Cancel all 2 seats": f"{ORDERS}{sale.pk}/cancel/",
        "Print": f"{ORDERS}{sale.pk}/print/",
        "Mail": f"{ORDERS}mail/?reference={sale.reference}&mail=order_confirmed",
        "History": f"{ORDERS}{sale.pk}/history/",
    }
    assert f'<a href="{BOOKINGS}{booking.pk}/change/">A1</a>' in page.content.decode()
    assert "Total 24.00 Paid 0.00 Refunded 0.00 Due 24.00" in text_of(page)


@pytest.mark.parametrize("number", [1, 3])
def test_the_page_of_an_order_takes_the_same_queries_for_any_number_of_seats(
    box_office, sale, number, django_assert_num_queries
):
    make_booking(show=sale.show, seat_number=3, reference=sale.reference)
    Booking.objects.filter(seat_number__gt=number).delete()
    box_office.get(page_of(sale))
    # Session, account, permissions, order, bookings, active ticket types, payments, refunds, the clerk's till.
    with django_assert_num_queries(9):
        box_office.get(page_of(sale))


def test_an_order_of_an_account_has_no_contact_to_change(box_office, show, user):
    page = box_office.get(page_of(order_of(make_booking(show=show, user=user))))
    assert list(page.context["adminform"].form.fields) == []
    assert f'esha <a href="{BOOKINGS}?user__id__exact={user.pk}">All bookings</a>' in page.content.decode()


def test_an_ended_order_offers_no_changes(box_office, sale):
    Booking.objects.update(status="cancelled", cancelled_at=timezone.now())
    page = box_office.get(page_of(sale))
    assert (links_of(page).keys(), "Cancelled" in text_of(page)) == ({"Mail", "Print", "History"}, True)
    assert [text in page.content.decode() for text in ("Split off", "ticked", "type_1")] == [False] * 3


def test_an_order_of_a_show_that_has_started_offers_no_changes(box_office, user):
    show = make_show(starts_at=timezone.now() - timedelta(minutes=5))
    page = box_office.get(page_of(order_of(make_booking(show=show, user=user))))
    assert links_of(page).keys() == {"Hall", "Mail", "Print", "History"}


def test_an_order_with_one_seat_is_not_split(box_office, show):
    page = box_office.get(page_of(order_of(make_booking(show=show)))).content.decode()
    assert ("Split off" in page, "Cancel ticked seats" in page, "Cancel the seat" in page) == (False, True, True)


def test_a_hold_is_not_moved(box_office, show):
    hold = make_hold(show=show, expires_at=timezone.now() + timedelta(minutes=5))
    assert box_office.get(page_of(order_of(hold))).context["move"] is None


def test_staff_who_may_only_view_orders_are_offered_no_changes(sale):
    page = staff_with("view_order").get(page_of(sale))
    assert links_of(page).keys() == {"Mail", "Print", "History"}
    assert [text in page.content.decode() for text in ("ticked", "type_1", "/admin/booking/booking/", "Save")] == [
        False
    ] * 4


def test_only_contacts_of_customers_without_an_account_can_be_saved(staff, sale, show):
    of_account = order_of(make_booking(show=show))
    pages = [staff.get(page_of(order)).content.decode() for order in (sale, of_account)]
    assert ['name="_save"' in page for page in pages] == [True, False]


def test_orders_are_neither_added_nor_deleted(staff, sale):
    assert [staff.get(f"{ORDERS}{path}").status_code for path in ("add/", f"{sale.pk}/delete/")] == [403] * 2


# --- The contact ------------------------------------------------------------------------------


def contact_form(page, **changes):
    """Return the data that a browser posts: the fields, and the values that the page showed."""
    form = page.context["adminform"].form
    shown = {name: form.initial[name] for name in ("name", "email", "phone")}
    return shown | {f"initial-{name}": value for name, value in shown.items()} | changes


def contact_of(order):
    return Order.objects.values_list("name", "email", "phone").get(pk=order.pk)


def test_the_contact_of_an_order_is_changed(box_office, sale):
    form = contact_form(box_office.get(page_of(sale)), name="Jo Visser", phone="")
    response = box_office.post(page_of(sale), form)
    assert contact_of(sale) == ("Jo Visser", JO.email, "")
    assert "was changed successfully" in page_messages(response)[0]


def test_the_form_keeps_concurrent_changes(box_office, sale):
    form = contact_form(box_office.get(page_of(sale)), phone="020")
    Order.objects.update(name="Jo Visser")
    box_office.post(page_of(sale), form)
    assert contact_of(sale) == ("Jo Visser", JO.email, "020")


def test_an_invalid_e_mail_address_is_refused(box_office, sale):
    response = box_office.post(page_of(sale), contact_form(box_office.get(page_of(sale)), email="jo"))
    assert (list(form_errors(response)), contact_of(sale)[1]) == (["email"], JO.email)


def test_the_history_of_an_order_has_its_changes_and_those_of_its_seats(box_office, sale, clerk):
    box_office.post(page_of(sale), contact_form(box_office.get(page_of(sale)), phone="020"))
    lines = box_office.get(f"{ORDERS}{sale.pk}/history/").context["action_list"]
    assert [(line.user.username, line.get_change_message()) for line in lines] == [
        ("clerk", f"{sale.reference} A1: Sold to a customer without an account."),
        ("clerk", f"{sale.reference} A2: Sold to a customer without an account."),
        ("seller", "Changed phone number."),
    ]


# --- Where the customer of an order is named --------------------------------------------------


def test_a_booking_links_to_its_order_and_shows_its_customer(box_office, sale):
    page = box_office.get(f"{BOOKINGS}{Booking.objects.get(seat_number=1).pk}/change/")
    assert links_of(page)["Order"] == page_of(sale)
    assert "Jo Bakker (no account)" in text_of(page)


def test_staff_who_may_not_view_orders_get_no_link_to_them(sale):
    page = staff_with("view_booking").get(f"{BOOKINGS}{Booking.objects.get(seat_number=1).pk}/change/")
    assert "Order" not in links_of(page)


def act_in_hall(client, order, name, **form):
    booking = Booking.objects.get(seat_number=1)
    answer = client.post(f"{SHOWS}{order.show_id}/hall/{name}/", {"seen": f"{booking.pk}:1:sold", **form})
    return answer.json()["detail"]


def test_the_hall_reports_the_customer_of_a_moved_seat(box_office, sale):
    said = act_in_hall(box_office, sale, "move", seats="5")
    assert said == f"Moved Jo Bakker (no account), {sale.reference}, from A1 to A5."


def test_the_hall_reports_the_customer_of_a_cancelled_seat(box_office, sale):
    said = act_in_hall(box_office, sale, "cancel")
    assert said == f"Cancelled A1 of Jo Bakker (no account), {sale.reference}."
