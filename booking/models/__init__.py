"""The models: fields, choices, named constraints, querysets and predicates."""

from booking.models.accounts import (
    LARGEST_ID,
    LARGEST_REQUESTED_ID,
    POSITIVE_ID,
    AccountManager,
    RateLimitWindow,
    RevokedSession,
    User,
)
from booking.models.bookings import (
    REFERENCE_ALPHABET,
    REFERENCE_LENGTH,
    RELEASED,
    Booking,
    BookingPredicates,
    BookingQuerySet,
    new_reference,
)
from booking.models.catalogue import CatalogueVersion
from booking.models.door import CheckIn
from booking.models.idempotency import IdempotencyKey
from booking.models.imports import MovieUpload
from booking.models.layouts import (
    Hall,
    Layout,
    LayoutError,
    Seat,
    changed_labels,
    full_rows,
    parse,
    read_layout,
)
from booking.models.money import currency_decimals, format_amount, represent_amount
from booking.models.movies import Movie, MovieQuerySet
from booking.models.orders import Order, OrderQuerySet, of_outer_order
from booking.models.payments import Payment, PaymentEvent, PaymentQuerySet, Receipt, Refund, Till
from booking.models.plans import STANDARD, ImmutableError, SeatCategory, SeatPlan, categories_of, hall_of_plan
from booking.models.prices import MONEY, TOTAL, Price, PriceList, PriceTable, TicketType, prices_of_list
from booking.models.screens import Screen
from booking.models.shows import FormerStart, Show, ShowQuerySet

__all__ = [
    "LARGEST_ID",
    "LARGEST_REQUESTED_ID",
    "MONEY",
    "POSITIVE_ID",
    "REFERENCE_ALPHABET",
    "REFERENCE_LENGTH",
    "RELEASED",
    "STANDARD",
    "TOTAL",
    "AccountManager",
    "Booking",
    "BookingPredicates",
    "BookingQuerySet",
    "CatalogueVersion",
    "CheckIn",
    "FormerStart",
    "Hall",
    "IdempotencyKey",
    "ImmutableError",
    "Layout",
    "LayoutError",
    "Movie",
    "MovieQuerySet",
    "MovieUpload",
    "Order",
    "OrderQuerySet",
    "Payment",
    "PaymentEvent",
    "PaymentQuerySet",
    "Price",
    "PriceList",
    "PriceTable",
    "RateLimitWindow",
    "Receipt",
    "Refund",
    "RevokedSession",
    "Screen",
    "Seat",
    "SeatCategory",
    "SeatPlan",
    "Show",
    "ShowQuerySet",
    "TicketType",
    "Till",
    "User",
    "categories_of",
    "changed_labels",
    "currency_decimals",
    "format_amount",
    "full_rows",
    "hall_of_plan",
    "new_reference",
    "of_outer_order",
    "parse",
    "prices_of_list",
    "read_layout",
    "represent_amount",
]
