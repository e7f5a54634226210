"""The public services. Views, admin, tasks and commands import them from here and nowhere else."""

from booking.services.accounts.accounts import change_password, find_account, sign_up, update_email
from booking.services.accounts.deletion import StaffAccount, delete_account, forget_username
from booking.services.accounts.limits import (
    Claims,
    LimitState,
    count_attempt,
    count_password_reset,
    count_sign_in,
    find_account_and_count,
    trust_address,
)
from booking.services.accounts.password_reset import (
    enqueue_reset_links,
    request_reset_links,
    reset_password,
    send_reset_link,
)
from booking.services.accounts.personal_data import EXPORTED, export_account
from booking.services.accounts.sessions import refresh_session, revoke_all_sessions, revoke_session
from booking.services.audit import find_breaches
from booking.services.cleanup import clean_up
from booking.services.door.access import sees_all_doors
from booking.services.door.admitted import SeatAdmitted, admitted_bookings, outdated_admissions
from booking.services.door.barcodes import MAX_PIXELS, can_read_pictures, read_qr_codes
from booking.services.door.check_ins import (
    MAX_SCAN_LENGTH,
    NONCE_PATTERN,
    AlreadyCheckedIn,
    NonceReused,
    NotCheckedIn,
    NotYetOpen,
    Scan,
    SeatNeeded,
    StoredScan,
    TicketCancelled,
    TicketUnpaid,
    WrongShow,
    admit,
    undo_admission,
)
from booking.services.door.files import calendar_entry, due_text, ticket_pdf, ticket_svg
from booking.services.door.issue import (
    NoTicket,
    Ticket,
    find_linked_ticket,
    find_ticket,
    find_tickets,
    reissue_ticket,
)
from booking.services.door.lists import (
    DOOR_STATES,
    DoorList,
    RecentScan,
    read_door_list,
    read_door_shows,
    read_recent_scans,
)
from booking.services.door.reports import AdmissionsReport, read_admissions
from booking.services.door.starts import opens_at, show_at
from booking.services.door.tickets import TicketInvalid, public_keys, sign_ticket, ticket_path, ticket_url
from booking.services.mail.letters import Letter, TemplateBroken, preview_letter
from booking.services.mail.links import find_mailed_order, find_mailed_order_to_pay
from booking.services.mail.outbox import Mail, Reach, count_reachable
from booking.services.mail.sending import address_of, send_order_mail
from booking.services.money.amounts import (
    NO_MONEY,
    OrderAmounts,
    OrderMoney,
    price_of,
    read_due,
    read_money,
    read_order_money,
)
from booking.services.money.counter_sales import PaidSale, sell_and_take_payment
from booking.services.money.payments import (
    NothingDue,
    PaymentFailed,
    StartedOrderPayment,
    check_payment,
    pay_mailed_order,
    pay_order,
    receive_event,
    record_payment,
)
from booking.services.money.providers import has_payment_page, load_providers
from booking.services.money.providers.demo import make_demo_event, read_demo_token
from booking.services.money.receipt_lines import METHODS
from booking.services.money.receipts import ReceiptContent, find_receipts, issue_receipt, read_receipt, receipt_pdf
from booking.services.money.refunds import (
    COUNTER,
    WAITS_FOR_PAYOUT,
    RefundEnded,
    carry_out_refund,
    count_unfinished_refunds,
    find_refunds_under_way,
    is_refund_given_up,
    mark_refund_failed,
    pay_out_refund,
    payout_method,
    retry_refund,
)
from booking.services.money.report import MoneyLine, MoneyReport, read_money_report
from booking.services.money.return_urls import check_return_url
from booking.services.money.tills import (
    MAX_CASH,
    close_left_till,
    close_till,
    expected_cash,
    find_left_tills,
    find_open_till,
    open_till,
    read_till,
)
from booking.services.programme.copies import add_copies, preview_copies
from booking.services.programme.local_time import day_bounds, find_offsets, offset_of, read_local_time, start_of
from booking.services.programme.movie_cells import DateOrder
from booking.services.programme.movie_files import REQUIRED_COLUMNS, DateOrderUnclear
from booking.services.programme.movies import (
    ImportReport,
    find_movie_upload,
    import_movie_upload,
    import_movies,
    preview_import,
    read_movie_upload,
    store_movie_upload,
)
from booking.services.programme.old_rows import complete_plans
from booking.services.programme.price_lists import (
    Amounts,
    add_version,
    assign_version,
    calculate_amounts,
    give_version_to_screen,
    read_amounts,
    save_price_list,
    screens_with_list,
    shows_with_list,
    was_sold_at,
)
from booking.services.programme.removal import why_not_deleted
from booking.services.programme.seat_plans import (
    Drawing,
    InvalidLayout,
    PlanSwitch,
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
    Report,
    ShowFigures,
    TakingsLine,
    read_day,
    read_programme,
    read_report,
    read_sales,
)
from booking.services.seats.blocks import block_seats, unblock_seats
from booking.services.seats.bookings import book_seat, book_seats
from booking.services.seats.cancellations import (
    CANCELLED,
    cancel_booking,
    cancel_bookings,
    cancel_mailed_order,
    cancel_order,
    why_not_cancellable,
)
from booking.services.seats.facts import Action, Contact
from booking.services.seats.holds import count_holds, hold_seats
from booking.services.seats.idempotency import KEY_PATTERN, IdempotencyKeyReused, IdempotentRequest, Replay
from booking.services.seats.moves import OtherPrice, move_booking, move_bookings
from booking.services.seats.order_changes import (
    TicketChange,
    change_contact,
    change_ticket_types,
    preview_move,
    preview_ticket_types,
    split_order,
)
from booking.services.seats.orders import orders_of, read_bookings, read_names
from booking.services.seats.prices import (
    ShowPrice,
    UnknownTicketType,
    attach_lowest_prices,
    read_prices,
    read_prices_of_seats,
    read_show,
    read_ticket_types,
)
from booking.services.seats.rules import refusals_for
from booking.services.seats.rules.sale import AlreadyCancelled, ShowCancelled, ShowStarted, why_not_on_sale
from booking.services.seats.seat_limit import find_exceeded_limit
from booking.services.seats.seat_map import SeatMap, TakenSeat, count_taken_seats, read_seat_map, read_taken_seats
from booking.services.seats.seen_seats import SeenSeat
from booking.services.transactions import is_transient_error, lock_account, lock_instance
