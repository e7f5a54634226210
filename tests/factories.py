"""Functions that create objects with default values."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zlib import compress

from model_bakery import baker

from booking.models import (
    Booking,
    Movie,
    MovieUpload,
    Order,
    Payment,
    Price,
    PriceList,
    Screen,
    SeatCategory,
    SeatPlan,
    Show,
    TicketType,
    User,
    full_rows,
    read_layout,
)
from booking.services import plan_of_layout, set_plan

# Far in the future, so that shows are upcoming by the real clock, which views use.
STARTS_AT = datetime(2099, 6, 1, 18, 0, tzinfo=timezone.utc)
NOW = STARTS_AT - timedelta(days=1)
PASSWORD = "correct horse battery"


def make_user(**fields: Any) -> User:
    fields.setdefault("username", f"user{User.objects.count() + 1}")
    return User.objects.create_user(**({"password": PASSWORD} | fields))


def make_movie(**fields: Any) -> Movie:
    return baker.make(Movie, **({"title": f"Movie {Movie.objects.count() + 1}", "duration_minutes": 120} | fields))


def make_plan(layout: str) -> SeatPlan:
    return SeatPlan.of_layout(str(read_layout(layout)))


def redraw(screen: Screen, layout: str) -> Screen:
    """Give the screen another seat plan, as its page does."""
    set_plan(screen=screen, plan=plan_of_layout(layout=layout))
    screen.save()
    return screen


def make_screen(**fields: Any) -> Screen:
    """Create a screen, by default with 5 rows of 10 seats."""
    rows, width = fields.setdefault("rows", 5), fields.setdefault("seats_per_row", 10)
    defaults = {
        "name": f"Screen {Screen.objects.count() + 1}",
        "plan": SeatPlan.of_layout(full_rows(rows * width, width, "S")),
        "price_list": None,
    }
    return baker.make(Screen, **(defaults | fields))


def make_show(**fields: Any) -> Show:
    """Create an upcoming show, by default with 50 seats in rows of 10; `layout` draws other seats."""
    starts_at = fields.pop("starts_at", STARTS_AT)
    total_seats, width = fields.pop("total_seats", 50), fields.setdefault("seats_per_row", 10)
    plan = make_plan(fields.pop("layout", None) or full_rows(total_seats, width, "S"))
    defaults = {
        "ends_at": starts_at + timedelta(hours=2),
        "plan": plan,
        "total_seats": plan.total_seats,
        "price_list": None,
        "movie": fields.get("movie") or make_movie(),
        "screen": fields.get("screen") or make_screen(),
    }
    return baker.make(Show, starts_at=starts_at, **(defaults | fields))


def make_ticket_type(**fields: Any) -> TicketType:
    number = TicketType.objects.count() + 1
    return TicketType.objects.create(**({"name": f"Type {number}", "position": number} | fields))


def make_price_list(prices: dict[tuple[str, TicketType], Any] | None = None, **fields: Any) -> PriceList:
    """Create a price list with these amounts by category code and ticket type."""
    defaults = {"name": f"Prices {PriceList.objects.count() + 1}", "version": 1}
    price_list = PriceList.objects.create(**(defaults | fields))
    for (code, ticket_type), amount in (prices or {}).items():
        category = SeatCategory.objects.get(code=code)
        Price(price_list=price_list, category=category, ticket_type=ticket_type, amount=Decimal(str(amount))).save()
    return price_list


def make_booking(*, order: bool = True, **fields: Any) -> Booking:
    """Create an active booking with its order, without the services and their rules."""
    fields.setdefault("user", None)
    fields["user"] = fields["user"] or make_user()
    fields["show"] = fields.get("show") or make_show()
    if fields.get("status") == Booking.Status.CANCELLED:
        fields.setdefault("cancelled_at", NOW)
    number, hall = fields.setdefault("seat_number", 1), fields["show"].hall
    if hall.has_seat(number):
        fields = {"seat_label": hall.label(number), "category": hall.seat(number).category} | fields
    booking = Booking.objects.create(**({"created_at": NOW} | fields))
    created = {"user": booking.user, "created_at": booking.created_at}
    if order:
        Order.objects.get_or_create(show=booking.show, reference=booking.reference, defaults=created)
    return booking


def make_priced_booking(*, price: Any = 12, **fields: Any) -> Booking:
    """Create a booking with a price, in a show whose list has that price for Standard seats."""
    adult = make_ticket_type()
    show = fields.pop("show", None) or make_show()
    show.price_list = make_price_list({("S", adult): price})
    show.save()
    return make_booking(show=show, ticket_type=adult, price=Decimal(str(price)), **fields)


def make_payment(booking: Booking, amount: Any) -> Payment:
    """Create a payment for the booking's order, without the services."""
    fields = {"provider": "demo", "provider_id": "demo-1", "status": "paid", "currency": "EUR"}
    where = {"show": booking.show, "reference": booking.reference, "amount": Decimal(str(amount))}
    return Payment.objects.create(**where, **fields, created_at=NOW, settled_at=NOW)


def make_hold(**fields: Any) -> Booking:
    """Create a hold, by default until 10 minutes after NOW, without the services."""
    defaults = {"status": Booking.Status.HELD, "held_since": NOW, "expires_at": NOW + timedelta(minutes=10)}
    return make_booking(**(defaults | fields))


def make_upload(content: bytes = b"", **fields: Any) -> MovieUpload:
    """Create a file of movies that was uploaded at NOW, without the services."""
    defaults = {"user": fields.get("user") or make_user(), "name": "movies.csv", "created_at": NOW}
    return MovieUpload.objects.create(content=compress(content), **(defaults | fields))


def make_block(**fields: Any) -> Booking:
    """Create a blocked seat, without the services."""
    defaults = {"status": Booking.Status.BLOCKED, "seat_number": 1, "created_at": NOW, "reason": "House seats"}
    return Booking.objects.create(**(defaults | fields))
