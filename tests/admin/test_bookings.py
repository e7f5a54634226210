"""The bookings in the admin: finding, selling, cancelling, and the page of one booking and of one user."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from booking import services
from booking.models import Booking, Order
from tests.factories import STARTS_AT, make_block, make_booking, make_hold, make_movie, make_show, make_user
from tests.staff import BOOKINGS, SHOWS, act, page_messages, sell, staff_with

USERS = "/admin/booking/user/"


@pytest.fixture
def joan(db):
    return make_user(username="joan", first_name="Jo", last_name="Bakker", email="jo@cinema.example")


def listed(client, **query):
    return set(client.get(BOOKINGS, query).context["cl"].result_list)


def page_of(booking):
    return f"{BOOKINGS}{booking.pk}/change/"


def text_of(response):
    """Return the text of a page, without tags and runs of blanks."""
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", response.content.decode()))


# --- Finding ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", ["CDEF", "acdefghj", "JOA", "oan", "bakk", "Jo Bakker", "@cinema", "alien", "alien bakker"]
)
def test_bookings_are_found_by_a_part_of_each_searched_field(box_office, joan, typed):
    booking = make_booking(user=joan, show=make_show(movie=make_movie(title="Aliën")), reference="ACDEFGHJ")
    make_booking(reference="MNPQRTUV")
    assert listed(box_office, q=typed) == {booking}


def test_bookings_are_filtered_by_the_day_of_their_show(box_office):
    first, second = make_booking(), make_booking(show=make_show(starts_at=STARTS_AT + timedelta(days=1)))
    assert (listed(box_office, day="2099-06-01"), listed(box_office, day="2099-06-02")) == ({first}, {second})


def test_days_are_those_of_the_cinema_s_time_zone(box_office, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    booking = make_booking()
    assert (listed(box_office, day="2099-06-01"), listed(box_office, day="2099-06-02")) == (set(), {booking})


def test_bookings_are_filtered_by_show(box_office, show):
    booking, _ = make_booking(show=show), make_booking()
    assert listed(box_office, show__id__exact=show.pk) == {booking}


def shows_offered(client, **query):
    [spec] = [one for one in client.get(BOOKINGS, query).context["cl"].filter_specs if one.title == "show"]
    return [name for _, name in spec.lookup_choices]


def test_the_filter_offers_the_shows_of_the_day_and_the_chosen_one(box_office, show):
    today = make_show(starts_at=timezone.now())
    other = make_show(starts_at=STARTS_AT - timedelta(days=3))
    assert shows_offered(box_office) == [str(today)]
    assert shows_offered(box_office, day="2099-06-01") == [str(show)]
    assert shows_offered(box_office, day="2099-06-01", show__id__exact=other.pk) == [str(other), str(show)]


def test_another_day_removes_the_filter_by_show_and_no_other(box_office, show):
    query = {"day": "2099-06-01", "show__id__exact": show.pk, "status__exact": "booked"}
    page = box_office.get(BOOKINGS, query).content.decode()
    [form] = re.findall('<form method="get" class="day-filter">.*?</form>', page, re.DOTALL)
    assert re.findall('name="([^"]*)" value="([^"]*)"', form) == [("status__exact", "booked"), ("day", "2099-06-01")]
    assert '<a href="?status__exact=booked">Any day</a>' in page


def test_bookings_are_filtered_by_customer(box_office, joan):
    booking, _ = make_booking(user=joan), make_booking()
    assert listed(box_office, user__id__exact=joan.pk) == {booking}
    assert "By customer" in text_of(box_office.get(BOOKINGS, {"user__id__exact": joan.pk}))
    assert "By customer" not in text_of(box_office.get(BOOKINGS))


def test_the_blocked_filter_finds_blocked_seats(box_office, show):
    booking, block = make_booking(show=show), make_block(show=show, seat_number=2)
    assert (listed(box_office), listed(box_office, status__exact="blocked")) == ({booking}, {block})


@pytest.mark.parametrize(
    "query",
    [
        {"status__exact": "painted"},
        {"day": "01/06/2099"},
        {"day": "9999-12-31"},
        {"show__id__exact": "x"},
        {"show__id__exact": "9" * 20},
        {"user__id__exact": "0"},
    ],
)
def test_an_invalid_filter_is_ignored(box_office, query):
    assert box_office.get(BOOKINGS, query).url == BOOKINGS


# --- Selling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seat", ["E5", "e5", " E5 ", "45"])
def test_a_seat_is_sold_by_its_label_with_a_link_to_the_hall(box_office, show, user, seat):
    response = sell(box_office, show, seat_number=seat)
    booking = Booking.objects.get()
    assert (booking.seat_number, booking.seat_label) == (45, "E5")
    assert response.url == f"{SHOWS}{show.pk}/change/?booking={booking.pk}"
    assert page_messages(box_office.get(response.url)) == [f"Sold E5 to esha, {booking.reference}."]


def test_the_error_names_an_unknown_seat(box_office, show, user):
    response = sell(box_office, show, seat_number="E55")
    assert "E55 is not a seat. Enter a seat such as E5." in response.content.decode()


def test_a_seat_without_a_show_is_not_validated(box_office, user):
    response = box_office.post(f"{BOOKINGS}add/", {"show": "", "seat_number": "E5", "customer": "esha"})
    assert list(response.context["adminform"].form.errors) == ["show"]


def test_staff_may_sell_several_seats_in_a_row(box_office, show, user):
    form = {"show": show.pk, "seat_number": "E5", "customer": "esha", "_addanother": "yes"}
    assert box_office.post(f"{BOOKINGS}add/", form).url == f"{BOOKINGS}add/"


def test_staff_who_may_not_see_halls_are_redirected_to_the_list(show, user):
    seller = staff_with("add_booking", "view_booking")
    assert sell(seller, show, seat_number="E5").url == BOOKINGS


# --- Cancelling -------------------------------------------------------------------------------


def ask(client, *bookings):
    return act(client, BOOKINGS, "cancel", bookings)


def confirm(client, question):
    """Send the form of the question."""
    form = question.content.decode().split('<form method="post" action="')[1]
    path = form.partition('"')[0]
    fields = re.findall('<input type="hidden" name="(action|seen|_selected_action)" value="([^"]*)"', form)
    data = {name: [value for other, value in fields if other == name] for name, _ in fields}
    return client.post(path, data)


def statuses():
    return list(Booking.objects.order_by("pk").values_list("status", flat=True))


def test_cancelling_bookings_needs_a_confirmation_with_number_and_seats(box_office, joan):
    show, other = make_show(), make_show(starts_at=STARTS_AT + timedelta(days=1))
    bookings = [make_booking(show=show, user=joan, seat_number=seat, reference="ACDEFGHJ") for seat in (2, 1)]
    bookings.append(make_booking(show=other, user=joan, seat_number=3, reference="MNPQRTUV"))
    text = text_of(ask(box_office, *bookings))
    assert "Do you want to cancel these 3 bookings ?" in text
    assert f"{show}: 2 seats, A1, A2 of joan, ACDEFGHJ {other}: 1 seat, A3 of joan, MNPQRTUV" in text
    assert statuses() == ["booked"] * 3


def test_confirmed_bookings_are_cancelled(box_office, show):
    bookings = [make_booking(show=show, seat_number=seat) for seat in (1, 2)]
    response = confirm(box_office, ask(box_office, *bookings))
    assert (page_messages(response), statuses()) == (["2 bookings cancelled."], ["cancelled"] * 2)


def test_the_question_lists_bookings_that_can_not_be_cancelled(box_office):
    booking = make_booking()
    gone = make_booking(status="cancelled")
    started = make_booking(show=make_show(starts_at=timezone.now() - timedelta(minutes=5)))
    question = ask(box_office, booking, gone, started)
    assert set(question.context["skipped"]) == {
        f"{gone}: This booking is already cancelled.",
        f"{started}: This show has already started.",
    }
    assert page_messages(confirm(box_office, question)) == ["1 booking cancelled."]


def test_without_bookings_to_cancel_no_question_is_asked(box_office, show):
    gone, block = make_booking(show=show, status="cancelled"), make_block(show=show, seat_number=2)
    reasons = [f"{gone}: This booking is already cancelled."]
    assert page_messages(ask(box_office, gone)) == reasons
    response = box_office.post(f"{BOOKINGS}?status__exact=blocked", {"action": "cancel", "_selected_action": block.pk})
    follow = box_office.get(response.url)
    assert page_messages(follow) == [*reasons, f"{block}: This seat is blocked; unblock it in the hall of its show."]


def test_a_booking_that_has_moved_since_the_question_is_not_cancelled(box_office, show, user):
    booking, other = make_booking(show=show, user=user), make_booking(show=show, seat_number=2)
    question = ask(box_office, booking, other)
    services.move_booking(user=user, booking_id=booking.pk, seat_number=11, now=timezone.now())
    moved = f"{booking.reference} B1: {booking.reference} has moved from A1 to B1. Nothing was changed."
    assert sorted(page_messages(confirm(box_office, question))) == sorted([moved, "1 booking cancelled."])
    assert statuses() == ["booked", "cancelled"]


def test_bookings_that_were_not_selected_are_not_cancelled(box_office, show):
    booking, other = make_booking(show=show), make_booking(show=show, seat_number=2)
    act(box_office, BOOKINGS, "cancel", [booking], seen=f"{other.pk}:2:sold")
    assert statuses() == ["booked"] * 2


def test_too_many_bookings_are_not_cancelled_at_once(box_office, show, monkeypatch):
    monkeypatch.setattr("booking.admin.cancelling.MAX_BOOKINGS", 1)
    response = ask(box_office, make_booking(show=show), make_booking(show=show, seat_number=2))
    message = "Select at most 1 bookings. To cancel all bookings of a show, cancel the show."
    assert page_messages(response) == [message]


# --- The page of a booking --------------------------------------------------------------------


def links_of(response):
    """Return the links above the booking: text and address."""
    tools = re.search('<ul class="object-tools">(.*?)</ul>', response.content.decode(), re.DOTALL)[1]
    links = re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', tools)
    return {text: address.replace("&amp;", "&") for address, text in links}


@pytest.fixture
def pair(show, joan):
    """Two seats of a reference."""
    return [make_booking(show=show, user=joan, seat_number=seat, reference="ACDEFGHJ") for seat in (1, 2)]


def test_a_booking_links_to_the_pages_that_staff_need(box_office, pair):
    booking, other = pair
    response = box_office.get(page_of(booking))
    own, hall = f"{BOOKINGS}{booking.pk}", f"{SHOWS}{booking.show_id}/change/?booking={booking.pk}"
    order = Order.objects.get(reference=booking.reference)
    assert links_of(response) == {
        "Order": f"/admin/booking/order/{order.pk}/change/",
        "Hall": hall,
        "Move": f"{hall}&move=yes",
        "Cancel": f"{own}/cancel/",
        "Cancel all 2 seats": f"{own}/cancel/?all=yes",
        "Ticket": services.ticket_path(booking=booking),
        "New ticket": f"{own}/new-ticket/",
        "Print": f"{own}/print/",
        "History": f"{own}/history/",
    }
    page = response.content.decode()
    for address in (
        page_of(other),
        f"{SHOWS}{booking.show_id}/change/",
        f"{BOOKINGS}?user__id__exact={booking.user_id}",
    ):
        assert f'<a href="{address}">' in page


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"status": "cancelled"}, {"Move", "Cancel"}),
        ({"status": "held", "held_since": STARTS_AT, "expires_at": STARTS_AT}, {"Move"}),
        ({"starts_at": "past"}, {"Move", "Cancel"}),
    ],
)
def test_only_possible_actions_are_offered(box_office, fields, missing):
    past = {"show": make_show(starts_at=timezone.now() - timedelta(minutes=5))} if fields.pop("starts_at", None) else {}
    links = links_of(box_office.get(page_of(make_booking(**past, **fields))))
    assert {"Hall", "Move", "Cancel", "Print", "History"} - links.keys() == missing


def test_staff_who_may_only_view_bookings_get_no_other_links(show):
    page = staff_with("view_booking").get(page_of(make_booking(show=show)))
    assert links_of(page).keys() == {"Print", "History"}


def test_a_booking_of_a_deleted_account_is_shown(box_office, show):
    booking = make_booking(show=show)
    Booking.objects.update(user=None)
    assert "a deleted account" in text_of(box_office.get(page_of(booking)))


def test_a_blocked_seat_has_a_page_with_its_reason(box_office, show):
    block = make_block(show=show, reason="broken")
    response = box_office.get(page_of(block))
    assert "broken" in text_of(response)
    assert links_of(response).keys() == {"Hall", "History"}


def cancel_page(booking, query=""):
    return f"{BOOKINGS}{booking.pk}/cancel/{query}"


@pytest.mark.parametrize(("query", "left"), [("", ["cancelled", "booked"]), ("?all=yes", ["cancelled"] * 2)])
def test_a_booking_or_its_reference_is_cancelled_after_asking(box_office, pair, query, left):
    question = box_office.get(cancel_page(pair[0], query))
    assert statuses() == ["booked"] * 2
    response = confirm(box_office, question)
    assert (response.url, statuses()) == (page_of(pair[0]), left)


def test_a_cancelled_booking_is_not_in_the_question(box_office, show):
    booking = make_booking(show=show, status="cancelled")
    response = box_office.get(cancel_page(booking))
    assert page_messages(response) == [f"{booking}: This booking is already cancelled."]


@pytest.mark.parametrize("page", ["cancel", "print"])
def test_pages_of_a_missing_booking_are_not_found(box_office, page):
    assert box_office.get(f"{BOOKINGS}999/{page}/").status_code == 404


@pytest.mark.parametrize("page", ["cancel", "print"])
def test_staff_who_may_not_view_bookings_get_none_of_their_pages(show, page):
    seller = staff_with("add_booking", "view_show", "cancel_booking")
    assert seller.get(f"{BOOKINGS}{make_booking(show=show).pk}/{page}/").status_code == 403


def test_the_booked_seats_of_a_reference_are_printed(box_office, pair, joan):
    make_booking(show=pair[0].show, user=joan, seat_number=3, reference="ACDEFGHJ", status="cancelled")
    text = text_of(box_office.get(f"{BOOKINGS}{pair[0].pk}/print/"))
    assert "Seats A1, A2 Reference ACDEFGHJ Customer Jo Bakker" in text


def test_only_staff_who_sell_print_tickets(box_office, pair):
    path = f"{BOOKINGS}{pair[0].pk}/print/"
    pages = [client.get(path).content.decode() for client in (box_office, staff_with("view_booking"))]
    assert [page.count("<figure>") for page in pages] == [2, 0]


def test_the_print_of_a_cancelled_show_has_a_message(box_office, show, user):
    booking = make_booking(show=show, user=user)
    services.cancel_show(show_id=show.pk, now=timezone.now())
    text = text_of(box_office.get(f"{BOOKINGS}{booking.pk}/print/"))
    assert "This show was cancelled. " in text
    assert "none booked" in text


def test_a_blocked_seat_is_not_printed(box_office, show):
    assert box_office.get(f"{BOOKINGS}{make_block(show=show).pk}/print/").status_code == 404


# --- The page of a user -----------------------------------------------------------------------


def test_a_user_s_page_lists_their_bookings(staff, show, joan):
    booking, _ = make_booking(show=show, user=joan), make_booking(show=show, seat_number=2)
    make_hold(show=show, user=joan, seat_number=3, expires_at=timezone.now())
    response = staff.get(f"{USERS}{joan.pk}/change/")
    assert response.context["bookings"] == [booking]
    for address in (page_of(booking), f"{BOOKINGS}?user__id__exact={joan.pk}"):
        assert f'<a href="{address}">' in response.content.decode()


def test_a_user_s_page_without_bookings_lists_none(staff, joan):
    assert "No bookings." in text_of(staff.get(f"{USERS}{joan.pk}/change/"))


def test_staff_who_may_not_view_bookings_see_none_on_a_user_s_page(joan):
    make_booking(user=joan)
    response = staff_with("view_user").get(f"{USERS}{joan.pk}/change/")
    assert "bookings" not in response.context


def test_the_list_of_users_shows_who_is_active(staff, joan):
    assert "Active" in text_of(staff.get(USERS))


def test_a_booking_that_does_not_exist_gets_no_new_ticket(staff):
    assert staff.get("/admin/booking/booking/99/new-ticket/").status_code == 404


def test_staff_who_only_view_bookings_issue_no_new_ticket(joan):
    page = f"/admin/booking/booking/{make_booking(user=joan).pk}/new-ticket/"
    assert staff_with("view_booking").post(page).status_code == 403
