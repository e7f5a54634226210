"""What may happen: every rule that changes an account, a movie, a show or a booking."""

from booking.services.accounts import change_password, find_account, sign_up, update_email
from booking.services.blocks import block_seats, unblock_seats
from booking.services.bookings import CANCELLED, book_seat, book_seats, cancel_booking, cancel_reference, move_booking
from booking.services.cleanup import clean_up
from booking.services.deletion import StaffAccount, delete_account
from booking.services.facts import Action
from booking.services.holds import count_holds, hold_seats, release_expired_holds
from booking.services.idempotency import IdempotencyKeyReused, IdempotentRequest, Replay
from booking.services.limits import (
    Claims,
    count_password_reset,
    count_sign_in,
    count_try,
    find_account_and_count,
    trust,
)
from booking.services.movies import REQUIRED_COLUMNS as IMPORT_COLUMNS
from booking.services.movies import import_movies
from booking.services.password_reset import reset_password, send_reset_links_later
from booking.services.refusals import Busy, InvalidInput, Kind, NotFound, Refusal
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
from booking.services.rules import AlreadyCancelled, SeatTaken, ShowStarted, refusals_for
from booking.services.seat_map import SeatMap, TakenSeat, read_seat_map, read_taken_seats, seats_taken
from booking.services.shows import call_off_show, change_show, copy_show, delete_show, plan_show
from booking.services.sign_ins import end_all_sign_ins, end_sign_in, refresh_sign_in
from booking.services.transactions import broke_off, lock_account

__all__ = [
    "CANCELLED",
    "IMPORT_COLUMNS",
    "NIGHT",
    "Action",
    "AlreadyCancelled",
    "Bill",
    "Busy",
    "Claims",
    "IdempotencyKeyReused",
    "IdempotentRequest",
    "InvalidInput",
    "Kind",
    "Line",
    "NotFound",
    "Refusal",
    "Replay",
    "Report",
    "Sales",
    "SeatMap",
    "SeatTaken",
    "ShowFigures",
    "ShowStarted",
    "StaffAccount",
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
    "clean_up",
    "copy_show",
    "count_holds",
    "count_password_reset",
    "count_sign_in",
    "count_try",
    "delete_account",
    "delete_show",
    "end_all_sign_ins",
    "end_sign_in",
    "find_account",
    "find_account_and_count",
    "hold_seats",
    "import_movies",
    "lock_account",
    "move_booking",
    "plan_show",
    "read_bill",
    "read_day",
    "read_report",
    "read_sales",
    "read_seat_map",
    "read_taken_seats",
    "refresh_sign_in",
    "refusals_for",
    "release_expired_holds",
    "reset_password",
    "seats_taken",
    "send_reset_links_later",
    "sign_up",
    "start_of",
    "trust",
    "unblock_seats",
    "update_email",
]
