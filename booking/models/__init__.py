"""The models: fields, choices, named constraints, querysets and predicates."""

from booking.models.accounts import AccountManager, RateLimitWindow, RevokedSession, User
from booking.models.cinema import (
    REFERENCE_ALPHABET,
    REFERENCE_LENGTH,
    Booking,
    BookingQuerySet,
    CatalogueVersion,
    IdempotencyKey,
    Movie,
    MovieQuerySet,
    Screen,
    SeatTaking,
    Show,
    ShowQuerySet,
    new_reference,
    seat_label,
    seat_number,
)
from booking.models.imports import MovieUpload

__all__ = [
    "REFERENCE_ALPHABET",
    "REFERENCE_LENGTH",
    "AccountManager",
    "Booking",
    "BookingQuerySet",
    "CatalogueVersion",
    "IdempotencyKey",
    "Movie",
    "MovieQuerySet",
    "MovieUpload",
    "RateLimitWindow",
    "RevokedSession",
    "Screen",
    "SeatTaking",
    "Show",
    "ShowQuerySet",
    "User",
    "new_reference",
    "seat_label",
    "seat_number",
]
