"""What may happen: every rule that changes an account, a movie, a show or a booking."""

from booking.services.accounts import change_password, rotate_refresh_token, sign_up, update_email
from booking.services.bookings import book_seat, cancel_booking, seats_sold
from booking.services.movies import REQUIRED_COLUMNS as IMPORT_COLUMNS
from booking.services.movies import import_movies
from booking.services.receipts import Receipt, Replay
from booking.services.refusals import Busy, InvalidInput, NotFound, Refusal
from booking.services.shows import call_off_show, change_show, copy_show, delete_show, plan_show

__all__ = [
    "IMPORT_COLUMNS",
    "Busy",
    "InvalidInput",
    "NotFound",
    "Receipt",
    "Refusal",
    "Replay",
    "book_seat",
    "call_off_show",
    "cancel_booking",
    "change_password",
    "change_show",
    "copy_show",
    "delete_show",
    "import_movies",
    "plan_show",
    "rotate_refresh_token",
    "seats_sold",
    "sign_up",
    "update_email",
]
