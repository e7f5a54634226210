"""What may happen: every rule that changes an account, a movie, a show or a booking."""

from booking.services.accounts import change_password, find_account, rotate_refresh_token, sign_up, update_email
from booking.services.blocks import block_seats, unblock_seats
from booking.services.bookings import book_seat, book_seats, cancel_booking, cancel_reference, move_booking
from booking.services.claims import seats_taken
from booking.services.holds import hold_seats, release_expired_holds
from booking.services.locks import broke_off
from booking.services.movies import REQUIRED_COLUMNS as IMPORT_COLUMNS
from booking.services.movies import import_movies
from booking.services.receipts import Receipt, Replay
from booking.services.refusals import Busy, InvalidInput, NotFound, Refusal
from booking.services.replica import read_catalogue
from booking.services.reports import (
    NIGHT,
    Bill,
    Line,
    Report,
    Sales,
    ShowFigures,
    read_bill,
    read_day,
    read_report,
    read_sales,
    start_of,
)
from booking.services.seat_map import SeatMap, TakenSeat, read_seat_map, read_taken_seats
from booking.services.shows import call_off_show, change_show, copy_show, delete_show, plan_show

__all__ = [
    "IMPORT_COLUMNS",
    "NIGHT",
    "Bill",
    "Busy",
    "InvalidInput",
    "Line",
    "NotFound",
    "Receipt",
    "Refusal",
    "Replay",
    "Report",
    "Sales",
    "SeatMap",
    "ShowFigures",
    "TakenSeat",
    "block_seats",
    "book_seat",
    "book_seats",
    "broke_off",
    "call_off_show",
    "cancel_booking",
    "cancel_reference",
    "change_password",
    "change_show",
    "copy_show",
    "delete_show",
    "find_account",
    "hold_seats",
    "import_movies",
    "move_booking",
    "plan_show",
    "read_bill",
    "read_catalogue",
    "read_day",
    "read_report",
    "read_sales",
    "read_seat_map",
    "read_taken_seats",
    "release_expired_holds",
    "rotate_refresh_token",
    "seats_taken",
    "sign_up",
    "start_of",
    "unblock_seats",
    "update_email",
]
