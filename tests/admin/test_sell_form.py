"""The form that sells one seat, on shows with prices and on free ones."""

import pytest

from booking.models import Booking, SeatCategory, TicketType
from tests.factories import make_price_list, make_show, make_user
from tests.staff import page_messages

URL = "/admin/booking/booking/add/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def adult():
    return TicketType.objects.get_or_create(name="Adult", defaults={"position": 0})[0]


@pytest.fixture
def child():
    return TicketType.objects.create(name="Child", position=9)


@pytest.fixture
def show(adult, child):
    make_user(username="esha")
    return make_show(price_list=make_price_list({("S", adult): "12", ("S", child): "8"}))


def sell(staff, show, seat="E5", **fields):
    return staff.post(URL, {"show": show.pk, "seat_number": seat, "customer": "esha", **fields})


def errors(response):
    return response.context["adminform"].form.errors


def test_a_priced_seat_is_sold_once_its_ticket_is_chosen(staff, show, adult, child):
    response = sell(staff, show, "A5")
    form = response.context["adminform"].form
    assert form.errors == {"ticket": ["Choose the ticket for A5."]}
    assert form.fields["ticket"].widget.choices == [
        (f"{adult.pk}:12.00", "Adult, 12.00 EUR"), (f"{child.pk}:8.00", "Child, 8.00 EUR"),
    ]  # fmt: skip
    assert not Booking.objects.exists()
    sold = sell(staff, show, "A5", ticket=f"{child.pk}:8.00")
    booking = Booking.objects.get()
    assert (booking.ticket_type, booking.price) == (child, 8)
    assert page_messages(sold) == [f"Sold A5 to esha for 8.00 EUR, {booking.reference}."]


def test_a_price_that_has_changed_is_shown_before_the_seat_is_sold(staff, show, adult):
    assert errors(sell(staff, show, "A5", ticket=f"{adult.pk}:10.00")) == {
        "ticket": ["Prices have changed. Choose again."]
    }
    assert not Booking.objects.exists()


def test_a_seat_of_a_free_show_needs_no_ticket(staff):
    make_user(username="esha")
    show = make_show()
    response = sell(staff, show, "A5")
    assert page_messages(response) == [f"Sold A5 to esha, {Booking.objects.get().reference}."]


def test_the_form_asks_for_the_ticket_type_when_show_and_seat_are_known(staff, show):
    page = staff.get(URL).content.decode()
    assert '<input type="hidden" name="ticket"' in page
    assert set(errors(sell(staff, show, "Z99"))) == {"seat_number"}


def test_a_seat_that_does_not_exist_has_no_price(staff, show):
    assert "ticket" not in errors(sell(staff, show, "9999"))
    assert not Booking.objects.exists()


@pytest.mark.parametrize("ticket", ["", "x", "1", "1:", "\x00", "9" * 50, "9" * 51])
def test_an_invalid_ticket_type_sells_nothing(staff, show, ticket):
    assert "ticket" in errors(sell(staff, show, "A5", ticket=ticket))
    assert not Booking.objects.exists()


def test_a_category_that_is_not_sold_is_refused(staff, show):
    SeatCategory.objects.get_or_create(code="P", defaults={"name": "Premium", "colour": "#aa0000"})
    other = make_show(price_list=make_price_list({("P", TicketType.objects.first()): "12"}))
    assert set(errors(sell(staff, other, "A5"))) != {"ticket"}
    assert not Booking.objects.exists()
