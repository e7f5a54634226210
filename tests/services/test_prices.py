"""The ticket types and prices of sold seats."""

from decimal import Decimal

import pytest

from booking.models import Booking, Order
from booking.services import book_seat, book_seats, change_show, hold_seats, move_booking, read_prices
from booking.services.seats.prices import PriceChanged, UnknownTicketType
from booking.services.seats.rules import NoAccessibleSeat, NoBlock
from booking.services.seats.rules.amounts import NotForSale
from booking.services.seats.rules.seats import SofaForTwo
from tests.factories import NOW, make_booking, make_price_list, make_show, make_ticket_type, make_user

LAYOUT = "SSSS\nPP..LL\nWW"


@pytest.fixture
def adult(db):
    return make_ticket_type(name="Adult", position=1)


@pytest.fixture
def child(db):
    return make_ticket_type(name="Child", position=2)


@pytest.fixture
def priced(adult, child):
    """Seats 1 to 4 are Standard, 5 and 6 Premium without a child's price, 7 and 8 a sofa, 9 and 10 not for sale."""
    prices = {("S", adult): 12, ("S", child): 8, ("P", adult): 15, ("L", adult): 18}
    return make_show(layout=LAYOUT, price_list=make_price_list(prices))


def book(user, show, *seats, **more):
    return book_seats(user=user, show_id=show.pk, seat_numbers=seats, now=NOW, **more)


def sold(bookings):
    return [(row.seat_label, row.category, row.ticket_type and row.ticket_type.name, row.price) for row in bookings]


def test_a_seat_is_sold_as_the_first_active_type(user, priced):
    assert sold(book(user, priced, 1, 5)) == [("A1", "S", "Adult", 12), ("B1", "P", "Adult", 15)]


def test_an_inactive_type_is_not_sold(user, priced, adult, child):
    adult.is_active = False
    adult.save()
    assert sold(book(user, priced, 1)) == [("A1", "S", "Child", 8)]
    with pytest.raises(UnknownTicketType):
        book(user, priced, 2, ticket_types={2: adult.pk})
    with pytest.raises(NotForSale, match="Seat B1 is not for sale"):
        book(user, priced, 5)


def test_each_seat_has_the_requested_type(user, priced, child):
    assert sold(book(user, priced, 1, 2, ticket_types={2: child.pk})) == [
        ("A1", "S", "Adult", 12),
        ("A2", "S", "Child", 8),
    ]


def test_a_count_has_the_requested_number_of_each_type(user, priced, adult, child):
    bookings = book_seats(user=user, show_id=priced.pk, count=3, now=NOW, ticket_types={child.pk: 2, adult.pk: 1})
    assert [row.ticket_type.name for row in bookings] == ["Adult", "Child", "Child"]


def test_unknown_types_of_a_count_are_refused(user, priced):
    with pytest.raises(UnknownTicketType, match="Ticket type 77 is not sold for seat"):
        book_seats(user=user, show_id=priced.pk, count=1, now=NOW, ticket_types={77: 1})


def test_a_count_gets_seats_that_are_sold_as_its_types(user, adult, child):
    # The best two seats are B2 and B3.
    prices = {("S", adult): 12, ("S", child): 8, ("P", adult): 15}
    show = make_show(layout="SSSS\nPPPP\nSSSS", price_list=make_price_list(prices))
    both = {"count": 2, "ticket_types": {adult.pk: 1, child.pk: 1}}
    assert [row.seat_label for row in book(user, show, **both)] == ["A2", "A3"]
    assert [row.seat_label for row in book(user, show, count=2)] == ["B2", "B3"]


def test_a_count_gets_a_seat_for_each_type_even_if_none_is_sold_as_all_of_them(user, adult, child):
    # The best two seats are A2 and A3.
    show = make_show(layout="SSSSPP", price_list=make_price_list({("S", adult): 12, ("P", child): 8}))
    both = {"count": 2, "ticket_types": {child.pk: 1, adult.pk: 1}}
    assert sold(book(user, show, **both)) == [("A4", "S", "Adult", 12), ("A5", "P", "Child", 8)]
    with pytest.raises(NoBlock, match="There are no 2 seats side by side for these ticket types"):
        book(user, show, **both)
    assert [row.seat_label for row in book(user, show, **both, split=True)] == ["A3", "A6"]


def test_a_count_gets_the_best_seats_that_are_sold_as_its_types(user, adult, child):
    # No row has a better seat for an adult than B2.
    prices = {("S", adult): 12, ("S", child): 8, ("P", adult): 15}
    show = make_show(layout="SSS\nPPS\nSSS", price_list=make_price_list(prices))
    both = {"count": 2, "ticket_types": {adult.pk: 1, child.pk: 1}}
    assert sold(book(user, show, **both)) == [("B2", "P", "Adult", 15), ("B3", "S", "Child", 8)]


def test_a_count_with_types_that_no_seats_left_are_sold_as_is_refused(user, adult, child):
    show = make_show(layout="S\nPP", price_list=make_price_list({("S", child): 8, ("P", adult): 15}))
    make_booking(show=show, seat_number=1)
    with pytest.raises(UnknownTicketType) as refusal:
        book(user, show, count=2, ticket_types={child.pk: 2})
    assert refusal.value.field == f"ticket_types.{child.pk}"


def test_a_count_with_types_that_only_separate_seats_are_sold_as_may_be_split(user, adult, child):
    show = make_show(layout="S\nPP\nS", price_list=make_price_list({("S", child): 8, ("P", adult): 15}))
    children = {"count": 2, "ticket_types": {child.pk: 2}}
    with pytest.raises(NoBlock, match="There are no 2 seats side by side for these ticket types") as refusal:
        book(user, show, **children)
    assert refusal.value.extra == {"largest_block": 1}
    assert [row.seat_label for row in book(user, show, **children, split=True)] == ["A1", "C1"]
    with pytest.raises(UnknownTicketType):
        book(user, show, **children)


def test_each_type_of_a_count_is_given_to_a_seat_that_is_sold_as_it(user, adult, child):
    # By position, Adult comes first.
    senior = make_ticket_type(name="Senior", position=3)
    for sold_as, types in [
        ({"S": [adult, child], "P": [adult]}, [adult, child]),
        ({"S": [adult, child, senior], "P": [adult, child], "W": [adult]}, [adult, child, senior]),
    ]:
        prices = {(code, one): 9 for code, sold in sold_as.items() for one in sold}
        show = make_show(layout="".join(sold_as), price_list=make_price_list(prices))
        call = {"count": len(types), "ticket_types": {one.pk: 1 for one in types}}
        given = [row.ticket_type.name for row in book(user, show, **call)]
        assert given == [one.name for one in reversed(types)]


def test_a_count_with_more_of_a_type_than_seats_that_are_sold_as_it_is_refused(user, adult, child):
    show = make_show(layout="SP", price_list=make_price_list({("S", adult): 12, ("P", child): 8}))
    with pytest.raises(NoBlock, match="There are no 2 seats side by side for these ticket types") as refusal:
        book(user, show, count=2, ticket_types={adult.pk: 2})
    assert refusal.value.extra == {"largest_block": 1}


def test_an_accessible_seat_that_is_not_sold_as_the_type_is_refused(user, adult, child):
    show = make_show(layout="SS\nW", price_list=make_price_list({("S", child): 8, ("W", adult): 15}))
    with pytest.raises(UnknownTicketType, match="is not sold for seat B1"):
        book(user, show, count=1, accessible=True, ticket_types={child.pk: 1})


@pytest.mark.parametrize(("seat", "field"), [(5, "ticket_type"), (1, "ticket_type")])
def test_a_type_without_a_price_for_the_category_is_refused(user, priced, child, seat, field):
    named = child.pk if seat == 5 else 77
    with pytest.raises(UnknownTicketType) as caught:
        book_seat(user=user, show_id=priced.pk, seat_number=seat, ticket_type=named, now=NOW)
    assert (caught.value.field, Booking.objects.count()) == (field, 0)


def test_a_free_show_has_no_ticket_types(user, show, adult):
    with pytest.raises(UnknownTicketType):
        book_seat(user=user, show_id=show.pk, seat_number=1, ticket_type=adult.pk, now=NOW)
    assert sold([book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW)]) == [("A1", "S", None, 0)]


def test_a_category_without_a_price_is_not_for_sale(user, priced):
    with pytest.raises(NotForSale, match="Seats C1, C2 are not for sale"):
        book(user, priced, 9, 10)


@pytest.mark.parametrize("expected", [Decimal(27), None])
def test_the_expected_total_is_booked(user, priced, expected):
    assert len(book(user, priced, 1, 5, expected_total=expected)) == 2


def test_another_total_is_refused_with_the_new_one(user, priced):
    with pytest.raises(PriceChanged) as caught:
        book(user, priced, 1, 5, expected_total=Decimal(26))
    assert (caught.value.detail, caught.value.extra) == ("The seats cost 27.00 now.", {"total": "27.00"})


def test_a_hold_keeps_its_type_and_price(user, priced, child):
    hold_seats(user=user, show_id=priced.pk, seat_numbers=[1], now=NOW, ticket_types={1: child.pk})
    change_show(show_id=priced.pk, changed_by=make_user(), now=NOW, price_list=make_price_list({("S", child): 9}))
    assert sold(book(user, priced, 1)) == [("A1", "S", "Child", 8)]


def test_a_hold_takes_another_type_at_the_current_price(user, priced, adult, child):
    hold_seats(user=user, show_id=priced.pk, seat_numbers=[1], now=NOW, ticket_types={1: child.pk})
    change_show(show_id=priced.pk, changed_by=make_user(), now=NOW, price_list=make_price_list({("S", adult): 20}))
    assert sold(book(user, priced, 1, ticket_types={1: adult.pk})) == [("A1", "S", "Adult", 20)]


def test_a_move_keeps_the_price_in_the_category(user, priced, child):
    [booking] = book(user, priced, 1, ticket_types={1: child.pk})
    change_show(show_id=priced.pk, changed_by=make_user(), now=NOW, price_list=make_price_list({("S", child): 9}))
    moved = move_booking(user=user, booking_id=booking.pk, seat_number=2, now=NOW)
    assert sold([moved]) == [("A2", "S", "Child", 8)]


def test_a_move_to_another_category_has_its_price(user, priced):
    [booking] = book(user, priced, 1)
    with pytest.raises(PriceChanged):
        move_booking(user=user, booking_id=booking.pk, seat_number=5, now=NOW, expected_total=Decimal(12))
    moved = move_booking(user=user, booking_id=booking.pk, seat_number=5, now=NOW, expected_total=Decimal(15))
    assert sold([moved]) == [("B1", "P", "Adult", 15)]


def test_a_move_to_a_category_that_lacks_the_type_is_refused(user, priced, child):
    [booking] = book(user, priced, 1, ticket_types={1: child.pk})
    with pytest.raises(UnknownTicketType):
        move_booking(user=user, booking_id=booking.pk, seat_number=5, now=NOW)


def test_the_prices_of_a_show_are_those_of_its_categories_and_active_types(priced, child, show):
    child.is_active = False
    child.save()
    assert [(one.category, one.type_name, one.amount) for one in read_prices(show=priced)] == [
        ("L", "Adult", 18),
        ("P", "Adult", 15),
        ("S", "Adult", 12),
    ]
    assert read_prices(show=show) == []


# --- Sofas and accessible seats ---------------------------------------------------------------


def test_half_a_sofa_is_refused_while_other_seats_are_free(user, priced):
    with pytest.raises(SofaForTwo, match="Seat B3 is half of a sofa for two"):
        book(user, priced, 7)
    assert len(book(user, priced, 7, 8)) == 2


def test_the_other_half_of_one_s_own_sofa_can_be_booked(user, priced):
    book(user, priced, 7, 8)
    Booking.objects.filter(seat_number=8).delete()
    assert len(book(user, priced, 8)) == 1


def test_the_other_half_of_a_stranger_s_sofa_can_be_booked(user, priced):
    make_booking(show=priced, seat_number=7)
    assert len(book(user, priced, 8)) == 1


def test_half_a_sofa_is_sold_if_nothing_else_is_free(user, priced):
    for seat in range(1, 7):
        make_booking(show=priced, seat_number=seat)
    assert len(book(user, priced, 7)) == 1


def test_half_a_sofa_is_sold_when_nothing_else_is_for_sale(user, adult):
    show = make_show(layout="SS\nLL", price_list=make_price_list({("L", adult): 18}))
    assert len(book(user, show, 3)) == 1


def test_half_a_sofa_is_refused_while_another_half_is_left(user):
    show = make_show(layout="LLLL")
    make_booking(show=show, seat_number=1)
    with pytest.raises(SofaForTwo, match="Seat A3 is half of a sofa for two"):
        book(user, show, 3)
    assert len(book(user, show, 2)) == 1
    assert len(book(user, show, 3)) == 1


def test_staff_sell_half_a_sofa(user, priced):
    assert len(book(None, priced, 7, sold_by=make_user(is_staff=True))) == 1


def test_accessible_seats_are_sold_on_request(user):
    show = make_show(layout="SSS\nWW")
    assert [row.category for row in book_seats(user=user, show_id=show.pk, count=1, now=NOW)] == ["S"]
    bookings = book_seats(user=user, show_id=show.pk, count=1, accessible=True, now=NOW)
    assert [row.category for row in bookings] == ["W"]


def test_a_request_without_free_accessible_seats_is_refused(user, show):
    with pytest.raises(NoAccessibleSeat):
        book_seats(user=user, show_id=show.pk, count=1, accessible=True, now=NOW)


def test_an_accessible_seat_without_an_adjacent_seat_is_not_a_block(user):
    show = make_show(layout="W\nSSS")
    with pytest.raises(NoBlock):
        book_seats(user=user, show_id=show.pk, count=2, accessible=True, now=NOW)


# --- Orders -----------------------------------------------------------------------------------


def test_each_sale_is_an_order(user, priced):
    bookings = book(user, priced, 1, 2)
    order = Order.objects.get()
    assert (order.reference, order.show, order.user, order.created_at) == (bookings[0].reference, priced, user, NOW)


def test_holds_that_are_booked_together_leave_no_empty_order(user, priced):
    for seat in (1, 2):
        hold_seats(user=user, show_id=priced.pk, seat_numbers=[seat], now=NOW)
    bookings = book(user, priced, 1, 2)
    assert [order.reference for order in Order.objects.all()] == [bookings[0].reference]


def test_holds_that_are_renewed_together_leave_no_empty_order(user, priced):
    for seat in (1, 2):
        hold_seats(user=user, show_id=priced.pk, seat_numbers=[seat], now=NOW)
    hold_seats(user=user, show_id=priced.pk, seat_numbers=[1, 2], now=NOW)
    assert Order.objects.count() == 1


def test_an_order_with_a_remaining_hold_is_not_deleted(user, priced):
    hold_seats(user=user, show_id=priced.pk, seat_numbers=[1, 2], now=NOW)
    hold_seats(user=user, show_id=priced.pk, seat_numbers=[3], now=NOW)
    book(user, priced, 2, 3)
    assert Order.objects.count() == 2
