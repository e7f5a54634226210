"""Changes of an order's seats in the admin: split, cancel, move, change ticket types, print."""

import re

import pytest
from django.utils import timezone

from booking.models import Booking, Order, User
from booking.services import Contact, book_seats, cancel_order, switch_plan
from tests.admin.orders import ORDERS, page_of, text_of
from tests.factories import make_booking, make_hold, make_price_list, make_show, make_ticket_type, make_user, redraw
from tests.staff import page_messages, staff_with
from tests.tills import make_payment, till_of


@pytest.fixture
def types(db):
    return make_ticket_type(name="Adult"), make_ticket_type(name="Child")


@pytest.fixture
def show(types):
    """Row A is standard, row B premium."""
    adult, child = types
    prices = make_price_list({("S", adult): 12, ("S", child): 8, ("P", adult): 15})
    return make_show(layout="SSSSS\nPPPPP", price_list=prices)


@pytest.fixture
def order(show):
    """Seats A1 to A3 of a customer without an account."""
    bookings = book_seats(
        user=None,
        show_id=show.pk,
        seat_numbers=[1, 2, 3],
        now=timezone.now(),
        sold_by=make_user(username="clerk", is_staff=True),
        contact=Contact("Jo Bakker"),
    )
    return Order.objects.get(reference=bookings[0].reference)


def ticked(order, *seats):
    """Return the values of the checkboxes of these seats."""
    rows = Booking.objects.filter(show=order.show, seat_number__in=seats).order_by("seat_number")
    return [f"{row.pk}:{row.seat_number}:sold" for row in rows]


def do(client, order, name, **form):
    return client.post(f"{ORDERS}{order.pk}/{name}/", form)


def confirm(client, question):
    """Sends the form of the question."""
    form = question.content.decode().split('<form method="post"')[1]
    fields = dict(re.findall('<input type="hidden" name="(?!csrf)([^"]*)" value="([^"]*)"', form))
    return client.post(question.request["PATH_INFO"], fields)


def led_to(response):
    return response.url


def seats_of(order, *fields):
    rows = Booking.objects.filter(reference=order.reference).exclude(status="cancelled").order_by("seat_number")
    return list(rows.values_list("seat_label", *fields, flat=not fields))


# --- Splitting --------------------------------------------------------------------------------


def test_ticked_seats_are_split_off_as_a_new_order(box_office, order):
    response = do(box_office, order, "split", chosen=ticked(order, 2, 3))
    new = Order.objects.exclude(pk=order.pk).get()
    assert (led_to(response), seats_of(order), seats_of(new)) == (page_of(new), ["A1"], ["A2", "A3"])
    message = f"A2, A3 split off from order {order.reference}. This is the new order."
    assert page_messages(response) == [message]


@pytest.mark.parametrize(
    ("seats", "message"),
    [
        ([], "Tick the seats first."),
        ([1, 2, 3], "These are all seats of the order; leave it at least one."),
    ],
)
def test_an_invalid_split_is_explained(box_office, order, seats, message):
    response = do(box_office, order, "split", chosen=ticked(order, *seats))
    assert (led_to(response), page_messages(response)) == (page_of(order), [message])
    assert Order.objects.count() == 1


def test_seats_that_were_exchanged_since_are_not_split_off(box_office, order):
    boxes = ticked(order, 1)
    first, second = Booking.objects.filter(seat_number__in=[1, 2]).order_by("seat_number")
    for pk, seat in ((first.pk, 4), (second.pk, 1), (first.pk, 2)):
        Booking.objects.filter(pk=pk).update(seat_number=seat)
    response = do(box_office, order, "split", chosen=boxes)
    message = f"{order.reference} has moved from A1 to A2. Nothing was changed."
    assert (led_to(response), page_messages(response)) == (page_of(order), [message])
    assert Order.objects.count() == 1


def test_an_unknown_seat_is_not_split_off(box_office, order):
    assert page_messages(do(box_office, order, "split", chosen="x")) == ["There is no such seat."]


# --- Cancelling -------------------------------------------------------------------------------


def test_ticked_seats_are_cancelled_after_a_question(box_office, order):
    question = do(box_office, order, "cancel", chosen=ticked(order, 1, 3))
    assert f"2 seats, A1, A3 of Jo Bakker (no account), {order.reference}" in text_of(question)
    assert len(seats_of(order)) == 3
    response = confirm(box_office, question)
    assert (led_to(response), page_messages(response)) == (page_of(order), ["2 bookings cancelled."])
    assert seats_of(order) == ["A2"]


def test_all_seats_are_cancelled_after_a_question(box_office, order):
    question = box_office.get(f"{ORDERS}{order.pk}/cancel/")
    confirm(box_office, question)
    assert seats_of(order) == []


def test_without_ticked_seats_nothing_is_cancelled(box_office, order):
    response = do(box_office, order, "cancel")
    assert (led_to(response), page_messages(response)) == (page_of(order), ["Tick the seats first."])


def test_a_cancelled_order_has_no_question(box_office, show, user):
    booking = make_booking(show=show, user=user)
    order = Order.objects.get()
    boxes = ticked(order, 1)
    cancel_order(user=user, reference=booking.reference, now=timezone.now())
    message = ["This booking is already cancelled."]
    response = box_office.get(f"{ORDERS}{order.pk}/cancel/")
    assert (led_to(response), page_messages(response)) == (page_of(order), message)
    message = f"{booking}: This booking is already cancelled."
    assert page_messages(do(box_office, order, "cancel", chosen=boxes))[-1] == message


# --- Ticket types -----------------------------------------------------------------------------


def change_types(client, order, **form):
    return do(client, order, "types", **form)


def test_the_page_offers_the_other_prices_of_each_seat(box_office, order, types):
    page = box_office.get(page_of(order)).content.decode()
    [choice] = re.findall('<select name="type_1".*?</select>', page, re.DOTALL)
    assert re.findall('<option value="([^"]*)"[^>]*>([^<]*)<', choice) == [
        ("", "Adult, 12.00"),
        (f"{types[1].pk}", "Child, 8.00"),
    ]


def test_ticket_types_are_changed_after_a_question_with_the_prices(box_office, order, types):
    question = change_types(box_office, order, type_1=types[1].pk, type_2="", type_3=types[1].pk)
    text = text_of(question)
    assert "The order will cost 28.00 instead of 36.00: −8.00 ." in text  # noqa: RUF001
    assert "A1 Adult, 12.00 Child, 8.00 −4.00" in text  # noqa: RUF001
    assert seats_of(order, "price") == [("A1", 12), ("A2", 12), ("A3", 12)]
    response = confirm(box_office, question)
    assert page_messages(response) == ["Changed A1 to Child, 8.00; A3 to Child, 8.00."]
    assert seats_of(order, "price") == [("A1", 8), ("A2", 12), ("A3", 8)]


def test_prices_that_changed_since_the_question_are_not_taken(box_office, order, show, types):
    question = change_types(box_office, order, type_1=types[1].pk)
    show.price_list = make_price_list({("S", types[1]): 9})
    show.save()
    assert page_messages(confirm(box_office, question)) == ["The seats cost 9.00 now."]
    assert seats_of(order, "price")[0] == ("A1", 12)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "Choose another ticket type for at least one seat."),
        ({"type_1": "x"}, "A1 is not sold as this ticket type."),
        ({"type_1": "999"}, "A1 is not sold as this ticket type."),
    ],
)
def test_invalid_ticket_types_are_refused(box_office, order, form, message):
    response = change_types(box_office, order, **form)
    assert (led_to(response), page_messages(response)) == (page_of(order), [message])


def test_the_page_offers_what_a_seat_costs_in_the_show_s_plan_now(box_office, types):
    adult, child = types
    show = make_show(layout="SSP", price_list=make_price_list({("S", adult): 12, ("P", adult): 15, ("P", child): 9}))
    book_seats(user=make_user(), show_id=show.pk, seat_numbers=[1, 3], now=timezone.now())
    redraw(show.screen, "PSS")
    switch_plan(show_id=show.pk, now=timezone.now())
    order = Order.objects.get()
    page = box_office.get(page_of(order)).content.decode()
    offers = {
        name: re.findall('<option value="([0-9]+)"[^>]*>([^<]*)<', choice)
        for name, choice in re.findall('<select name="(type_[0-9]+)"(.*?)</select>', page, re.DOTALL)
    }
    assert offers == {
        "type_1": [(f"{adult.pk}", "Adult, 15.00"), (f"{child.pk}", "Child, 9.00")],
        "type_3": [(f"{adult.pk}", "Adult, 12.00")],
    }
    confirm(box_office, change_types(box_office, order, type_1=child.pk, type_3=adult.pk))
    assert seats_of(order, "price") == [("A1", 9), ("A3", 12)]


def test_a_free_seat_has_no_other_ticket_types(box_office):
    make_booking()
    order = Order.objects.get()
    assert "Change ticket types" not in box_office.get(page_of(order)).content.decode()


# --- Moving -----------------------------------------------------------------------------------


def move(client, order, seat, label):
    booking = Booking.objects.get(show=order.show, seat_number=seat)
    return do(client, order, "move", booking=f"{booking.pk}:{seat}:sold", seat=label)


def test_a_seat_is_moved_after_a_question_with_the_price(box_office, order):
    question = move(box_office, order, 3, "b5")
    text = text_of(question)
    assert "The order will cost 39.00 instead of 36.00: +3.00 ." in text
    assert "A3 → B5 Adult, 12.00 Adult, 15.00 +3.00" in text
    response = confirm(box_office, question)
    assert page_messages(response) == [f"Moved Jo Bakker (no account), {order.reference}, from A3 to B5."]
    assert seats_of(order, "price") == [("A1", 12), ("A2", 12), ("B5", 15)]


def test_the_question_of_a_move_reports_the_same_price(box_office, order):
    assert "The order still costs 36.00 ." in text_of(move(box_office, order, 1, "A5"))


def test_a_seat_that_has_moved_since_the_question_is_not_moved(box_office, order):
    question = move(box_office, order, 1, "A5")
    confirm(box_office, move(box_office, order, 1, "B1"))
    assert page_messages(confirm(box_office, question))[-1] == "This order has no such seat any more."
    assert seats_of(order) == ["A2", "A3", "B1"]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("A1", "This is A1 itself. Enter another seat."),
        ("Z9", "Z9 is not a seat. Enter a seat such as E5."),
        ("A2", "Seat A2 is already taken."),
    ],
)
def test_an_invalid_move_is_explained(box_office, order, label, message):
    response = move(box_office, order, 1, label)
    assert (led_to(response), page_messages(response)) == (page_of(order), [message])


def test_a_seat_of_another_order_is_not_moved(box_office, order):
    make_booking(show=order.show, seat_number=4)
    assert page_messages(move(box_office, order, 4, "A5")) == ["This order has no such seat any more."]


# --- Printing ---------------------------------------------------------------------------------


def test_the_booked_seats_of_an_order_are_printed_with_their_total(box_office, order):
    text = text_of(box_office.get(f"{ORDERS}{order.pk}/print/"))
    assert f"Seats A1, A2, A3 Reference {order.reference} Customer Jo Bakker Total 36.00 EUR" in text


def test_a_print_has_the_username(box_office, show):
    make_booking(show=show, user=make_user(username="joan", first_name="Jo", last_name="Visser"))
    assert "Customer Jo Visser" in text_of(box_office.get(f"{ORDERS}{Order.objects.get().pk}/print/"))


# --- Permissions ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["split", "cancel", "types", "move"])
def test_staff_who_may_only_view_orders_change_none(order, name):
    assert do(staff_with("view_order"), order, name).status_code == 403


@pytest.mark.parametrize("name", ["split", "cancel", "types", "move"])
def test_pages_of_a_missing_order_are_not_found(box_office, name):
    assert box_office.post(f"{ORDERS}999/{name}/").status_code == 404


@pytest.mark.parametrize(
    ("name", "undone"),
    [
        *((name, "Nothing was changed.") for name in ("split", "cancel", "types", "move", "receipts")),
        ("pay", "Nothing was taken."),
    ],
)
def test_the_list_says_that_a_hold_has_ended(box_office, show, name, undone):
    hold = make_hold(show=show, expires_at=timezone.now())
    order = Order.objects.get()
    form = {"expected": "0.00", "method": "cash", "seen": ticked(order, 7), "chosen": ticked(order, 7)}
    response = do(box_office, order, name, **form)
    assert (led_to(response), page_messages(response)) == (ORDERS, [f"The hold {hold.reference} has ended. {undone}"])
    assert Booking.objects.get().status == "held"


def test_a_question_about_a_hold_that_has_ended_says_so(box_office, show):
    hold = make_hold(show=show, expires_at=timezone.now())
    response = box_office.get(f"{ORDERS}{Order.objects.get().pk}/cancel/", follow=True)
    assert page_messages(response) == [f"The hold {hold.reference} has ended. Nothing was changed."]


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [
        ("cancel", {"chosen": "{}:1:held"}, "The order does not have these seats any more. Nothing was changed."),
        ("types", {"type_1": "1"}, "No seat of this order is booked or held any more. Nothing was changed."),
        ("split", {"chosen": "{}:1:held"}, "The hold {reference} on A1 has expired. Nothing was changed."),
        ("move", {"booking": "{}:1:held", "seat": "A5"}, "This order has no such seat any more."),
        ("pay", {"expected": "12.00", "method": "cash"}, "Nothing is due for this order."),
    ],
)
def test_the_page_of_a_declined_order_says_that_its_seats_are_gone(box_office, show, name, form, message):
    hold = make_hold(show=show, seat_number=1, expires_at=timezone.now())
    order = Order.objects.get()
    make_payment(order, provider="demo", status="failed")
    till_of(User.objects.get(username="seller"))
    sent = {field: value.format(hold.pk) for field, value in form.items()}
    response = do(box_office, order, name, **sent)
    text = message.format(reference=order.reference)
    assert (led_to(response), page_messages(response)) == (page_of(order), [text])


@pytest.mark.parametrize("name", ["split", "types", "move"])
def test_changes_need_a_post(box_office, order, name):
    assert box_office.get(f"{ORDERS}{order.pk}/{name}/").status_code == 405
