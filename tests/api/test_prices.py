"""Ticket types and prices in requests and responses."""

from decimal import Decimal

import pytest

from booking import services
from booking.models import Booking
from tests.factories import NOW, make_booking, make_price_list, make_show, make_ticket_type, make_user

# Seats 1 to 4 are Standard, 5 and 6 Premium; nothing else has a seat here.
LAYOUT = "SSSS\nPP"


@pytest.fixture
def adult(db):
    return make_ticket_type(name="Adult", position=1)


@pytest.fixture
def child(db):
    return make_ticket_type(name="Child", position=2)


@pytest.fixture
def priced(adult, child):
    prices = {("S", adult): 12, ("S", child): "7.5", ("P", adult): 15, ("W", child): 3}
    return make_show(layout=LAYOUT, price_list=make_price_list(prices))


def book(client, show, **body):
    return client.post(f"/api/shows/{show.pk}/book-seats/", body)


def book_one(client, show, **body):
    return client.post(f"/api/shows/{show.pk}/book/", {"seat_number": 1} | body)


def move(client, booking, **body):
    return client.post(f"/api/bookings/{booking.pk}/move/", body)


def sold(answer):
    """Return label, name of the ticket type and price of each seat."""
    assert answer.status_code == 201, answer.content
    types = [row["ticket_type"] for row in answer.json()["bookings"]]
    names = [ticket_type and ticket_type["name"] for ticket_type in types]
    rows = zip(answer.json()["bookings"], names, strict=True)
    return [(row["seat_label"], name, row["price"]) for row, name in rows]


def listed(anyone, show):
    [row] = anyone.get(f"/api/movies/{show.movie_id}/shows/").json()["results"]
    return row


def shown(anyone, show):
    return anyone.get(f"/api/shows/{show.pk}/").json()


def prices(anyone, show):
    rows = shown(anyone, show)["prices"]
    return [(row["category"], row["ticket_type"]["name"], row["amount"]) for row in rows]


# --- The prices of a show ---------------------------------------------------------------------


def test_a_show_lists_its_prices(anyone, priced, adult, child):
    body = shown(anyone, priced)
    assert (body["currency"], body["lowest_price"], body["plan"]) == ("EUR", "7.50", priced.plan.pk)
    assert body["prices"] == [
        {"category": "P", "ticket_type": {"id": adult.pk, "name": "Adult"}, "amount": "15.00"},
        {"category": "S", "ticket_type": {"id": adult.pk, "name": "Adult"}, "amount": "12.00"},
        {"category": "S", "ticket_type": {"id": child.pk, "name": "Child"}, "amount": "7.50"},
    ]


def test_the_lowest_price_is_that_of_a_category_of_the_hall(anyone, priced):
    assert (listed(anyone, priced)["lowest_price"], shown(anyone, priced)["lowest_price"]) == ("7.50", "7.50")


def test_a_free_show_has_no_prices(anyone, show):
    assert (shown(anyone, show)["prices"], listed(anyone, show)["lowest_price"]) == ([], None)


def test_a_show_without_active_ticket_types_has_no_prices(anyone, priced, adult, child):
    for ticket_type in (adult, child):
        ticket_type.is_active = False
        ticket_type.save()
    assert (shown(anyone, priced)["prices"], listed(anyone, priced)["lowest_price"]) == ([], None)


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "8"), ("EUR", "8.00"), ("KWD", "8.000")])
def test_amounts_have_the_decimals_of_the_currency(anyone, client, adult, settings, currency, amount):
    settings.CURRENCY = currency
    show = make_show(price_list=make_price_list({("S", adult): 8}))
    body = shown(anyone, show)
    assert (body["currency"], body["lowest_price"], body["prices"][0]["amount"]) == (currency, amount, amount)
    order = book(client, show, count=1).json()
    assert [order[name] for name in ("currency", "total", "due")] == [currency, amount, amount]
    assert order["bookings"][0]["price"] == amount


@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_of_shows_with_prices_takes_6_queries_and_then_2(anyone, priced, rows, django_assert_num_queries):
    for _ in range(rows - 1):
        make_show(movie=priced.movie, layout=LAYOUT, price_list=priced.price_list)
    # Reads the seat plan and the price list, which never change.
    shown(anyone, priced)
    for queries in (6, 2):
        with django_assert_num_queries(queries):
            assert len(anyone.get("/api/shows/").json()["results"]) == rows


# --- The catalogue cache ----------------------------------------------------------------------


def test_an_inactive_ticket_type_is_not_in_the_next_list(anyone, priced, child):
    assert listed(anyone, priced)["lowest_price"] == "7.50"
    child.is_active = False
    child.save()
    assert (listed(anyone, priced)["lowest_price"], shown(anyone, priced)["lowest_price"]) == ("12.00", "12.00")


def test_a_renamed_ticket_type_is_in_the_next_answer(anyone, client, priced, child):
    assert prices(anyone, priced)[-1] == ("S", "Child", "7.50")
    book(client, priced, seat_numbers=[1], ticket_types={"1": child.pk})
    child.name = "Under 12"
    child.save()
    assert prices(anyone, priced)[-1] == ("S", "Under 12", "7.50")
    [booking] = client.get("/api/my-bookings/").json()["results"]
    assert booking["ticket_type"]["name"] == "Under 12"


def test_another_price_list_is_in_the_next_answer(anyone, priced, adult):
    assert listed(anyone, priced)["lowest_price"] == "7.50"
    services.change_show(
        show_id=priced.pk, changed_by=make_user(), now=NOW, price_list=make_price_list({("S", adult): 20})
    )
    assert (listed(anyone, priced)["lowest_price"], prices(anyone, priced)) == ("20.00", [("S", "Adult", "20.00")])


def test_a_new_price_list_of_a_show_is_in_the_next_list(anyone, show, adult):
    assert listed(anyone, show)["lowest_price"] is None
    services.change_show(
        show_id=show.pk, changed_by=make_user(), now=NOW, price_list=make_price_list({("S", adult): 0})
    )
    assert listed(anyone, show)["lowest_price"] == "0.00"


def test_the_seats_available_are_counted_in_each_list(anyone, client, priced):
    for taken in range(3):
        assert listed(anyone, priced)["seats_available"] == shown(anyone, priced)["seats_available"] == 6 - taken
        assert book(client, priced, count=1).status_code == 201


# --- Ticket types -----------------------------------------------------------------------------


def test_one_seat_has_the_requested_ticket_type(client, priced, child):
    answer = book_one(client, priced, seat_number=3, ticket_type=child.pk, expected_total="7.50")
    sold_as = [answer.json()[name] for name in ("category", "ticket_type", "price")]
    assert (answer.status_code, sold_as) == (201, ["S", {"id": child.pk, "name": "Child"}, "7.50"])


def test_a_seat_without_a_requested_ticket_type_has_the_first(client, priced):
    answer = book_one(client, priced)
    assert (answer.json()["ticket_type"]["name"], answer.json()["price"]) == ("Adult", "12.00")


def test_seats_have_the_ticket_types_requested_by_seat_number(client, priced, child):
    answer = book(client, priced, seat_numbers=[5, 1, 2], ticket_types={"1": child.pk})
    assert sold(answer) == [("B1", "Adult", "15.00"), ("A1", "Child", "7.50"), ("A2", "Adult", "12.00")]
    assert answer.json()["total"] == "34.50"


def test_a_count_has_the_requested_number_of_each_ticket_type(client, priced, adult, child):
    answer = book(client, priced, count=3, ticket_types={str(child.pk): 2, str(adult.pk): 1})
    assert sorted(price for _, _, price in sold(answer)) == ["12.00", "7.50", "7.50"]
    body = answer.json()
    assert (body["total"], body["paid"], body["due"], body["payments"]) == ("27.00", "0.00", "27.00", [])


def test_a_hold_has_its_types_and_a_booking_keeps_them(client, priced, child):
    held = client.post(f"/api/shows/{priced.pk}/hold/", {"seat_numbers": [1], "ticket_types": {"1": child.pk}})
    assert sold(held) == sold(book(client, priced, seat_numbers=[1])) == [("A1", "Child", "7.50")]


@pytest.mark.parametrize(("name", "others"), [(None, [5]), ("adult", [5]), ("child", [3])])
def test_taken_seats_are_refused_with_others_that_are_sold_as_their_types(client, priced, request, name, others):
    for seat in (1, 2):
        make_booking(show=priced, seat_number=seat)
    types = {"1": request.getfixturevalue(name).pk} if name else {}
    answer = book(client, priced, seat_numbers=[1], ticket_types=types).json()
    assert (answer["code"], answer["alternatives"]) == ("seat_taken", others)


def test_a_free_show_sells_without_a_type(client, show, adult):
    assert sold(book(client, show, seat_numbers=[1])) == [("A1", None, "0.00")]


def test_a_show_without_a_price_for_the_seat_does_not_sell_it(client, priced, adult):
    adult.is_active = False
    adult.save()
    answer = book(client, priced, seat_numbers=[1, 5])
    refusal = {"code": "not_for_sale", "detail": "Seat B1 is not for sale in this show.", "seats": [5]}
    assert (answer.status_code, answer.json()) == (409, refusal)


def refused(answer, field, detail):
    """Return whether the response refuses the ticket type in this field."""
    error = {"code": "unknown_ticket_type", "detail": detail}
    assert (answer.status_code, answer.json()) == (400, {**error, "errors": [{"field": field, **error}]})
    assert Booking.objects.filter(ticket_type=None).count() == Booking.objects.count()


def test_an_unknown_type_of_one_seat_is_refused(client, priced):
    refused(book_one(client, priced, ticket_type=77), "ticket_type", "Ticket type 77 is not sold for seat A1.")


def test_an_unknown_type_of_several_seats_is_refused(client, priced):
    answer = book(client, priced, seat_numbers=[1, 2], ticket_types={"2": 77})
    refused(answer, "ticket_types.2", "Ticket type 77 is not sold for seat A2.")


def test_an_unknown_type_of_a_count_is_refused(client, priced):
    answer = book(client, priced, count=1, ticket_types={"77": 1})
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"], error["code"]) == (400, "ticket_types.77", "unknown_ticket_type")


def test_a_type_without_a_price_for_the_category_is_refused(client, priced, child):
    answer = book_one(client, priced, seat_number=5, ticket_type=child.pk)
    refused(answer, "ticket_type", f"Ticket type {child.pk} is not sold for seat B1.")


def test_an_inactive_type_is_refused(client, priced, child):
    child.is_active = False
    child.save()
    answer = book_one(client, priced, ticket_type=child.pk)
    refused(answer, "ticket_type", f"Ticket type {child.pk} is not sold for seat A1.")


def test_a_type_of_a_free_show_is_refused(client, show, adult):
    answer = book_one(client, show, ticket_type=adult.pk)
    refused(answer, "ticket_type", f"Ticket type {adult.pk} is not sold for seat A1.")


def test_a_move_to_a_category_that_lacks_the_type_is_refused(client, user, priced, child):
    booking = make_booking(user=user, show=priced, ticket_type=child, price=Decimal("7.5"))
    [error] = move(client, booking, seat_number=5).json()["errors"]
    assert (error["field"], error["code"]) == ("seat_number", "unknown_ticket_type")


# --- The expected total -----------------------------------------------------------------------


@pytest.mark.parametrize(("currency", "example"), [("EUR", "24.00"), ("JPY", "24"), ("KWD", "24.000")])
def test_the_example_of_an_amount_has_the_decimals_of_the_currency(client, settings, priced, currency, example):
    settings.CURRENCY = currency
    [error] = book(client, priced, seat_numbers=[1], expected_total="x").json()["errors"]
    assert error == {"field": "expected_total", "code": "invalid", "detail": f"Enter an amount such as {example}."}


@pytest.mark.parametrize("expected", ["24", "24.0", "24.00", "24.000", 24])
def test_the_expected_total_is_booked(client, priced, expected):
    assert book(client, priced, seat_numbers=[1, 2], expected_total=expected).json()["total"] == "24.00"


@pytest.mark.parametrize("action", ["book-seats", "hold"])
def test_another_total_is_refused_with_the_new_one(client, priced, action):
    answer = client.post(f"/api/shows/{priced.pk}/{action}/", {"seat_numbers": [1, 2], "expected_total": 20})
    refusal = {"code": "price_changed", "detail": "The seats cost 24.00 now.", "total": "24.00"}
    assert (answer.status_code, answer.json(), Booking.objects.count()) == (409, refusal, 0)


def test_another_total_of_one_seat_is_refused_with_the_new_one(client, priced):
    answer = book_one(client, priced, expected_total="11.99")
    assert (answer.status_code, answer.json()["code"], answer.json()["total"]) == (409, "price_changed", "12.00")


def test_another_total_of_a_move_is_refused_with_the_new_one(client, user, priced, adult):
    booking = make_booking(user=user, show=priced, ticket_type=adult, price=Decimal(12))
    answer = move(client, booking, seat_number=5, expected_total="12.00")
    assert (answer.status_code, answer.json()["total"]) == (409, "15.00")
    assert move(client, booking, seat_number=5, expected_total="15.00").json()["price"] == "15.00"


def test_a_free_show_has_the_total_0(client, show):
    assert book_one(client, show, expected_total="0.01").json()["total"] == "0.00"
    assert book_one(client, show, expected_total="0").status_code == 201


# --- Input that can't be meant ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seat_numbers": [1], "ticket_types": {"2": 1}}, "ticket_types.2"),
        ({"seat_numbers": [1], "ticket_types": {"x": 1}}, "ticket_types.x"),
        ({"seat_numbers": [1], "ticket_types": {"1": 0}}, "ticket_types.1"),
        ({"seat_numbers": [1], "ticket_types": {"1": 1.0}}, "ticket_types.1"),
        ({"seat_numbers": [1], "ticket_types": {"1": True}}, "ticket_types.1"),
        ({"seat_numbers": [1], "ticket_types": {str(seat): 1 for seat in range(1, 52)}}, "ticket_types"),
        ({"seat_numbers": [1], "ticket_types": 1}, "ticket_types"),
        ({"seat_numbers": [1], "ticket_types": [1]}, "ticket_types"),
        ({"count": 2, "ticket_types": {"1": 1}}, "ticket_types"),
        ({"count": 1, "expected_total": 12.0}, "expected_total"),
        ({"count": 1, "expected_total": 12.5}, "expected_total"),
        ({"count": 1, "expected_total": True}, "expected_total"),
        ({"count": 1, "expected_total": "-1"}, "expected_total"),
        ({"count": 1, "expected_total": "1e3"}, "expected_total"),
        ({"count": 1, "expected_total": "NaN"}, "expected_total"),
        ({"count": 1, "expected_total": "12,00"}, "expected_total"),
        ({"count": 1, "expected_total": "12.0000"}, "expected_total"),
        ({"count": 1, "expected_total": None}, "expected_total"),
        ({"seat_numbers": [1], "accessible": True}, "accessible"),
        ({"seat_numbers": [1], "ticket_type": 1}, "ticket_type"),
        ({"count": 1, "ticket_type": None}, "ticket_type"),
    ],
)
def test_an_invalid_value_is_refused_with_its_field(client, priced, body, field):
    answer = book(client, priced, **body)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field])
    assert Booking.objects.count() == 0


@pytest.mark.parametrize("ticket_type", [0, -1, 1.0, True, "x", None, [1], 10**30])
def test_an_invalid_ticket_type_is_refused_with_its_field(client, priced, ticket_type):
    answer = book_one(client, priced, ticket_type=ticket_type)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, ["ticket_type"])


def test_ticket_types_of_one_seat_are_refused(client, priced):
    answer = book_one(client, priced, ticket_types={"1": 1})
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, ["ticket_types"])


@pytest.mark.parametrize("field", ["ticket_type", "ticket_types"])
def test_a_ticket_type_of_a_move_is_refused(client, user, priced, field):
    answer = move(client, make_booking(show=priced, user=user), seat_number=2, **{field: 1})
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field])
