"""Ticket types and prices in requests and responses."""

import pytest

from booking.models import Booking
from tests.factories import make_booking, make_price_list, make_show, make_ticket_type


@pytest.fixture
def adult(db):
    return make_ticket_type(name="Adult", position=1)


@pytest.fixture
def child(db):
    return make_ticket_type(name="Child", position=2)


@pytest.fixture
def priced(adult, child):
    return make_show(price_list=make_price_list({("S", adult): 12, ("S", child): "7.5"}))


def book(client, show, **body):
    return client.post(f"/api/shows/{show.pk}/book-seats/", body)


def test_a_show_lists_its_prices(anyone, priced, adult, child):
    body = anyone.get(f"/api/shows/{priced.pk}/").json()
    assert (body["currency"], body["lowest_price"], body["plan"]) == ("EUR", "7.50", priced.plan.pk)
    assert body["prices"] == [
        {"category": "S", "ticket_type": {"id": adult.pk, "name": "Adult"}, "amount": "12.00"},
        {"category": "S", "ticket_type": {"id": child.pk, "name": "Child"}, "amount": "7.50"},
    ]


def test_a_renamed_ticket_type_is_renamed_in_a_cached_list(anyone, priced, child):
    path = f"/api/movies/{priced.movie_id}/shows/"
    assert anyone.get(path).json()["results"][0]["lowest_price"] == "7.50"
    child.is_active = False
    child.save()
    assert anyone.get(path).json()["results"][0]["lowest_price"] == "12.00"


def test_one_seat_has_the_named_type(client, priced, child):
    body = {"seat_number": 5, "ticket_type": child.pk, "expected_total": "7.50"}
    answer = client.post(f"/api/shows/{priced.pk}/book/", body)
    sold = [answer.json()[name] for name in ("category", "ticket_type", "price")]
    assert (answer.status_code, sold) == (201, ["S", {"id": child.pk, "name": "Child"}, "7.50"])


def test_an_order_sums_its_prices(client, priced, adult, child):
    answer = book(client, priced, count=3, ticket_types={str(child.pk): 2, str(adult.pk): 1})
    body = answer.json()
    assert (answer["Location"], body["currency"]) == (f"/api/orders/{body['reference']}/", "EUR")
    assert (body["total"], body["paid"], body["due"], body["payments"]) == ("27.00", "0.00", "27.00", [])


def test_another_total_is_refused_with_the_new_one(client, priced):
    answer = book(client, priced, seat_numbers=[1, 2], expected_total=20)
    refusal = {"code": "price_changed", "detail": "The seats cost 24.00 now.", "total": "24.00"}
    assert (answer.status_code, answer.json(), Booking.objects.count()) == (409, refusal, 0)


def test_an_unknown_type_is_refused(client, priced):
    answer = book(client, priced, seat_numbers=[1], ticket_types={"1": 77})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_ticket_type")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seat_numbers": [1], "ticket_types": {"2": 1}}, "ticket_types.2"),
        ({"seat_numbers": [1], "ticket_types": {"x": 1}}, "ticket_types.x"),
        ({"seat_numbers": [1], "ticket_types": {"1": 0}}, "ticket_types.1"),
        ({"seat_numbers": [1], "ticket_types": {str(seat): 1 for seat in range(1, 52)}}, "ticket_types"),
        ({"seat_numbers": [1], "ticket_types": 1}, "ticket_types"),
        ({"count": 2, "ticket_types": {"1": 1}}, "ticket_types"),
        ({"count": 1, "expected_total": 12.5}, "expected_total"),
        ({"count": 1, "expected_total": True}, "expected_total"),
        ({"count": 1, "expected_total": "-1"}, "expected_total"),
        ({"count": 1, "expected_total": "1e3"}, "expected_total"),
        ({"seat_numbers": [1], "accessible": True}, "accessible"),
    ],
)
def test_what_can_not_be_meant_names_its_field(client, priced, body, field):
    answer = book(client, priced, **body)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field])


# --- Orders -----------------------------------------------------------------------------------


def test_the_user_s_orders_are_listed(client, user, show):
    mine = make_booking(user=user, show=show)
    make_booking(show=show, seat_number=2)
    body = client.get("/api/orders/").json()
    assert (body["count"], [order["reference"] for order in body["results"]]) == (1, [mine.reference])
    assert client.get(f"/api/orders/{mine.reference}/").json() == body["results"][0]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_orders_costs_the_same_queries(client, user, django_assert_num_queries, rows):
    for _ in range(rows):
        make_booking(user=user)
    with django_assert_num_queries(4):
        assert len(client.get("/api/orders/").json()["results"]) == rows


def test_an_order_of_another_customer_is_not_found(client, show):
    other = make_booking(show=show)
    for method, path in (("get", ""), ("post", "cancel/")):
        answer = getattr(client, method)(f"/api/orders/{other.reference}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_cancelled_order_costs_nothing(client, priced):
    reference = book(client, priced, count=2).json()["reference"]
    body = client.post(f"/api/orders/{reference}/cancel/").json()
    assert (body["total"], {row["status"] for row in body["bookings"]}) == ("0.00", {"cancelled"})
    assert {row["price"] for row in body["bookings"]} == {"12.00"}


# --- Seat plans -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_seat_plan_lists_every_seat(anyone):
    show = make_show(layout="S.W\n\nLL")
    answer = anyone.get(f"/api/seat-plans/{show.plan.pk}/")
    rows = answer.json()["rows"]
    names = ("seat_number", "label", "row", "x", "y", "category", "accessible")
    assert [[tuple(seat[name] for name in names) for seat in row["seats"]] for row in rows] == [
        [(1, "A1", "A", 0, 0, "S", False), (2, "A2", "A", 2, 0, "W", True)],
        [(3, "B1", "B", 0, 2, "L", False), (4, "B2", "B", 1, 2, "L", False)],
    ]
    assert [category["code"] for category in answer.json()["categories"]] == ["L", "S", "W"]
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert anyone.get("/api/seat-plans/77/").status_code == 404
