"""Tickets over the API, their keys, and the page of a link."""

from datetime import timedelta
from secrets import token_bytes

import icalendar
import jwt
import pytest
from django.utils import timezone

from booking import services
from booking.models import Booking
from tests.conftest import signed_in
from tests.factories import NOW, make_block, make_booking, make_hold, make_movie, make_payment, make_show, make_user
from tests.qr import pages_of, read_pdf, text_of

FILES = {"svg": "image/svg+xml", "pdf": "application/pdf", "ics": "text/calendar; charset=utf-8"}


@pytest.fixture
def booking(user, show):
    return make_booking(user=user, show=show, seat_number=5, price=12)


@pytest.fixture
def order(booking):
    """The booking and two more seats of its order, one of them cancelled."""
    shared = {"user": booking.user, "show": booking.show, "reference": booking.reference}
    make_booking(seat_number=6, price="9.50", **shared)
    make_booking(seat_number=7, price=8, status="cancelled", **shared)
    return booking.reference


def get(client, booking, ending="ticket/"):
    return client.get(f"/api/bookings/{booking.pk}/{ending}")


def test_a_booked_seat_has_a_ticket(client, booking):
    assert get(client, booking).json() == {
        "booking": booking.pk,
        "reference": booking.reference,
        "seat_number": 5,
        "seat_label": "A5",
        "ticket": services.sign_ticket(booking=booking),
        "url": f"http://testserver{services.ticket_path(booking=booking)}",
        "currency": "EUR",
        "due": "12.00",
    }


def test_links_lead_to_the_public_address(client, booking, settings):
    settings.PUBLIC_URL = "https://tickets.example.com"
    assert get(client, booking).json()["url"].startswith("https://tickets.example.com/t/")


@pytest.mark.parametrize("ending", FILES)
def test_a_ticket_can_be_downloaded(client, booking, ending):
    answer = get(client, booking, f"ticket.{ending}")
    name = f"{booking.reference}.ics" if ending == "ics" else f"ticket-{booking.reference}-A5.{ending}"
    assert (answer.status_code, answer["Content-Type"]) == (200, FILES[ending])
    assert (answer["Content-Disposition"], answer["Cache-Control"]) == (f'inline; filename="{name}"', "no-store")


def test_an_order_has_the_tickets_of_its_booked_seats(client, order):
    body = client.get(f"/api/orders/{order}/tickets/").json()
    assert [(ticket["seat_label"], ticket["due"]) for ticket in body["tickets"]] == [("A5", "21.50"), ("A6", "21.50")]
    assert body["reference"] == order


def test_the_file_of_an_order_has_a_page_for_each_booked_seat(client, order):
    tickets = client.get(f"/api/orders/{order}/tickets/").json()["tickets"]
    content = client.get(f"/api/orders/{order}/tickets.pdf").content
    assert read_pdf(content) == [ticket["ticket"] for ticket in tickets]


def test_nothing_is_due_for_an_overpaid_order(client, booking):
    make_payment(booking, 20)
    assert get(client, booking).json()["due"] == "0.00"


@pytest.mark.parametrize("path", ["ticket/", "ticket.svg", "ticket.pdf", "ticket.ics"])
@pytest.mark.parametrize("kind", ["held", "cancelled", "expired"])
def test_a_seat_that_is_not_booked_has_no_ticket(client, user, show, kind, path):
    end = timezone.now() + timedelta(minutes=-1 if kind == "expired" else 1)
    make = make_booking if kind == "cancelled" else make_hold
    fields = {"status": "cancelled"} if kind == "cancelled" else {"expires_at": end}
    booking = make(user=user, show=show, **fields)
    detail = {"held": "A held seat has no ticket. Book it first."}.get(
        kind, "This booking was cancelled, so it has no ticket."
    )
    answer = get(client, booking, path)
    assert (answer.status_code, answer.json()) == (409, {"code": "no_ticket", "detail": detail})


@pytest.mark.parametrize("path", ["tickets/", "tickets.pdf"])
def test_an_order_without_booked_seats_has_no_tickets(client, user, show, path):
    hold = make_hold(user=user, show=show, expires_at=timezone.now() + timedelta(minutes=1))
    answer = client.get(f"/api/orders/{hold.reference}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_ticket")


@pytest.mark.parametrize("path", ["tickets/", "tickets.pdf"])
def test_the_tickets_of_another_customer_s_order_are_not_found(order, path):
    assert signed_in(make_user()).get(f"/api/orders/{order}/{path}").status_code == 404


@pytest.mark.parametrize("number", [1, 3])
def test_the_tickets_of_an_order_take_four_queries(user, show, number, django_assert_num_queries):
    for seat in range(1, number + 1):
        make_booking(user=user, show=show, seat_number=seat, reference="ACDEFGHJ")
    # The order, its seats, and what was paid and refunded.
    with django_assert_num_queries(4):
        tickets = services.find_tickets(user=user, reference="ACDEFGHJ", now=NOW)
        assert [ticket.booking.show.screen.name for ticket in tickets] == [show.screen.name] * number


def test_fetching_tickets_is_limited(client, booking, settings):
    settings.LIMITS = settings.LIMITS | {"ticket": (1, 60)}
    assert [get(client, booking, path).status_code for path in ("ticket/", "ticket.pdf")] == [200, 429]


# --- Keys -------------------------------------------------------------------------------------


def test_the_keys_verify_a_ticket(anyone, client, booking, settings):
    settings.TICKET_SIGNING_KEYS = [token_bytes(32), *settings.TICKET_SIGNING_KEYS]
    ticket = get(client, booking).json()["ticket"]
    answer = anyone.get("/api/tickets/keys/")
    keys = jwt.PyJWKSet.from_dict(answer.json())
    claims = jwt.decode(ticket, keys[jwt.get_unverified_header(ticket)["kid"]], ["EdDSA"])
    assert claims == {"s": booking.show_id, "b": booking.pk, "n": 5, "v": 1}
    assert (len(keys.keys), answer["Cache-Control"]) == (2, "public, max-age=3600")


# --- The calendar entry -----------------------------------------------------------------------


def event_of(client, booking):
    [event] = icalendar.Calendar.from_ical(get(client, booking, "ticket.ics").content).events
    return event


def test_the_calendar_entry_has_the_show_and_the_links(client, booking, order):
    event = event_of(client, booking)
    assert (event["SUMMARY"], event["LOCATION"]) == (
        booking.show.movie.title,
        f"{booking.show.screen}, seat A5, seat A6",
    )
    assert (event.start, event.end) == (booking.show.starts_at, booking.show.ends_at)
    assert f"Seat A5: {get(client, booking).json()['url']}" in event["DESCRIPTION"]


def test_a_calendar_entry_of_a_changed_time_has_the_same_uid(client, booking):
    before = event_of(client, booking)
    earlier = booking.show.starts_at - timedelta(hours=1)
    services.change_show(show_id=booking.show_id, changed_by=make_user(), starts_at=earlier, now=timezone.now())
    after = event_of(client, booking)
    assert (after["UID"], after.start) == (before["UID"], earlier)


# --- The PDF ----------------------------------------------------------------------------------


def test_the_page_of_the_pdf_has_show_seat_and_reference(client, booking):
    [text] = [text_of(page) for page in pages_of(get(client, booking, "ticket.pdf").content)]
    lines = ["Monday 1 June 2099, 18:00", "Seat A5", booking.reference, booking.show.movie.title]
    assert [line for line in lines if line not in text] == []
    assert "Not paid: 12.00 EUR to pay for this order before you enter." in " ".join(text.split())


def test_a_paid_ticket_has_no_amount_due(client, user, show):
    booking = make_booking(user=user, show=show)
    assert "paid" not in text_of(pages_of(get(client, booking, "ticket.pdf").content)[0])


@pytest.mark.parametrize("title", ["Łódź, Ελλάδα", "W" * 200, "Long " * 40, "東京物語", "x"])
def test_any_title_fits_on_the_page(client, user, title):
    booking = make_booking(user=user, show=make_show(movie=make_movie(title=title)))
    content = get(client, booking, "ticket.pdf").content
    assert read_pdf(content) == [services.sign_ticket(booking=booking)]
    [page] = pages_of(content)
    assert title[:4] in text_of(page) or title == "東京物語"


# --- The page of a link -----------------------------------------------------------------------


def page(anyone, booking):
    return anyone.get(services.ticket_path(booking=booking))


def test_the_page_needs_no_account(anyone, booking):
    answer = page(anyone, booking)
    text = answer.content.decode()
    shown = [booking.show.movie.title, "A5", "Monday 1 June 2099, 18:00", booking.show.screen.name, booking.reference]
    assert (answer.status_code, [one for one in shown if one not in text]) == (200, [])
    assert services.ticket_svg(booking=booking) in text


def test_the_page_is_private_and_not_indexed(anyone, booking):
    answer = page(anyone, booking)
    headers = {"Cache-Control": "private, no-cache", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
    assert {name: answer[name] for name in headers} == headers
    assert (answer.cookies, '<meta name="robots" content="noindex">' in answer.content.decode()) == ({}, True)


@pytest.mark.parametrize(("price", "is_said"), [(12, True), (0, False)])
def test_the_page_has_the_amount_due(anyone, user, show, price, is_said):
    answer = page(anyone, make_booking(user=user, show=show, price=price))
    assert ("Not paid: 12.00 EUR to pay for this order before you enter." in answer.content.decode()) == is_said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ticket_serial": 2}, "This ticket was replaced by a newer one."),
        ({"status": "cancelled", "cancelled_at": timezone.now()}, "This booking was cancelled, so it has no ticket."),
        ({"status": "blocked", "user": None}, "A blocked seat has no ticket."),
    ],
)
def test_the_page_of_an_ended_ticket_has_the_reason(anyone, booking, change, reason):
    Booking.objects.filter(pk=booking.pk).update(**change)
    answer = page(anyone, booking)
    assert (answer.status_code, reason in answer.content.decode()) == (410, True)
    assert "<svg" not in answer.content.decode()


def test_a_link_is_valid_after_a_change_of_the_signing_key(anyone, booking, settings):
    path = services.ticket_path(booking=booking)
    settings.TICKET_SIGNING_KEYS = [token_bytes(32), *settings.TICKET_SIGNING_KEYS]
    assert (services.ticket_path(booking=booking) != path, anyone.get(path).status_code) == (True, 200)


@pytest.mark.parametrize("change", [lambda t: t[:-3] + "AB/", lambda t: t.replace("-1.", "-2."), lambda t: "/t/x/"])
def test_a_link_with_another_signature_is_not_found(anyone, booking, change):
    assert anyone.get(change(services.ticket_path(booking=booking))).status_code == 404


def test_a_signed_text_of_another_format_is_not_found(anyone, db):
    from booking.services.door.tickets import _link_signer

    assert anyone.get(f"/t/{_link_signer().sign('1-2')}/").status_code == 404


def test_the_link_of_a_deleted_booking_is_not_found(anyone, booking):
    path = services.ticket_path(booking=booking)
    Booking.objects.all().delete()
    assert anyone.get(path).status_code == 404


def test_a_blocked_seat_has_no_page(anyone, show):
    assert page(anyone, make_block(show=show)).status_code == 410


def test_the_service_worker_is_a_script(anyone):
    answer = anyone.get("/t/worker.js")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/javascript")
