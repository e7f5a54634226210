"""The business rules: every service that changes an account, a movie, a show or a booking."""

from booking.services.accounts.accounts import change_password, find_account, sign_up, update_email
from booking.services.accounts.deletion import StaffAccount, delete_account
from booking.services.accounts.limits import (
    Claims,
    LimitState,
    count_attempt,
    count_password_reset,
    count_sign_in,
    find_account_and_count,
    trust_address,
)
from booking.services.accounts.password_reset import reset_password, send_reset_links_later
from booking.services.accounts.personal_data import EXPORTED, export_account
from booking.services.accounts.sessions import refresh_session, revoke_all_sessions, revoke_session
from booking.services.cleanup import clean_up
from booking.services.door.tickets import TicketInvalid, public_keys, read_ticket
from booking.services.programme.copies import Copy, add_copies, preview_copies
from booking.services.programme.local_time import LocalTimeTwice, find_offsets, offset_of, read_local_time
from booking.services.programme.movie_cells import DateOrder
from booking.services.programme.movie_files import REQUIRED_COLUMNS as IMPORT_COLUMNS
from booking.services.programme.movie_files import DateOrderUnclear
from booking.services.programme.movies import (
    ImportReport,
    expired_uploads,
    find_movie_upload,
    import_movie_upload,
    import_movies,
    preview_import,
    read_movie_upload,
    store_movie_upload,
)
from booking.services.programme.old_rows import give_plans
from booking.services.programme.price_lists import (
    Amounts,
    add_version,
    calculate_amounts,
    give_version,
    give_version_to_screen,
    read_amounts,
    save_price_list,
    screens_with_list,
    shows_with_list,
)
from booking.services.programme.removal import why_not_deleted
from booking.services.programme.seat_plans import (
    Drawing,
    InvalidLayout,
    PlanSwitch,
    SeatsDiffer,
    check_layout,
    draw_layout,
    plan_of_layout,
    preview_switch,
    set_plan,
    shows_with_other_plans,
    switch_plan,
)
from booking.services.programme.shows import cancel_show, change_show, copy_show, delete_show, plan_show
from booking.services.refusals import Busy, InvalidInput, Kind, NotFound, Refusal
from booking.services.reports import (
    NIGHT,
    Line,
    Programme,
    Report,
    Sales,
    ShowFigures,
    TakingsLine,
    read_day,
    read_programme,
    read_report,
    read_sales,
    start_of,
)
from booking.services.seats.blocks import block_seats, unblock_seats
from booking.services.seats.bookings import (
    CANCELLED,
    book_seat,
    book_seats,
    cancel_booking,
    cancel_bookings,
    cancel_order,
    move_booking,
)
from booking.services.seats.facts import Action, Contact
from booking.services.seats.holds import count_holds, hold_seats, release_expired_holds
from booking.services.seats.idempotency import IdempotencyKeyReused, IdempotentRequest, Replay
from booking.services.seats.order_changes import (
    TicketChange,
    change_contact,
    change_ticket_types,
    preview_move,
    preview_ticket_types,
    split_order,
)
from booking.services.seats.orders import amount_owed, orders_of, read_bookings, read_names
from booking.services.seats.prices import (
    PriceChanged,
    UnknownTicketType,
    give_lowest_prices,
    read_prices,
    read_ticket_types,
)
from booking.services.seats.rules import refusals_for
from booking.services.seats.rules.sale import AlreadyCancelled, ShowStarted
from booking.services.seats.rules.seats import SeatTaken
from booking.services.seats.seat_limit import ExceededLimit, find_exceeded_limit
from booking.services.seats.seat_map import SeatMap, TakenSeat, count_taken_seats, read_seat_map, read_taken_seats
from booking.services.seats.seen_seats import SeatsChanged, SeenSeat
from booking.services.transactions import is_transient_error, lock_account

__all__ = [
    "CANCELLED",
    "EXPORTED",
    "IMPORT_COLUMNS",
    "NIGHT",
    "Action",
    "AlreadyCancelled",
    "Amounts",
    "Busy",
    "Claims",
    "Contact",
    "Copy",
    "DateOrder",
    "DateOrderUnclear",
    "Drawing",
    "ExceededLimit",
    "IdempotencyKeyReused",
    "IdempotentRequest",
    "ImportReport",
    "InvalidInput",
    "InvalidLayout",
    "Kind",
    "LimitState",
    "Line",
    "LocalTimeTwice",
    "NotFound",
    "PlanSwitch",
    "PriceChanged",
    "Programme",
    "Refusal",
    "Replay",
    "Report",
    "Sales",
    "SeatMap",
    "SeatTaken",
    "SeatsChanged",
    "SeatsDiffer",
    "SeenSeat",
    "ShowFigures",
    "ShowStarted",
    "StaffAccount",
    "TakenSeat",
    "TakingsLine",
    "TicketChange",
    "TicketInvalid",
    "UnknownTicketType",
    "add_copies",
    "add_version",
    "amount_owed",
    "block_seats",
    "book_seat",
    "book_seats",
    "calculate_amounts",
    "cancel_booking",
    "cancel_bookings",
    "cancel_order",
    "cancel_show",
    "change_contact",
    "change_password",
    "change_show",
    "change_ticket_types",
    "check_layout",
    "clean_up",
    "copy_show",
    "count_attempt",
    "count_holds",
    "count_password_reset",
    "count_sign_in",
    "count_taken_seats",
    "delete_account",
    "delete_show",
    "draw_layout",
    "expired_uploads",
    "export_account",
    "find_account",
    "find_account_and_count",
    "find_exceeded_limit",
    "find_movie_upload",
    "find_offsets",
    "give_lowest_prices",
    "give_plans",
    "give_version",
    "give_version_to_screen",
    "hold_seats",
    "import_movie_upload",
    "import_movies",
    "is_transient_error",
    "lock_account",
    "move_booking",
    "offset_of",
    "orders_of",
    "plan_of_layout",
    "plan_show",
    "preview_copies",
    "preview_import",
    "preview_move",
    "preview_switch",
    "preview_ticket_types",
    "public_keys",
    "read_amounts",
    "read_bookings",
    "read_day",
    "read_local_time",
    "read_movie_upload",
    "read_names",
    "read_prices",
    "read_programme",
    "read_report",
    "read_sales",
    "read_seat_map",
    "read_taken_seats",
    "read_ticket",
    "read_ticket_types",
    "refresh_session",
    "refusals_for",
    "release_expired_holds",
    "reset_password",
    "revoke_all_sessions",
    "revoke_session",
    "save_price_list",
    "screens_with_list",
    "send_reset_links_later",
    "set_plan",
    "shows_with_list",
    "shows_with_other_plans",
    "sign_up",
    "split_order",
    "start_of",
    "store_movie_upload",
    "switch_plan",
    "trust_address",
    "unblock_seats",
    "update_email",
    "why_not_deleted",
]
