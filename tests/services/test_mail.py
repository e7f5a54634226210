"""Mail to customers: the changes that enqueue it, its content, and mail servers that refuse, fail or hang."""

import re
import socket
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import transaction
from django_tasks_db.models import DBTaskResult
from icalendar import Calendar

from booking.infrastructure.tasks import due_tasks, enqueue, new_task
from booking.infrastructure.worker import Worker
from booking.models import Booking, Order, Refund
from booking.services import (
    Contact,
    Mail,
    NotFound,
    book_seat,
    book_seats,
    calendar_entry,
    cancel_booking,
    cancel_bookings,
    cancel_mailed_order,
    cancel_show,
    change_show,
    count_reachable,
    find_mailed_order,
    hold_seats,
    move_booking,
    open_till,
    pay_out_refund,
    preview_letter,
    record_payment,
    reissue_ticket,
    sell_and_take_payment,
    sign_ticket,
    ticket_url,
)
from booking.services.mail import sending
from booking.services.mail.links import sign_order
from booking.services.mail.outbox import enqueue_payment_mail, enqueue_refund_mail
from booking.services.seats.seen_seats import SeenSeat
from tests.factories import (
    NOW,
    make_booking,
    make_hold,
    make_payment,
    make_price_list,
    make_show,
    make_ticket_type,
    make_user,
)
from tests.qr import read_pdf
from tests.smtp import Inbox, mail_server

pytestmark = pytest.mark.django_db

ADDRESS = "ann@example.com"
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def ann():
    return make_user(username="ann", email=ADDRESS)


@pytest.fixture
def show(db):
    prices = make_price_list({("S", make_ticket_type(name="Adult")): Decimal("9.5")})
    return make_show(price_list=prices)


def kinds():
    return [task.args_kwargs["kwargs"]["mail"] for task in DBTaskResult.objects.order_by("enqueued_at", "pk")]


def sent(now=NOW):
    """Run the tasks that are due, and return all mails in Django's test outbox."""
    Worker(clock=lambda: now).run_due()
    return mail.outbox


def links_of(reference):
    """Return the lines with the links to the tickets of an order."""
    bookings = Booking.objects.filter(reference=reference, status="booked").order_by("seat_number")
    return "".join(f"Seat {booking.label}: {ticket_url(booking=booking)}\n" for booking in bookings)


def pay_link_in(text):
    return re.search(r"http\S+/orders/\S+/pay/", text)[0]


def booked(user, show, seats=(3, 4), **options):
    return book_seats(user=user, show_id=show.pk, seat_numbers=seats, now=NOW, **options)


# --- Which change enqueues which mail ---------------------------------------------------------


def test_a_sale_is_confirmed(ann, show):
    [booking, _] = booked(ann, show)
    [message] = sent()
    assert (message.to, message.subject) == ([ADDRESS], f"Your seats for {show.movie.title}")
    assert message.body == (
        "Dear ann,\n\nYour seats are booked.\n\n"
        f"{show.movie.title}\nMonday 1 June 2099, 18:00\n{show.screen.name}\nReference {booking.reference}\n\n"
        "Seat A3, Adult: 9.50 EUR\nSeat A4, Adult: 9.50 EUR\nTotal: 19.00 EUR\n\n"
        "19.00 EUR is still to pay. You can pay online or at the cinema until the show starts.\n"
        f"Pay online: {pay_link_in(message.body)}\n\n"
        "Your tickets are attached. Each has a page for your phone, too:\n"
        f"{links_of(booking.reference)}"
    )


def test_the_mail_asks_for_the_price_of_the_seats_that_it_lists(ann, show):
    [booking] = hold_seats(user=ann, show_id=show.pk, seat_numbers=[3], now=NOW)
    make_hold(user=ann, show=show, seat_number=4, reference=booking.reference, price=Decimal("9.5"))
    book_seat(user=ann, show_id=show.pk, seat_number=3, now=NOW)
    [message] = sent()
    assert "Seat A3, Adult: 9.50 EUR\nTotal: 9.50 EUR\n\n9.50 EUR is still to pay." in message.body
    [(page, _)] = message.alternatives
    assert (page.count("9.50 EUR"), "19.00 EUR" in page, ">Pay online</a>" in page) == (3, False, True)


def test_without_a_provider_s_page_the_mail_refers_to_the_cinema(ann, show, settings):
    settings.PAYMENT_PROVIDERS = {"counter": settings.PAYMENT_PROVIDERS["counter"]}
    booked(ann, show)
    [message] = sent()
    assert "You can pay at the cinema until the show starts.\n\n" in message.body
    assert "/pay/" not in message.body


def new_time(show, booking):
    later = show.starts_at + timedelta(hours=1)
    change_show(show_id=show.pk, changed_by=make_user(), starts_at=later, now=LATER)


def first_payment(show, booking):
    make_payment(booking, "9.50")
    with transaction.atomic():
        enqueue_payment_mail(show=show, reference=booking.reference, amount=Decimal("9.5"), now=LATER)


def other_seat(show, booking):
    move_booking(user=booking.user, booking_id=booking.pk, seat_number=8, now=LATER)


@pytest.mark.parametrize(
    ("change", "subject", "due"),
    [
        (new_time, "New time: ", "19.00"),
        (first_payment, "Payment received for ", "9.50"),
        (other_seat, "Your new tickets for ", "19.00"),
    ],
)
def test_each_mail_about_booked_seats_asks_for_what_is_due(ann, show, change, subject, due):
    [booking, _] = booked(ann, show)
    change(show, booking)
    message = sent(LATER)[-1]
    assert message.subject == f"{subject}{show.movie.title}"
    asked = f"\n\n{due} EUR is still to pay. You can pay online or at the cinema until the show starts.\nPay online: "
    assert f"{asked}{pay_link_in(message.body)}\n\nYour tickets are attached." in message.body
    [(page, _)] = message.alternatives
    assert (f"<strong>{due} EUR</strong> is still to pay." in page, ">Pay online</a>" in page) == (True, True)


@pytest.mark.parametrize("change", [new_time, other_seat])
def test_mail_about_seats_that_are_paid_asks_for_nothing(ann, show, change):
    [booking, _] = booked(ann, show)
    make_payment(booking, 19)
    change(show, booking)
    message = sent(LATER)[-1]
    assert not re.search("still to pay|Pay online", f"{message.body}{message.alternatives}")


def test_a_sale_that_is_paid_at_once_causes_one_mail(ann, show):
    clerk = make_user(is_staff=True)
    open_till(clerk=clerk, opening_float=Decimal(0), now=NOW)
    sell_and_take_payment(user=ann, show_id=show.pk, seat_numbers=[3], sold_by=clerk, method="cash", now=NOW)
    [message] = sent()
    assert message.body.startswith("Dear ann,\n\nYour seats are booked and paid.\n\n")
    assert "still to pay" not in message.body


def test_a_customer_without_an_account_gets_mail(show):
    booked(None, show, sold_by=make_user(is_staff=True), contact=Contact("Bo", "bo@example.com"))
    [message] = sent()
    assert (message.to, message.body.splitlines()[0]) == (["bo@example.com"], "Dear Bo,")


def test_a_customer_without_an_address_gets_no_task(user, show):
    booked(user, show)
    cancel_show(show_id=show.pk, now=NOW)
    assert kinds() == []


def test_a_service_that_sends_no_mail_enqueues_no_task(ann, show, settings):
    settings.SENDS_MAIL = False
    [booking, _] = booked(ann, show)
    cancel_booking(booking_id=booking.pk, now=NOW)
    assert kinds() == []


def test_a_hold_is_confirmed_once_it_is_booked(ann, show):
    hold_seats(user=ann, show_id=show.pk, seat_numbers=[3], now=NOW)
    assert kinds() == []
    booked(ann, show, seats=[3])
    assert kinds() == ["order_confirmed"]


def test_a_cancelled_hold_is_not_reported(ann, show):
    [hold] = hold_seats(user=ann, show_id=show.pk, seat_numbers=[3], now=NOW)
    cancel_booking(booking_id=hold.pk, now=NOW)
    assert kinds() == []


def test_an_order_cancelled_before_its_mail_is_not_confirmed(ann, show):
    [booking] = booked(ann, show, seats=[3])
    cancel_booking(booking_id=booking.pk, now=LATER)
    assert [message.subject for message in sent(LATER)] == [f"Cancelled: your seats for {show.movie.title}"]


def test_mail_about_a_cancelled_seat_lists_the_remaining_seats(ann, show):
    [booking, _] = booked(ann, show)
    cancel_booking(booking_id=booking.pk, now=LATER)
    [_, message] = sent(LATER)
    assert message.body.endswith("Seat A3, Adult: 9.50 EUR\nTotal: 9.50 EUR\n\nStill booked: A4.\n")
    assert "You have cancelled these seats" in message.body


def test_staff_who_cancel_seats_of_two_orders_cause_a_mail_for_each(ann, show):
    staff, bob = make_user(is_staff=True), make_user(email="bob@example.com")
    bookings = [book_seat(user=user, show_id=show.pk, seat_number=n, now=NOW) for n, user in ((1, ann), (2, bob))]
    seen = [SeenSeat(booking.pk, booking.seat_number, booking.status) for booking in bookings]
    cancel_bookings(show_id=show.pk, seen=seen, now=LATER, cancelled_by=staff)
    messages = sent(LATER)
    assert sorted(message.to[0] for message in messages) == [ADDRESS, "bob@example.com"]
    assert all("The cinema has cancelled these seats" in message.body for message in messages)


def test_mail_about_a_cancelled_show_has_the_note_of_the_staff(ann, show):
    booked(ann, show)
    cancel_show(show_id=show.pk, now=LATER, note="The projector broke.")
    [message] = sent(LATER)
    assert message.subject == f"The show is cancelled: {show.movie.title}"
    assert "The projector broke." in message.body
    assert "Total: 19.00 EUR" in message.body


def test_a_new_time_is_reported_with_links_to_keep_and_to_cancel(ann, show, settings):
    settings.PUBLIC_URL = "https://tickets.example.com"
    booked(ann, show)
    change_show(
        show_id=show.pk,
        changed_by=make_user(),
        starts_at=show.starts_at + timedelta(hours=1),
        note="Sorry & thanks.",
        now=LATER,
    )
    [_, message] = sent(LATER)
    assert "Before: Monday 1 June 2099, 18:00\nNow: Monday 1 June 2099, 19:00\n\nSorry & thanks.\n\n" in message.body
    token = sign_order(Order.objects.get())
    for answer in ("keep", "cancel"):
        assert f"https://tickets.example.com/orders/{token.split(':')[0]}" in message.body
        assert f"/{answer}/\n" in message.body
    [html] = [content for content, _ in message.alternatives]
    assert "Sorry &amp; thanks." in html


def test_a_new_end_is_not_reported(ann, show):
    booked(ann, show)
    change_show(show_id=show.pk, changed_by=make_user(), ends_at=show.ends_at + timedelta(hours=1), now=NOW)
    assert kinds() == ["order_confirmed"]


def test_payments_and_refunds_are_reported(ann, show):
    [booking, _] = booked(ann, show)
    with transaction.atomic():
        enqueue_payment_mail(show=show, reference=booking.reference, amount=Decimal(19), now=LATER)
        enqueue_refund_mail(show=show, reference=booking.reference, amount=Decimal(5), reason="Sorry.", now=LATER)
    bodies = "".join(message.body for message in sent(LATER))
    assert "We have received 19.00 EUR for your seats" in bodies
    assert "We have sent 5.00 EUR back to where your payment came from." in bodies
    assert "\n\nReason: Sorry.\n" in bodies


def paid_at_the_counter(show, booking):
    clerk = make_user(is_staff=True)
    open_till(clerk=clerk, opening_float=Decimal(0), now=NOW)
    money = {"expected": Decimal(19), "method": "cash", "given": Decimal(20)}
    record_payment(show_id=show.pk, reference=booking.reference, by=clerk, now=NOW, **money)
    return clerk


def test_the_confirmation_of_a_paid_order_has_no_amount_due(ann, show):
    [booking, _] = booked(ann, show)
    paid_at_the_counter(show, booking)
    assert "still to pay" not in sent()[0].body


def test_a_customer_who_paid_at_the_counter_is_asked_to_collect_the_money(ann, show):
    [booking, _] = booked(ann, show)
    clerk = paid_at_the_counter(show, booking)
    cancel_booking(booking_id=booking.pk, now=LATER)
    cancel_show(show_id=show.pk, now=LATER + timedelta(minutes=1))
    bodies = [message.body for message in sent(LATER + timedelta(minutes=2))[-2:]]
    assert ["Please collect 19.00 EUR at the cinema." in body for body in bodies] == [True, True]
    mail.outbox.clear()
    pay_out_refund(refund_id=Refund.objects.first().pk, by=clerk, now=LATER + timedelta(minutes=2))
    [message] = sent(LATER + timedelta(minutes=2))
    assert "We have given you 9.50 EUR back at the cinema." in message.body


def test_a_refund_that_was_paid_out_because_the_provider_failed_was_given_at_the_cinema(ann, show):
    [booking, _] = booked(ann, show)
    make_payment(booking, 19)
    cancel_booking(booking_id=booking.pk, now=NOW)
    Refund.objects.update(status="failed")
    clerk = make_user(is_staff=True)
    open_till(clerk=clerk, opening_float=Decimal(100), now=NOW)
    pay_out_refund(refund_id=Refund.objects.get().pk, by=clerk, now=NOW)
    text = "We have given you 9.50 EUR back at the cinema."
    assert text in sent()[-1].body
    order = Order.objects.select_related("show__movie", "show__screen", "user").get()
    assert text in preview_letter(mail=Mail.REFUNDED, order=order, now=NOW).text


def test_an_order_that_lost_its_address_gets_no_mail(ann, show):
    booked(ann, show)
    ann.is_active = False
    ann.save()
    assert (sent(), DBTaskResult.objects.get().status) == ([], "SUCCESSFUL")


def test_an_order_that_was_removed_gets_no_mail(ann, show):
    booked(ann, show)
    Booking.objects.all().delete()
    Order.objects.all().delete()
    assert (sent(), DBTaskResult.objects.get().status) == ([], "SUCCESSFUL")


# --- Tickets and calendar entries -------------------------------------------------------------


def attached(message):
    """Return the tickets in the PDF of a mail, and its calendar entry with its method."""
    files = {part.get_content_type(): part for part in message.attachments if not isinstance(part, tuple)}
    calendar = Calendar.from_ical(files["text/calendar"].get_payload(decode=True))
    assert files["text/calendar"].get_param("method") == calendar["METHOD"]
    pdf = files.get("application/pdf")
    tickets = read_pdf(pdf.get_payload(decode=True)) if pdf else []
    [event] = calendar.events
    return tickets, event, calendar["METHOD"]


def tickets_of(reference):
    of_order = Booking.objects.filter(reference=reference, status="booked").order_by("seat_number")
    return [sign_ticket(booking=booking) for booking in of_order]


def test_a_confirmation_has_the_tickets_and_the_calendar_entry(ann, show):
    [booking, _] = booked(ann, show)
    tickets, event, method = attached(sent()[0])
    assert (tickets, method) == (tickets_of(booking.reference), "PUBLISH")
    assert (event.start, event["LOCATION"]) == (show.starts_at, f"{show.screen.name}, seat A3, seat A4")
    assert event["ORGANIZER"] == "mailto:tickets@localhost"


def test_a_paid_hold_gets_its_tickets_with_the_payment(ann, show):
    [hold] = hold_seats(user=ann, show_id=show.pk, seat_numbers=[3], now=NOW)
    Booking.objects.update(status="booked", expires_at=None)
    make_payment(hold, "9.50")
    with transaction.atomic():
        enqueue_payment_mail(show=show, reference=hold.reference, amount=Decimal("9.5"), now=NOW)
    [message] = sent()
    assert attached(message)[0] == tickets_of(hold.reference)
    assert links_of(hold.reference) in message.body


def test_a_payment_for_taken_seats_is_reported_without_tickets(ann, show):
    [booking] = booked(ann, show, seats=[3])
    sent()
    Booking.objects.update(status="cancelled", cancelled_at=NOW)
    with transaction.atomic():
        enqueue_payment_mail(show=show, reference=booking.reference, amount=Decimal(9), now=LATER)
    message = sent(LATER)[-1]
    assert (message.attachments, "Your tickets" in message.body) == ([], False)


def test_a_calendar_entry_follows_a_new_time(ann, show):
    [booking, _] = booked(ann, show)
    before = attached(sent()[0])[1]
    moved = show.starts_at + timedelta(hours=1)
    change_show(show_id=show.pk, changed_by=make_user(), starts_at=moved, now=LATER)
    tickets, event, method = attached(sent(LATER)[-1])
    assert (event["UID"], event.start, method) == (before["UID"], moved, "PUBLISH")
    assert tickets == tickets_of(booking.reference)


def test_a_cancelled_seat_leaves_the_calendar_entry_of_the_others(ann, show):
    [booking, _] = booked(ann, show)
    cancel_booking(booking_id=booking.pk, now=LATER)
    _, event, method = attached(sent(LATER)[-1])
    assert (event["LOCATION"], method) == (f"{show.screen.name}, seat A4", "PUBLISH")


@pytest.mark.parametrize("cancel", [lambda show: cancel_show(show_id=show.pk, now=LATER), None])
def test_a_cancelled_order_or_show_leaves_the_calendar(ann, show, cancel):
    [booking] = booked(ann, show, seats=[3])
    before = attached(sent()[0])[1]
    if cancel:
        cancel(show)
    else:
        cancel_booking(booking_id=booking.pk, now=LATER)
    _, event, method = attached(sent(LATER)[-1])
    assert (event["UID"], event["STATUS"], method) == (before["UID"], "CANCELLED", "CANCEL")


def test_each_calendar_entry_has_a_higher_sequence_than_the_one_before(show):
    booking = make_booking(show=show)
    times = [time.replace(year=2030) for time in (NOW, LATER)]
    entries = [calendar_entry(show=show, reference=booking.reference, seats=[booking], now=now) for now in times]
    [[before], [after]] = [Calendar.from_ical(entry).events for entry in entries]
    assert (after["UID"], after["SEQUENCE"] - before["SEQUENCE"]) == (before["UID"], 60)


def test_a_deactivated_customer_whose_seat_is_moved_gets_no_task(show):
    customer, staff = make_user(email=ADDRESS, is_active=False), make_user(is_staff=True)
    booking = make_booking(user=customer, show=show)
    move_booking(user=customer, booking_id=booking.pk, seat_number=8, now=LATER, moved_by=staff)
    assert not DBTaskResult.objects.exists()


def test_a_moved_seat_gets_a_new_ticket(ann, show):
    [booking] = booked(ann, show, seats=[3])
    move_booking(user=ann, booking_id=booking.pk, seat_number=8, now=LATER)
    message = sent(LATER)[-1]
    assert message.subject == f"Your new tickets for {show.movie.title}"
    assert attached(message)[0] == tickets_of(booking.reference)


@pytest.mark.parametrize("email", ["bo@example.com", ""])
def test_a_customer_without_an_account_gets_a_new_ticket(show, email):
    staff = make_user(is_staff=True)
    [booking] = booked(None, show, seats=[3], sold_by=staff, contact=Contact("Bo", email))
    move_booking(user=None, booking_id=booking.pk, seat_number=8, now=LATER, moved_by=staff)
    assert kinds()[-1:] == (["new_tickets"] if email else [])


def test_a_ticket_that_is_issued_again_is_sent(ann, show):
    [booking] = booked(ann, show, seats=[3])
    reissue_ticket(booking_id=booking.pk, by=make_user(is_staff=True), now=LATER)
    assert attached(sent(LATER)[-1])[0] == tickets_of(booking.reference)
    assert kinds() == ["order_confirmed", "new_tickets"]


# --- The number of customers who will get mail ----------------------------------------------------------


def test_orders_are_counted_by_whether_their_customers_get_mail(ann, show, django_assert_num_queries):
    booked(ann, show)
    booked(make_user(), show, seats=[5, 6])
    booked(make_user(email="gone@example.com", is_active=False), show, seats=[7])
    hold_seats(user=make_user(email="bob@example.com"), show_id=show.pk, seat_numbers=[8], now=NOW)
    with django_assert_num_queries(1):
        assert count_reachable(bookings=Booking.objects.filter(show=show)) == (1, 2)


def test_a_service_that_sends_no_mail_reaches_nobody(ann, show, settings):
    booked(ann, show)
    settings.SENDS_MAIL = False
    assert count_reachable(bookings=Booking.objects.all()) == (0, 1)


# --- Templates --------------------------------------------------------------------------------


def test_every_mail_can_be_previewed(ann, show):
    booked(ann, show)
    order = Order.objects.select_related("show__movie", "show__screen", "user").get()
    letters = {kind: preview_letter(mail=kind, order=order, now=NOW) for kind in Mail}
    assert all(letter.subject and letter.text and "<html" in letter.html for letter in letters.values())


def test_a_preview_has_the_amounts_of_the_order(ann, show):
    [booking, _] = booked(ann, show)
    paid_at_the_counter(show, booking)
    cancel_booking(booking_id=booking.pk, now=LATER)
    order = Order.objects.select_related("show__movie", "show__screen", "user").get()
    paid, refunded = (preview_letter(mail=kind, order=order, now=LATER).text for kind in (Mail.PAID, Mail.REFUNDED))
    assert "We have received 19.00 EUR" in paid
    assert "We have given you 9.50 EUR back at the cinema.\n\nReason: Cancelled.\n" in refunded


def test_a_cinema_replaces_a_template(ann, show, settings, tmp_path):
    (tmp_path / "order_confirmed.txt").write_text("Subject: Yours: {{ movie }}\n\nBring {{ reference }}.\n")
    text, html = settings.TEMPLATES[1], settings.TEMPLATES[2]
    folders = [tmp_path, *text["DIRS"]]
    settings.TEMPLATES = [settings.TEMPLATES[0], text | {"DIRS": folders}, html | {"DIRS": folders}]
    [booking, _] = booked(ann, show)
    [message] = sent()
    assert (message.subject, message.body) == (f"Yours: {show.movie.title}", f"Bring {booking.reference}.\n")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("Hello", 'The first line of order_confirmed.txt must begin with "Subject:".'),
        ("{% nonsense %}", "The template order_confirmed.txt can't be used: Invalid block tag"),
    ],
)
def test_a_broken_template_is_reported_with_its_name(ann, show, settings, tmp_path, template, reason):
    (tmp_path / "order_confirmed.txt").write_text(template)
    settings.TEMPLATES = [settings.TEMPLATES[0], settings.TEMPLATES[1] | {"DIRS": [tmp_path]}, settings.TEMPLATES[2]]
    booked(ann, show)
    sent()
    assert f"TemplateBroken: {reason}" in DBTaskResult.objects.get().traceback


# --- Links ------------------------------------------------------------------------------------


def test_a_link_finds_its_order_and_cancels_it():
    booking = make_booking()
    order = Order.objects.get()
    assert find_mailed_order(token=sign_order(order)) == order
    cancel_mailed_order(show_id=order.show_id, reference=order.reference, now=NOW)
    booking.refresh_from_db()
    assert booking.status == "cancelled"


def test_a_changed_link_and_one_of_a_removed_order_are_not_found():
    make_booking()
    order = Order.objects.get()
    token = sign_order(order)
    order.delete()
    for wrong in (token, f"{token}x", "nonsense"):
        with pytest.raises(NotFound):
            find_mailed_order(token=wrong)


# --- Mail servers -----------------------------------------------------------------------------


def orders_of(show, *addresses):
    for number, address in enumerate(addresses, start=1):
        book_seat(user=make_user(email=address), show_id=show.pk, seat_number=number, now=NOW)


def test_a_mail_arrives_with_text_and_html_and_an_id_that_stays_the_same(ann, show, smtp):
    booked(ann, show)
    with mail_server(inbox := Inbox()) as port:
        smtp(port)
        sent()
    [message] = inbox.messages
    alternatives, pdf, entry = message.iter_parts()
    parts = [part.get_content_type() for part in (*alternatives.iter_parts(), pdf, entry)]
    assert (message["To"], parts) == (ADDRESS, ["text/plain", "text/html", "application/pdf", "text/calendar"])
    assert message["Message-ID"] == f"<{DBTaskResult.objects.get().pk}@localhost>"


def test_mail_to_a_refused_address_is_not_retried_and_delays_no_other(show, smtp):
    orders_of(show, "a@example.com", "gone@example.com", "b@example.com")
    refuse = {"gone@example.com": "550 No mailbox gone@example.com here"}
    with mail_server(inbox := Inbox(refuse)) as port:
        smtp(port)
        sent()
    failed = DBTaskResult.objects.get(status="FAILED")
    assert sorted(inbox.recipients) == ["a@example.com", "b@example.com"]
    # Without the address, because the row is stored for longer.
    assert failed.traceback.splitlines()[-1].endswith("AddressRefused: 550 No mailbox the address here")
    assert "gone@" not in failed.traceback


def test_mail_to_a_full_mailbox_is_retried(show, smtp):
    orders_of(show, "full@example.com")
    with mail_server(inbox := Inbox({"full@example.com": "452 Full"})) as port:
        smtp(port)
        sent()
        inbox.refuse = {}
        sent(LATER)
    assert inbox.recipients == ["full@example.com"]


@pytest.mark.parametrize("stage", ["refuse", "refuse_data"])
def test_the_error_of_a_retried_mail_has_no_address(show, smtp, stage):
    orders_of(show, "full@example.com")
    with mail_server(inbox := Inbox()) as port:
        setattr(inbox, stage, {"full@example.com": "452 The mailbox of FULL@example.com is full"})
        smtp(port)
        sent()
    task = DBTaskResult.objects.get()
    line = task.traceback.splitlines()[-1]
    assert (task.status, "full@" in task.traceback.lower()) == ("READY", False)
    assert (line.partition(": ")[0].rpartition(".")[2], "The mailbox of the address is full" in line) == (
        "MailNotAccepted",
        True,
    )


def test_mail_is_sent_after_an_outage_of_the_server(show, smtp):
    orders_of(show, "a@example.com", "b@example.com")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    smtp(port)
    sent()
    assert [task.status for task in DBTaskResult.objects.all()] == ["READY", "READY"]
    with mail_server(inbox := Inbox()) as port:
        smtp(port)
        sent(LATER)
    assert sorted(inbox.recipients) == ["a@example.com", "b@example.com"]


def test_an_unresponsive_mail_server_does_not_delay_sales(ann, show, smtp):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        smtp(silent.getsockname()[1])
        booked(ann, show)
        sent()
    task = DBTaskResult.objects.get()
    assert (task.status, task.run_after) == ("READY", LATER)


def test_a_server_that_takes_long_to_accept_a_mail_gets_it_once(ann, show, smtp):
    booked(ann, show)
    with mail_server(inbox := Inbox(seconds=0.5)) as port:
        # It answers within 0.3 s, and has longer to accept the mail.
        smtp(port)
        sent()
    assert (len(inbox.messages), DBTaskResult.objects.get().status) == (1, "SUCCESSFUL")


def test_a_server_that_takes_too_long_to_accept_a_mail_gets_it_again_with_its_id(ann, show, smtp, monkeypatch):
    monkeypatch.setattr(sending, "ACCEPT_SECONDS", 0.1)
    booked(ann, show)
    with mail_server(inbox := Inbox(seconds=0.5)) as port:
        smtp(port)
        sent()
        inbox.seconds = 0
        sent(LATER)
    assert len(inbox.messages) == 2
    assert len({message["Message-ID"] for message in inbox.messages}) == 1


def test_refunds_do_not_wait_for_mail(show):
    orders_of(show, "a@example.com", "b@example.com")
    enqueue(new_task("booking.tasks.carry_out_refund", now=LATER, refund_id=1))
    assert due_tasks(LATER).first().task_path == "booking.tasks.carry_out_refund"
