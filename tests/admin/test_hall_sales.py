"""Sales in the hall, to customers with and without an account."""

import json
from decimal import Decimal

import pytest
from django.test import Client

from booking.models import IdempotencyKey, Order, Payment, Show, TicketType, User
from tests.admin.hall import act, detail, hall_of, seats, seen
from tests.factories import make_booking, make_price_list, make_show, make_ticket_type
from tests.staff import staff_with
from tests.tills import till_of

# --- Customers without an account -------------------------------------------------------------


JO = {"name": "Jo Bakker", "phone": "0612345678", "email": "jo@cinema.example"}


def test_seats_are_sold_without_an_account(box_office, show):
    answer = act(box_office, show, "sell", seats="1,2", **JO)
    order = Order.objects.get()
    assert detail(answer) == (200, f"Sold A1, A2 to Jo Bakker (no account), {order.reference}.")
    assert (order.user, {field: getattr(order, field) for field in JO}) == (None, JO)
    title = f"sold to Jo Bakker (no account), {order.reference} (sold by seller)"
    assert [seat["title"] for seat in answer.json()["hall"]["taken"].values()] == [title, title]


def test_seats_are_sold_without_a_name(box_office, show):
    answer = act(box_office, show, "sell", seats="1")
    reference = show.bookings.get().reference
    assert detail(answer) == (200, f"Sold A1 to a customer without an account, {reference}.")


def test_a_seat_sold_without_an_account_moves(box_office, show):
    act(box_office, show, "sell", seats="1", **JO)
    booking = show.bookings.get()
    answer = act(box_office, show, "move", seen=seen(booking), seats="2")
    moved = f"Moved Jo Bakker (no account), {booking.reference}, from A1 to A2."
    assert (detail(answer), seats(show)) == ((200, moved), [2])


def test_a_seat_sold_without_an_account_is_cancelled(box_office, show):
    act(box_office, show, "sell", seats="1", **JO)
    booking = show.bookings.get()
    answer = act(box_office, show, "cancel", seen=seen(booking))
    cancelled = f"Cancelled A1 of Jo Bakker (no account), {booking.reference}."
    assert (detail(answer), seats(show)) == ((200, cancelled), [])


# --- Prices -----------------------------------------------------------------------------------


@pytest.fixture
def adult() -> TicketType:
    return make_ticket_type(name="Adult")


@pytest.fixture
def child() -> TicketType:
    return make_ticket_type(name="Child")


@pytest.fixture
def priced(db, adult, child) -> Show:
    """A row of standard seats and one of premium seats, which are not sold to children."""
    prices = {("S", adult): 12, ("S", child): "8.50", ("P", adult): 15}
    return make_show(layout="SSSS\nPPPP", price_list=make_price_list(prices))


def test_a_hall_has_the_prices_of_its_show(box_office, priced, adult, child):
    hall = box_office.get(hall_of(priced)).json()
    assert hall["ticket_types"] == [{"id": one.pk, "name": one.name} for one in (adult, child)]
    standard = {str(adult.pk): "12.00", str(child.pk): "8.50"}
    assert (hall["prices"], hall["currency"]) == ({"S": standard, "P": {str(adult.pk): "15.00"}}, "EUR")


def test_the_ticket_types_of_a_hall_are_those_with_a_price_by_position(box_office, adult):
    senior, baby = make_ticket_type(name="Senior", position=0), make_ticket_type(name="Baby", is_active=False)
    make_ticket_type(name="Group")
    prices = {("S", adult): 12, ("P", senior): 9, ("S", baby): 0}
    hall = box_office.get(hall_of(make_show(layout="SSPP", price_list=make_price_list(prices)))).json()
    assert [one["name"] for one in hall["ticket_types"]] == ["Senior", "Adult"]


def test_a_free_show_has_no_prices(box_office, show):
    hall = box_office.get(hall_of(show)).json()
    assert (hall["ticket_types"], hall["prices"]) == ([], {})


def test_the_prices_of_a_hall_cost_two_queries(box_office, priced, django_assert_num_queries):
    box_office.get(hall_of(priced))
    # Session, user, permissions, the show, its seats, the ticket types twice, the clerk's till, what is due.
    with django_assert_num_queries(9):
        box_office.get(hall_of(priced))


def test_seats_are_sold_as_the_chosen_ticket_types(box_office, priced, adult, child):
    types = f"1:{adult.pk},2:{child.pk}"
    answer = act(box_office, priced, "sell", seats="1,2", ticket_types=types, expected_total="20.50")
    reference = Order.objects.get().reference
    sold = f"Sold A1, A2 to a customer without an account, {reference}, for 20.50 EUR."
    assert detail(answer) == (200, sold)
    assert list(priced.bookings.order_by("seat_number").values_list("ticket_type__name", "price")) == [
        ("Adult", 12),
        ("Child", Decimal("8.5")),
    ]


def test_a_seat_without_a_ticket_type_is_sold_as_the_first_one(box_office, priced, adult):
    act(box_office, priced, "sell", seats="5")
    assert priced.bookings.get().ticket_type == adult


def test_another_total_than_the_page_showed_is_refused_with_the_new_prices(box_office, priced, adult):
    priced.price_list = make_price_list({("S", adult): 14})
    priced.save()
    answer = act(box_office, priced, "sell", seats="1,2", expected_total="24.00")
    assert detail(answer) == (409, "The seats cost 28.00 now.")
    assert answer.json()["hall"]["prices"] == {"S": {str(adult.pk): "14.00"}}
    assert seats(priced) == []


@pytest.mark.parametrize(("ticket_type", "name"), [("child", "Child"), (None, "This ticket type")])
def test_a_ticket_type_that_is_not_sold_for_the_seat_is_refused(box_office, priced, child, ticket_type, name):
    pk = child.pk if ticket_type else 999
    answer = act(box_office, priced, "sell", seats="5", ticket_types=f"5:{pk}")
    assert (detail(answer), seats(priced)) == ((400, f"{name} is not sold for seat B1."), [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"ticket_types": "1"}, "Ticket types must be whole numbers by seat number."),
        ({"ticket_types": "1:1,"}, "Ticket types must be whole numbers by seat number."),
        ({"ticket_types": f"1:{10**30}"}, "Ticket types must be whole numbers by seat number."),
        ({"ticket_types": "2:1"}, "Ticket types must be those of the chosen seats."),
        ({"expected_total": "NaN"}, "Enter a number."),
        ({"expected_total": f"{10**15}"}, "Ensure that there are no more than 15 digits before the decimal point."),
        ({"expected_total": "-1"}, "Ensure this value is greater than or equal to 0."),
    ],
)
def test_invalid_ticket_types_and_totals_are_refused(box_office, priced, data, message):
    assert detail(act(box_office, priced, "sell", seats="1", **data)) == (400, message)


# --- The seat limit, which does not bind staff -------------------------------------------------


@pytest.fixture
def limit_of_two(settings) -> None:
    settings.MAX_SEATS_PER_USER = 2


def notice(client: Client, show: Show, **data) -> str:
    return client.get(f"{hall_of(show)}limit/", data).json()["notice"]


def test_a_sale_over_the_seat_limit_is_reported(box_office, show, user, limit_of_two):
    answer = act(box_office, show, "sell", seats="1,2,3", customer="esha")
    sold = f"Sold A1, A2, A3 to esha, {Order.objects.get().reference}."
    assert detail(answer) == (200, f"{sold} esha has 3 seats in this show; the limit is 2.")


def test_a_sale_without_an_account_has_no_seat_limit(box_office, show, limit_of_two):
    answer = act(box_office, show, "sell", seats="1,2,3")
    reference = Order.objects.get().reference
    assert detail(answer) == (200, f"Sold A1, A2, A3 to a customer without an account, {reference}.")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("2", ""),
        ("1,2", ""),
        ("2,3", "esha will have 3 seats in this show; the limit is 2."),
    ],
)
def test_seats_over_the_limit_are_reported_before_the_sale(box_office, show, user, limit_of_two, chosen, message):
    make_booking(show=show, user=user)
    make_booking(user=user)
    assert notice(box_office, show, customer="ESHA", seats=chosen) == message


@pytest.mark.parametrize("data", [{}, {"customer": "nobody", "seats": "1"}, {"customer": "esha", "seats": "x"}])
def test_invalid_input_gets_no_notice(box_office, show, user, data):
    assert notice(box_office, show, **data) == ""


def test_only_staff_who_sell_see_whether_the_limit_is_exceeded(show, user):
    path = f"{hall_of(show)}limit/"
    answers = [staff_with(*may).get(path) for may in (["view_show"], ["add_booking"])]
    assert [detail(answer) for answer in answers] == [
        (403, "You may not do this."),
        (403, "You may not see this show."),
    ]


# --- Payment at the counter -------------------------------------------------------------------


@pytest.fixture
def seller(box_office) -> User:
    """The clerk of `box_office`, with an open till."""
    seller = User.objects.get(username="seller")
    till_of(seller)
    return seller


def test_seats_are_sold_for_cash_with_change(box_office, seller, priced):
    answer = act(box_office, priced, "sell-paid", seats="1", method="cash", given="20")
    order, payment = Order.objects.get(), Payment.objects.get()
    message = f"Sold A1 to a customer without an account, {order.reference}, for 12.00 EUR, paid in cash."
    assert (detail(answer), answer.json()["change"]) == ((200, message), "8.00 EUR")
    assert answer.json()["order"] == f"/admin/booking/order/{order.pk}/change/"
    assert (payment.reference, payment.created_by, payment.given) == (order.reference, seller, 20)


def test_cash_and_total_take_a_decimal_comma(box_office, seller, priced, adult):
    form = {"ticket_types": f"1:{adult.pk}", "expected_total": "12,00"}
    answer = act(box_office, priced, "sell-paid", seats="1", method="cash", given="20,00", **form)
    assert (answer.json()["change"], Payment.objects.get().given) == ("8.00 EUR", 20)


def test_seats_are_sold_by_card(box_office, seller, priced, user):
    answer = act(box_office, priced, "sell-paid", seats="1", customer="esha", method="card", given="")
    assert detail(answer) == (200, f"Sold A1 to esha, {Order.objects.get().reference}, for 12.00 EUR, paid by card.")
    assert "change" not in answer.json()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"method": "cash", "given": "11.99"}, (400, "12.00 is due.")),
        ({"method": "online"}, (400, "Choose cash or card.")),
        ({}, (400, "Choose cash or card.")),
        ({"method": "cash", "given": "x"}, (400, "Enter a number.")),
        ({"method": "cash", "given": "20.001"}, (400, "Enter an amount with at most 2 decimals.")),
        ({"method": "cash", "given": "1.234,50"}, (400, "Enter the number without separators of thousands.")),
    ],
)
def test_an_invalid_payment_sells_nothing(box_office, seller, priced, form, message):
    answer = act(box_office, priced, "sell-paid", seats="1", **form)
    assert (detail(answer), seats(priced)) == (message, [])


def test_without_a_till_no_payment_is_taken(box_office, priced):
    answer = act(box_office, priced, "sell-paid", seats="1", method="cash")
    assert (detail(answer), seats(priced)) == ((409, "Open your till first."), [])


@pytest.mark.parametrize("is_open", [False, True])
def test_the_hall_says_whether_the_clerk_has_an_open_till(box_office, priced, is_open, request):
    if is_open:
        request.getfixturevalue("seller")
    assert box_office.get(hall_of(priced)).json()["has_till"] is is_open


def test_staff_who_may_not_take_payments_sell_unpaid_seats_only(priced):
    client = staff_with("view_show", "view_booking", "add_booking")
    assert "has_till" not in client.get(hall_of(priced)).json()
    answer = act(client, priced, "sell-paid", seats="1", method="cash")
    assert detail(answer) == (403, "You may not do this.")
    answer = act(client, priced, "sell", seats="1")
    assert (answer.status_code, "order" in answer.json()) == (200, False)


def test_the_hall_has_the_amount_due_and_a_link_to_the_order(box_office, seller, priced):
    act(box_office, priced, "sell-paid", seats="1", method="cash")
    hall = act(box_office, priced, "sell", seats="2,3").json()["hall"]
    order = Order.objects.latest("pk")
    assert hall["due"] == {order.reference: {"amount": "24.00", "url": f"/admin/booking/order/{order.pk}/change/"}}


def test_staff_who_may_not_see_orders_do_not_see_the_amount_due(priced):
    client = staff_with("view_show", "view_booking", "add_booking", "take_payment")
    act(client, priced, "sell", seats="2")
    assert client.get(hall_of(priced)).json()["due"] == {}


# --- The same request again -------------------------------------------------------------------


def test_a_repeated_paid_sale_gets_the_first_report(box_office, seller, priced):
    sale = {"seats": "1,2", "method": "cash", "given": "30", "key": "k"} | JO
    first, second = (act(box_office, priced, "sell-paid", **sale) for _ in range(2))
    assert first.json()["change"] == "6.00 EUR"
    assert (second.status_code, second.json()) == (200, first.json())
    assert (seats(priced), Payment.objects.count()) == ([1, 2], 1)


def test_a_repeated_unpaid_sale_gets_the_first_report(box_office, show, user):
    sale = {"seats": "1", "customer": "esha", "key": "k"}
    reports = [detail(act(box_office, show, "sell", **sale)) for _ in range(2)]
    assert reports == [(200, f"Sold A1 to esha, {Order.objects.get().reference}.")] * 2


def test_a_key_is_refused_for_another_sale(box_office, seller, priced):
    act(box_office, priced, "sell", seats="1", key="k")
    for name, changes in [("sell", {"seats": "2"}), ("sell", JO), ("sell-paid", {"method": "card"})]:
        answer = act(box_office, priced, name, **({"seats": "1", "key": "k"} | changes))
        assert detail(answer) == (422, "This Idempotency-Key was used for another request.")


def test_a_key_of_another_clerk_is_not_found(box_office, show):
    other = staff_with("view_show", "add_booking")
    act(other, show, "sell", seats="1", key="k")
    assert detail(act(box_office, show, "sell", seats="1", key="k")) == (409, "Seat A1 is already taken.")


def test_the_record_of_a_sale_does_not_name_the_customer(box_office, show):
    act(box_office, show, "sell", seats="1", key="k", **JO)
    record = {"reference": Order.objects.get().reference, "total": None, "change": None}
    assert json.loads(IdempotencyKey.objects.get().response) == record


@pytest.mark.parametrize("key", ["é", "k\n", "k" * 256, "k\0"])
def test_an_invalid_key_is_refused(box_office, show, key):
    answer = act(box_office, show, "sell", seats="1", key=key)
    assert (answer.status_code, seats(show)) == (400, [])
