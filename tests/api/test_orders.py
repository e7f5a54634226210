"""Orders: the seats that a customer booked or holds together, and their prices."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from booking.models import Booking, Order
from tests.bank import ask, hold, make_paid_show, report
from tests.bodies import field_errors
from tests.conftest import signed_in
from tests.factories import (
    NOW,
    STARTS_AT,
    make_booking,
    make_hold,
    make_price_list,
    make_show,
    make_ticket_type,
    make_user,
)
from tests.tills import make_payment

NOT_FOUND = {"code": "not_found", "detail": "Not found."}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def priced(db):
    adult = make_ticket_type(name="Adult")
    return make_show(price_list=make_price_list({("S", adult): "12.5"}))


@pytest.fixture
def order(user, priced):
    """The reference of an order of two seats."""
    first = make_booking(user=user, show=priced, price=Decimal("12.5"))
    make_booking(user=user, show=priced, seat_number=2, reference=first.reference, price=Decimal("12.5"))
    return first.reference


def orders(client, query=""):
    answer = client.get(f"/api/orders/{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def cancel(client, reference):
    return client.post(f"/api/orders/{reference}/cancel/")


def sums(body):
    return [body[name] for name in ("currency", "total", "paid", "due", "payments")]


# --- The list ---------------------------------------------------------------------------------


def test_the_user_s_orders_are_listed(client, user, show):
    mine = make_booking(user=user, show=show)
    make_booking(show=show, seat_number=2)
    assert [order["reference"] for order in orders(client)] == [mine.reference]


def test_orders_are_listed_newest_first_in_pages(client, user):
    made = [make_booking(user=user, created_at=NOW + number * MINUTE).reference for number in range(3)]
    page = client.get("/api/orders/?page_size=2").json()
    assert (page["count"], [order["reference"] for order in page["results"]]) == (3, made[:0:-1])
    assert [order["reference"] for order in orders(client, "?page=2&page_size=2")] == made[:1]


def test_a_customer_without_orders_has_an_empty_list(client):
    assert client.get("/api/orders/").json() == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.parametrize("name", ["show", "status", "ordering"])
def test_the_list_refuses_parameters_that_it_does_not_have(client, name):
    assert list(field_errors(client.get(f"/api/orders/?{name}=1"))) == [name]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_orders_takes_6_queries(client, user, django_assert_num_queries, rows):
    for _ in range(rows):
        make_booking(user=user)
    with django_assert_num_queries(6):
        assert len(orders(client)) == rows


def test_an_order_whose_bookings_were_removed_is_not_listed(client, order):
    Booking.objects.all().delete()
    assert (orders(client), client.get(f"/api/orders/{order}/").status_code) == ([], 404)


@pytest.mark.usefixtures("bank")
def test_an_order_whose_seats_were_booked_under_another_reference_stays_with_its_payment(client, user):
    show, now = make_paid_show(), timezone.now()
    first = hold(user, show, 1, now=now)
    payment = ask(user, first, now=now)
    hold(user, show, 2, now=now)
    both = hold(user, show, 1, 2, now=now)
    report(payment, now=now)
    assert [order["reference"] for order in orders(client)] == [both, first]
    body = client.get(f"/api/orders/{first}/").json()
    assert (body, body["reference"], body["bookings"], body["show"]["id"]) == (orders(client)[1], first, [], show.pk)
    assert [body[name] for name in ("total", "paid", "refunded", "due")] == ["0.00", "12.00", "12.00", "0.00"]
    assert [(one["id"], one["refunded"]) for one in body["payments"]] == [(payment, "12.00")]
    others = [client.post(f"/api/orders/{first}/cancel/"), client.get(f"/api/orders/{first}/tickets/")]
    assert [answer.json() for answer in others] == [NOT_FOUND] * 2


@pytest.mark.parametrize("rows", [1, 3])
def test_orders_without_seats_take_no_more_queries(client, user, django_assert_num_queries, rows):
    for _ in range(rows):
        make_payment(Order.objects.get(reference=make_booking(user=user).reference))
    Booking.objects.all().delete()
    with django_assert_num_queries(6):
        assert len(orders(client)) == rows


# --- An order ---------------------------------------------------------------------------------


def test_an_order_has_the_same_representation_in_lists_and_alone(client, order):
    assert client.get(f"/api/orders/{order}/").json() == orders(client)[0]


def test_an_order_has_its_seats_and_their_prices(client, order):
    body = client.get(f"/api/orders/{order}/").json()
    seats = [(row["seat_label"], row["status"], row["price"]) for row in body["bookings"]]
    assert seats == [("A1", "booked", "12.50"), ("A2", "booked", "12.50")]
    assert (body["reference"], body["created_at"]) == (order, "2099-05-31T18:00:00Z")
    assert sums(body) == ["EUR", "25.00", "0.00", "25.00", []]


@pytest.mark.parametrize("seats", [1, 3])
def test_an_order_takes_5_queries(client, user, show, seats, django_assert_num_queries):
    reference = make_booking(user=user, show=show).reference
    for seat_number in range(2, seats + 1):
        make_booking(user=user, show=show, seat_number=seat_number, reference=reference)
    with django_assert_num_queries(5):
        assert len(client.get(f"/api/orders/{reference}/").json()["bookings"]) == seats


def test_a_cancelled_seat_is_in_its_order_without_a_price(client, order):
    pk = Booking.objects.get(seat_number=1).pk
    client.post(f"/api/bookings/{pk}/cancel/")
    body = client.get(f"/api/orders/{order}/").json()
    assert [row["status"] for row in body["bookings"]] == ["cancelled", "booked"]
    assert sums(body) == ["EUR", "12.50", "0.00", "12.50", []]


def test_two_shows_may_share_a_reference(client, user, show):
    first = make_booking(user=user, show=show)
    other = make_booking(user=user, show=make_show(), reference=first.reference, created_at=NOW + MINUTE)
    assert [order["show"]["id"] for order in orders(client)] == [other.show_id, show.pk]
    assert [len(order["bookings"]) for order in orders(client)] == [1, 1]


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("post", "cancel/")])
def test_an_order_of_another_customer_is_not_found(order, method, path):
    stranger = signed_in(make_user())
    answer = getattr(stranger, method)(f"/api/orders/{order}/{path}")
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert Booking.objects.sold().count() == 2


def test_orders_of_other_customers_are_not_listed(order):
    assert orders(signed_in(make_user())) == []


def test_an_order_of_a_customer_without_an_account_belongs_to_no_user(client, order):
    for model in (Order, Booking):
        model.objects.update(user=None)
    assert (orders(client), client.get(f"/api/orders/{order}/").status_code) == ([], 404)


# --- Cancelling -------------------------------------------------------------------------------


def test_a_cancelled_order_costs_nothing(client, order):
    body = cancel(client, order).json()
    assert [(row["status"], row["price"]) for row in body["bookings"]] == [("cancelled", "12.50")] * 2
    assert sums(body) == ["EUR", "0.00", "0.00", "0.00", []]
    assert client.get(f"/api/orders/{order}/").json() == body


def test_a_cancelled_order_can_not_be_cancelled_again(client, order):
    assert [cancel(client, order).status_code for _ in range(2)] == [200, 409]
    assert Booking.objects.sold().count() == 0


def test_the_rest_of_an_order_is_cancelled(client, order):
    client.post(f"/api/bookings/{Booking.objects.get(seat_number=1).pk}/cancel/")
    assert {row["status"] for row in cancel(client, order).json()["bookings"]} == {"cancelled"}


def test_an_order_of_a_show_that_has_started_is_not_cancelled(client, user):
    booking = make_booking(user=user, show=make_show(starts_at=STARTS_AT.replace(year=2020)))
    answer = cancel(client, booking.reference)
    assert (answer.status_code, answer.json()["code"]) == (409, "show_started")


def test_an_order_of_holds_is_cancelled(client, user, show):
    hold = make_hold(user=user, show=show, expires_at=STARTS_AT)
    assert cancel(client, hold.reference).json()["bookings"][0]["status"] == "cancelled"


# --- Where a new order is ---------------------------------------------------------------------


@pytest.mark.parametrize("action", ["book-seats", "hold"])
def test_the_location_of_several_seats_is_their_order(client, priced, action):
    answer = client.post(f"/api/shows/{priced.pk}/{action}/", {"count": 2})
    found = client.get(answer["Location"]).json()
    assert (answer.status_code, answer["Location"]) == (201, f"/api/orders/{found['reference']}/")
    own = {name: value for name, value in answer.json().items() if not name.startswith("expires_")}
    assert own == found


def test_the_location_of_one_seat_is_its_booking(client, priced):
    answer = client.post(f"/api/shows/{priced.pk}/book/", {"seat_number": 1})
    assert (answer.status_code, client.get(answer["Location"]).json()) == (201, answer.json())
    [order] = orders(client)
    assert (order["bookings"], sums(order)) == ([answer.json()], ["EUR", "12.50", "0.00", "12.50", []])


@pytest.mark.parametrize(
    ("action", "body"), [("book", {"seat_number": 1}), ("book-seats", {"count": 2}), ("hold", {"count": 2})]
)
def test_a_replayed_response_has_its_location(client, priced, action, body):
    path, key = f"/api/shows/{priced.pk}/{action}/", {"Idempotency-Key": "k"}
    first, again = (client.post(path, body, headers=key) for _ in range(2))
    assert (again.status_code, again["Idempotency-Replayed"], again["Location"]) == (201, "true", first["Location"])


def test_the_location_keeps_the_prefix_of_the_site(client, priced):
    answer = client.post(f"/api/shows/{priced.pk}/hold/", {"count": 1}, SCRIPT_NAME="/tickets")
    assert answer["Location"] == f"/tickets/api/orders/{answer.json()['reference']}/"


def test_an_expired_hold_is_cancelled_in_its_order_and_costs_nothing(client, user, show):
    hold = make_hold(user=user, show=show, price=12, expires_at=timezone.now() - timedelta(minutes=1))
    body = client.get(f"/api/orders/{hold.reference}/").json()
    assert ([row["status"] for row in body["bookings"]], body["total"]) == (["cancelled"], "0.00")


def test_an_old_booking_of_a_seat_that_the_hall_lacks_is_shown(client, user, show):
    booking = make_booking(user=user, show=show, seat_number=51, status="cancelled")
    answer = client.get(f"/api/bookings/{booking.pk}/")
    assert (answer.json()["seat_label"], answer.json()["category"]) == ("number 51", "")
