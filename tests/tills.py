"""Functions for tests of tills and payments at the counter."""

from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import Group
from django.utils import timezone

from booking.models import Booking, Order, Payment, Refund, Till, User
from booking.services import book_seats, open_till, record_payment
from tests.factories import make_price_list, make_show, make_ticket_type, make_user

TILLS = "/admin/booking/till/"


def make_clerk(username: str = "clerk", **fields) -> User:
    """Create a member of the box office."""
    clerk = make_user(username=username, is_staff=True, **fields)
    clerk.groups.add(Group.objects.get(name="Box office"))
    return clerk


def till_of(clerk: User, opening_float=50) -> Till:
    return open_till(clerk=clerk, opening_float=Decimal(opening_float), now=timezone.now())


def make_priced_show(**fields):
    """Create a show in which row A costs 12.00, or 8.00 for children, and row B 15.00, or with this `price_list`."""
    if "price_list" not in fields:
        adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
        fields["price_list"] = make_price_list({("S", adult): 12, ("S", child): 8, ("P", adult): 15})
    return make_show(**({"layout": "SSSSSSSSSS\nPPPPPPPPPP"} | fields))


def sell(show, *seats, clerk: User | None = None, user: User | None = None, **more) -> Order:
    """Sell the seats unpaid, to a user or to a customer without an account."""
    [booking, *_] = book_seats(
        user=user,
        show_id=show.pk,
        seat_numbers=seats,
        now=timezone.now(),
        sold_by=clerk,
        **more,
    )
    return Order.objects.get(show=show, reference=booking.reference)


def take(order: Order, clerk: User, method="cash", given=None) -> Payment:
    """Record a payment of the whole amount due."""
    prices = Booking.objects.sold().filter(show=order.show, reference=order.reference).values_list("price", flat=True)
    return record_payment(
        show_id=order.show_id,
        reference=order.reference,
        method=method,
        expected=sum(prices, Decimal(0)),
        given=given,
        by=clerk,
        now=timezone.now(),
    )


def make_payment(order: Order | None = None, **fields) -> Payment:
    """Create a received payment of 12.00, by default in cash, without the services."""
    order = order or sell(make_show(), 1)
    now = timezone.now()
    provider = fields.get("provider", "counter")
    defaults = {"method": "cash" if provider == "counter" else "online", "status": "paid", "amount": Decimal(12)}
    defaults |= {"provider": provider, "created_at": now, "settled_at": now, "currency": settings.CURRENCY}
    return Payment.objects.create(show=order.show, reference=order.reference, **(defaults | fields))


def make_refund(payment: Payment | None = None, *, provider="counter", **fields) -> Refund:
    """Create a pending refund of a whole payment, without the services."""
    payment = payment or make_payment(provider=provider)
    same = {name: getattr(payment, name) for name in ("show", "reference", "provider", "amount", "currency")}
    more = {"reason": "Cancelled.", "created_at": timezone.now()} | fields
    return Refund.objects.create(payment=payment, **same, **more)
