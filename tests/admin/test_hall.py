"""The hall on a show's page in the admin: what it tells to whom, and what its endpoints do and refuse."""

from datetime import timedelta
from functools import partial

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from booking import services
from booking.admin.hall_forms import STATE_NAMES
from booking.models import Booking, Order, Show, User
from tests.conftest import signed_in
from tests.factories import STARTS_AT, make_booking, make_show, make_user

CUSTOMERS = "/admin/booking/show/hall/customers/"
# Later than any hold that a test makes.
LATER = STARTS_AT - timedelta(hours=1)


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member_of_staff(*permissions: str) -> Client:
    member = make_user(is_staff=True)
    member.user_permissions.set(Permission.objects.filter(content_type__app_label="booking", codename__in=permissions))
    return client_of(member)


@pytest.fixture
def boss(db) -> Client:
    return client_of(User.objects.create_superuser("boss"))


@pytest.fixture
def box_office(db) -> Client:
    seller = make_user(username="seller", is_staff=True)
    seller.groups.add(Group.objects.get(name="Box office"))
    return client_of(seller)


def page_of(show: Show) -> str:
    return f"/admin/booking/show/{show.pk}/change/"


def hall_of(show: Show) -> str:
    return f"/admin/booking/show/{show.pk}/hall/"


def act(client: Client, show: Show, name: str, /, **data):
    return client.post(f"{hall_of(show)}{name}/", data)


def hold(show: Show, user: User, seat_number: int, **fields) -> Booking:
    times = {"expires_at": LATER, "held_since": timezone.now()}
    return make_booking(show=show, user=user, seat_number=seat_number, status="held", **(times | fields))


def block(show: Show, seat_number: int) -> None:
    services.block_seats(show_id=show.pk, seat_numbers=[seat_number], reason="broken", now=timezone.now())


def seen(booking: Booking, **changes) -> str:
    """What the hall's page sends of a taken seat."""
    fields = {"seat": booking.seat_number, "state": STATE_NAMES[Booking.Status(booking.status)]} | changes
    return f"{booking.pk}:{fields['seat']}:{fields['state']}"


def seats(show: Show, status: str = "booked") -> list[int]:
    return sorted(show.bookings.filter(status=status).values_list("seat_number", flat=True))


def detail(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]


# --- The page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["boss", "box_office"])
def test_the_page_of_a_show_has_its_hall_for_staff_who_change_or_view(request, who, show):
    page = request.getfixturevalue(who).get(page_of(show)).content.decode()
    assert f'data-hall="{hall_of(show)}"' in page


@pytest.mark.parametrize("path", ["/admin/booking/show/add/", "/admin/booking/show/{}/change/?_popup=1"])
def test_neither_a_new_show_nor_a_popup_has_a_hall(boss, show, path):
    assert "hall.js" not in boss.get(path.format(show.pk)).content.decode()


def test_the_page_says_what_to_do_without_javascript(box_office, show):
    page = box_office.get(page_of(show)).content.decode()
    assert '<a href="/admin/booking/booking/">Bookings</a> page.' in page


def test_the_page_has_no_script_of_its_own_within(box_office, show):
    assert "<script>" not in box_office.get(page_of(show)).content.decode()


def test_a_booking_without_an_account_is_moved(box_office, show):
    booking = make_booking(show=show, seat_number=1)
    Booking.objects.update(user=None)
    moved = services.move_booking(
        user=None,
        booking_id=booking.pk,
        seat_number=2,
        now=timezone.now(),
        moved_by=User.objects.get(username="seller"),
    )
    assert (moved.seat_number, moved.seat_label) == (2, "A2")


# --- The plan of the hall ---------------------------------------------------------------------


def test_a_hall_leads_to_its_seat_plan(box_office):
    show = make_show(layout="SS.SS\nWW")
    plan = box_office.get(box_office.get(hall_of(show)).json()["plan"]).json()
    assert [(row["label"], [seat["x"] for seat in row["seats"]]) for row in plan["rows"]] == [
        ("A", [0, 1, 3, 4]),
        ("B", [0, 1]),
    ]


def test_staff_who_may_view_bookings_see_the_customer_of_a_seat(box_office, show, user):
    booking, held = make_booking(show=show, user=user), hold(show, user, 2)
    block(show, 3)
    esha = {"user": "esha"}
    assert box_office.get(hall_of(show)).json()["taken"] == {
        "1": esha
        | {"state": "sold", "title": f"sold to esha, {booking.reference}", "reference": booking.reference}
        | {"booking": booking.pk, "url": f"/admin/booking/booking/{booking.pk}/change/"},
        "2": esha
        | {"state": "held", "title": f"held by esha until 17:00, {held.reference}", "reference": held.reference}
        | {"booking": held.pk, "url": f"/admin/booking/booking/{held.pk}/change/"},
        "3": {"state": "blocked", "title": "blocked: broken"},
    }


def test_staff_who_may_unblock_get_the_id_of_a_block(boss, show):
    block(show, 3)
    blocked = {"state": "blocked", "title": "blocked: broken", "booking": show.bookings.get().pk}
    assert boss.get(hall_of(show)).json()["taken"] == {"3": blocked}


def test_a_hall_that_has_not_changed_is_not_sent_again(box_office, show):
    etag = box_office.get(hall_of(show))["ETag"]
    assert box_office.get(hall_of(show), headers={"If-None-Match": etag}).status_code == 304
    make_booking(show=show)
    assert box_office.get(hall_of(show), headers={"If-None-Match": etag}).status_code == 200


def test_staff_who_may_not_view_bookings_see_only_the_status_of_a_seat(show, user):
    make_booking(show=show, user=user)
    hold(show, user, 2)
    block(show, 3)
    words = {"1": "sold", "2": "held", "3": "blocked"}
    hall = member_of_staff("view_show").get(hall_of(show)).json()
    assert hall["taken"] == {seat: {"state": word, "title": word} for seat, word in words.items()}


def test_the_seats_are_counted_and_an_expired_hold_is_free(box_office, show, user):
    make_booking(show=show, user=user)
    hold(show, user, 2, expires_at=timezone.now())
    block(show, 3)
    counts = box_office.get(hall_of(show)).json()["counts"]
    assert counts == {"free": 48, "sold": 1, "held": 0, "blocked": 1}


@pytest.mark.parametrize("sold", [1, 30])
def test_a_hall_costs_the_same_queries_however_full(box_office, show, sold, django_assert_num_queries):
    for seat in range(1, sold + 1):
        make_booking(show=show, seat_number=seat)
    # Session, user, two of permissions, the show, its seats.
    with django_assert_num_queries(6):
        box_office.get(hall_of(show))


@pytest.mark.parametrize(
    ("fields", "closed"),
    [
        ({}, ""),
        ({"starts_at": timezone.now() - timedelta(minutes=5)}, "This show has started."),
        ({"cancelled_at": timezone.now()}, "This show was cancelled."),
    ],
)
def test_a_hall_says_why_it_is_closed(box_office, fields, closed):
    assert box_office.get(hall_of(make_show(**fields))).json()["closed"] == closed


# --- Permissions ------------------------------------------------------------------------------

NOTHING = dict.fromkeys(("know", "sell", "cancel", "move", "block", "unblock"), False)


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        (["view_show"], []),
        (["view_show", "view_booking"], ["know"]),
        (["view_show", "add_booking"], ["sell"]),
        # Nobody cancels what he may not see.
        (["view_show", "cancel_booking"], []),
        (["view_show", "view_booking", "cancel_booking"], ["know", "cancel"]),
        (["view_show", "view_booking", "add_booking", "cancel_booking"], ["know", "sell", "cancel", "move"]),
        (["change_show"], ["block", "unblock"]),
    ],
)
def test_a_permission_allows_only_its_actions(show, user, permissions, may):
    client = member_of_staff(*permissions)
    assert client.get(hall_of(show)).json()["may"] == NOTHING | dict.fromkeys(may, True)
    statuses = {name: act(client, show, name).status_code for name in ("sell", "cancel", "move", "block", "unblock")}
    # 400: allowed, had there been anything to do.
    assert statuses == {name: 400 if name in may else 403 for name in statuses}


@pytest.mark.parametrize("permissions", [[], ["add_booking", "view_booking", "cancel_booking"]])
def test_staff_who_may_not_view_shows_see_no_hall(show, permissions):
    client = member_of_staff(*permissions)
    answers = [client.get(hall_of(show)), act(client, show, "sell")]
    assert [detail(answer) for answer in answers] == [(403, "You may not see this show.")] * 2


def test_seats_of_a_cancelled_show_are_not_blocked(boss):
    show = make_show(cancelled_at=timezone.now())
    assert detail(act(boss, show, "block", seats="1", reason="x")) == (403, "You may not do this.")


def test_a_customer_is_redirected_to_the_login(show, user):
    answers = [client_of(user).get(path) for path in (hall_of(show), CUSTOMERS)]
    assert [answer.status_code for answer in answers] == [302, 302]


def test_a_change_without_a_csrf_token_is_refused(show):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss"))
    assert act(client, show, "block", seats="1", reason="x").status_code == 403
    assert not show.bookings.exists()


@pytest.mark.parametrize("object_id", ["999", "x", str(10**30)])
def test_there_is_no_hall_without_a_show(boss, object_id):
    answer = boss.get(f"/admin/booking/show/{object_id}/hall/")
    assert detail(answer) == (404, "There is no such show.")


def test_there_is_nothing_else_to_do(boss, show):
    assert detail(act(boss, show, "paint")) == (404, "There is no such action.")


def test_reading_is_by_get_and_changing_by_post(boss, show):
    answers = [boss.post(hall_of(show)), boss.get(f"{hall_of(show)}sell/"), boss.post(CUSTOMERS)]
    assert [answer.status_code for answer in answers] == [405] * 3


# --- Selling, blocking, cancelling, moving ----------------------------------------------------


def test_seats_are_sold_under_one_reference(box_office, show, user):
    answer = act(box_office, show, "sell", seats="7,8", customer="ESHA")
    [reference] = set(show.bookings.values_list("reference", flat=True))
    assert detail(answer) == (200, f"Sold A7, A8 to esha, {reference}.")
    assert (seats(show), list(answer.json()["hall"]["taken"])) == ([7, 8], ["7", "8"])


def test_seats_are_blocked_and_unblocked(boss, show):
    assert detail(act(boss, show, "block", seats="7,8", reason="broken")) == (200, "Blocked A7, A8 (broken).")
    a7 = seen(show.bookings.get(seat_number=7))
    assert detail(act(boss, show, "unblock", seen=a7)) == (200, "Unblocked A7.")
    assert seats(show, "blocked") == [8]


@pytest.mark.parametrize("make", [partial(make_booking, seat_number=1), partial(hold, seat_number=1)])
def test_a_booking_or_a_hold_is_cancelled(box_office, show, user, make):
    booking = make(show=show, user=user)
    answer = act(box_office, show, "cancel", seen=seen(booking))
    assert detail(answer) == (200, f"Cancelled A1 of esha, {booking.reference}.")
    assert seats(show, "cancelled") == [1]


def test_several_bookings_are_cancelled_at_once(box_office, show, user):
    mine = [make_booking(show=show, user=user, seat_number=seat, reference="ACDEFGHJ") for seat in (1, 2)]
    other = make_booking(show=show, seat_number=3)
    answer = act(box_office, show, "cancel", seen=",".join(map(seen, [*mine, other])))
    told = f"Cancelled A1, A2 of esha, ACDEFGHJ; A3 of {other.user}, {other.reference}."
    assert (detail(answer), seats(show, "cancelled")) == ((200, told), [1, 2, 3])


def test_several_seats_are_unblocked_at_once(boss, show):
    for seat in (2, 3):
        block(show, seat)
    answer = act(boss, show, "unblock", seen=",".join(map(seen, show.bookings.all())))
    assert (detail(answer)[0], seats(show, "blocked")) == (200, [])


def test_a_booking_is_moved(box_office, show, user):
    booking = make_booking(show=show, user=user)
    answer = act(box_office, show, "move", seen=seen(booking), seats="12")
    assert detail(answer) == (200, f"Moved esha, {booking.reference}, from A1 to B2.")
    assert seats(show) == [12]


# --- Refusals, each with the current hall -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("sell", {"seats": "1", "customer": "esha"}, (409, "Seat A1 is already taken.")),
        ("sell", {"seats": "1,2", "customer": "esha"}, (409, "Seat A1 is already taken.")),
        ("block", {"seats": "1,2", "reason": "broken"}, (409, "Seat A1 is already taken.")),
        ("unblock", {"seen": "1:1:blocked"}, (409, "Not blocked: A1.")),
    ],
)
def test_a_refused_action_answers_with_the_current_hall(boss, show, user, name, data, told):
    make_booking(show=show)
    answer = act(boss, show, name, **data)
    assert (detail(answer), list(answer.json()["hall"]["taken"])) == (told, ["1"])
    assert show.bookings.count() == 1


def test_a_booking_is_not_moved_onto_a_taken_seat(box_office, show):
    booking = make_booking(show=show)
    make_booking(show=show, seat_number=2)
    answer = act(box_office, show, "move", seen=seen(booking), seats="2")
    assert (detail(answer), seats(show)) == ((409, "Seat A2 is already taken."), [1, 2])


def test_a_hold_is_not_moved(box_office, show, user):
    answer = act(box_office, show, "move", seen=seen(hold(show, user, 1)), seats="2")
    assert detail(answer) == (409, "This seat is only held; hold or book the other seat instead.")


# --- Seats that have changed since the page showed them ---------------------------------------


def changed(*sentences: str) -> tuple[int, str]:
    return 409, " ".join([*sentences, "Nothing was changed."])


def test_cancelling_a_seat_does_not_cancel_the_booking_that_has_moved_from_it(box_office, show, user):
    booking = make_booking(show=show, user=user)
    a1 = seen(booking)
    services.move_booking(user=user, booking_id=booking.pk, seat_number=11, now=timezone.now())
    answer = act(box_office, show, "cancel", seen=a1)
    assert detail(answer) == changed(f"{booking.reference} has moved from A1 to B1.")
    assert seats(show) == [11]


def test_cancelling_a_seat_does_not_cancel_its_next_customer_s_booking(box_office, show):
    booking = make_booking(show=show)
    a1 = seen(booking)
    services.cancel_booking(booking_id=booking.pk, now=timezone.now())
    make_booking(show=show)
    assert detail(act(box_office, show, "cancel", seen=a1)) == changed(f"{booking.reference} on A1 is cancelled now.")
    assert seats(show) == [1]


def test_ending_a_hold_does_not_cancel_a_booking(box_office, show, user):
    booking = hold(show, user, 1)
    a1 = seen(booking)
    services.book_seat(user=user, show_id=show.pk, seat_number=1, now=timezone.now())
    assert detail(act(box_office, show, "cancel", seen=a1)) == changed(f"{booking.reference} on A1 is booked now.")
    assert seats(show) == [1]


def test_a_hold_that_has_expired_is_named(box_office, show, user):
    booking = hold(show, user, 1, expires_at=timezone.now())
    answer = act(box_office, show, "cancel", seen=seen(booking))
    assert detail(answer) == changed(f"The hold {booking.reference} on A1 has expired.")


def test_of_several_seats_all_are_cancelled_or_none(box_office, show):
    first, second = make_booking(show=show), make_booking(show=show, seat_number=2)
    chosen = f"{seen(first)},{seen(second, seat=12)}"
    answer = act(box_office, show, "cancel", seen=chosen)
    assert detail(answer) == changed(f"{second.reference} has moved from B2 to A2.")
    assert seats(show) == [1, 2]


def test_a_booking_that_has_moved_is_not_moved_again(box_office, show):
    booking = make_booking(show=show, seat_number=11)
    answer = act(box_office, show, "move", seen=seen(booking, seat=1), seats="12")
    assert (detail(answer), seats(show)) == (changed(f"{booking.reference} has moved from A1 to B1."), [11])


def test_a_cancelled_booking_is_not_moved(box_office, show):
    booking = make_booking(show=show)
    a1 = seen(booking)
    services.cancel_booking(booking_id=booking.pk, now=timezone.now())
    answer = act(box_office, show, "move", seen=a1, seats="2")
    assert detail(answer) == (409, "This booking is already cancelled.")


def test_a_seat_that_was_blocked_again_is_not_unblocked(boss, show):
    block(show, 1)
    a1 = seen(show.bookings.get())
    # SQLite would use the id again.
    block(show, 2)
    services.unblock_seats(show_id=show.pk, seat_numbers=[1])
    block(show, 1)
    assert detail(act(boss, show, "unblock", seen=a1)) == changed("A1 has been blocked again.")
    assert seats(show, "blocked") == [1, 2]


def test_a_show_that_started_is_not_sold(box_office, user):
    show = make_show(starts_at=timezone.now() - timedelta(minutes=5))
    answer = act(box_office, show, "sell", seats="1", customer="esha")
    assert detail(answer) == (409, "This show has already started.")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("sell", {"seats": "", "customer": "esha"}, "Choose a seat."),
        ("sell", {"seats": "A1", "customer": "esha"}, "Seats must be whole numbers."),
        ("sell", {"seats": "51", "customer": "esha"}, "This show has no such seat."),
        ("sell", {"seats": "0", "customer": "esha"}, "This show has no such seat."),
        ("sell", {"seats": "1", "email": "jo"}, "Enter a valid email address."),
        (
            "sell",
            {"seats": "1", "customer": "esha", "name": "Jo"},
            "Enter either an account or a name, a phone number and an e-mail address.",
        ),
        ("sell", {"seats": "1", "customer": "nobody"}, "There is no customer with this username."),
        ("block", {"seats": "1", "reason": " "}, "Enter a reason."),
        ("cancel", {}, "Choose a booking."),
        ("cancel", {"seen": f"{10**30}:1:sold"}, "This show has no such booking."),
        ("cancel", {"seen": "999:1:sold"}, "This show has no such booking."),
        ("unblock", {"seen": "1:1:painted"}, "This show has no such booking."),
        ("move", {"seen": "x", "seats": ""}, "Choose a seat. This show has no such booking."),
    ],
)
def test_invalid_input_is_refused(boss, show, user, name, data, told):
    answer = act(boss, show, name, **data)
    assert (detail(answer), answer.json()["hall"]["taken"]) == ((400, told), {})


def test_a_booking_is_moved_to_one_seat(box_office, show):
    answer = act(box_office, show, "move", seen=seen(make_booking(show=show)), seats="2,3")
    assert detail(answer) == (400, "Choose one seat.")


def test_one_booking_is_moved_at_a_time(box_office, show):
    two = ",".join(seen(make_booking(show=show, seat_number=seat)) for seat in (1, 2))
    answer = act(box_office, show, "move", seen=two, seats="3")
    assert (detail(answer), seats(show)) == ((400, "Choose one booking."), [1, 2])


def test_neither_another_shows_booking_nor_a_block_is_cancelled(boss, show):
    block(show, 2)
    for booking in (make_booking(), show.bookings.get()):
        answer = act(boss, show, "cancel", seen=seen(booking))
        assert detail(answer) == (400, "This show has no such booking.")


# --- Searching customers ----------------------------------------------------------------------


# --- Customers without an account -------------------------------------------------------------


JO = {"name": "Jo Bakker", "phone": "0612345678", "email": "jo@cinema.example"}


def test_seats_are_sold_without_an_account(box_office, show):
    answer = act(box_office, show, "sell", seats="1,2", **JO)
    order = Order.objects.get()
    assert detail(answer) == (200, f"Sold A1, A2 to Jo Bakker (no account), {order.reference}.")
    assert (order.user, {field: getattr(order, field) for field in JO}) == (None, JO)
    title = f"sold to Jo Bakker (no account), {order.reference} (sold by seller)"
    assert [seat["title"] for seat in answer.json()["hall"]["taken"].values()] == [title, title]


def test_seats_are_sold_without_a_name(box_office, show):
    answer = act(box_office, show, "sell", seats="1")
    reference = show.bookings.get().reference
    assert detail(answer) == (200, f"Sold A1 to a customer without an account, {reference}.")


def test_a_seat_sold_without_an_account_moves(box_office, show):
    act(box_office, show, "sell", seats="1", **JO)
    booking = show.bookings.get()
    answer = act(box_office, show, "move", seen=seen(booking), seats="2")
    moved = f"Moved a customer without an account, {booking.reference}, from A1 to A2."
    assert (detail(answer), seats(show)) == ((200, moved), [2])


def test_a_seat_sold_without_an_account_is_cancelled(box_office, show):
    act(box_office, show, "sell", seats="1", **JO)
    booking = show.bookings.get()
    answer = act(box_office, show, "cancel", seen=seen(booking))
    cancelled = f"Cancelled A1 of a customer without an account, {booking.reference}."
    assert (detail(answer), seats(show)) == ((200, cancelled), [])


def usernames(client: Client, typed: str) -> list[str]:
    return [customer["username"] for customer in client.get(CUSTOMERS, {"q": typed}).json()["customers"]]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("an", ["anna", "Annika", "joan"]),
        ("ANNI", ["Annika"]),
        ("oan", ["joan"]),
        ("bakker", ["joan"]),
        ("jo ba", ["joan"]),
        ("JO@cinema", ["joan"]),
        ("joan annika", []),
        ("", []),
        ("%", []),
    ],
)
def test_customers_are_found_by_any_part_of_name_or_address(box_office, typed, found):
    for name in ("Annika", "anna", "bruno"):
        make_user(username=name)
    make_user(username="joan", first_name="Jo", last_name="Bakker", email="jo@cinema.example")
    make_user(username="ann", is_active=False)
    assert usernames(box_office, typed) == found


def test_a_customer_comes_with_name_and_address(box_office):
    make_user(username="joan", first_name="Jo", last_name="Bakker", email="jo@cinema.example")
    joan = {"username": "joan", "name": "Jo Bakker", "email": "jo@cinema.example"}
    assert box_office.get(CUSTOMERS, {"q": "joan"}).json() == {"customers": [joan]}


def test_a_name_with_invalid_characters_finds_no_customer(box_office):
    assert box_office.get(CUSTOMERS, {"q": "\x00"}).status_code == 400


def test_at_most_ten_customers_are_listed(box_office):
    for number in range(11):
        make_user(username=f"anna{number:02}")
    assert usernames(box_office, "anna") == [f"anna{number:02}" for number in range(10)]


@pytest.mark.parametrize("permissions", [["view_show"], ["add_booking"], ["view_show", "view_booking", "view_user"]])
def test_staff_who_may_not_sell_see_no_customers(db, permissions):
    answer = member_of_staff(*permissions).get(CUSTOMERS, {"q": "a"})
    assert detail(answer) == (403, "You may not do this.")


# --- History ----------------------------------------------------------------------------------


def history(client: Client, thing: Show | Booking) -> list[tuple[str, str]]:
    """Who did what, as the history page of a show or a booking has it."""
    page = client.get(f"/admin/booking/{thing._meta.model_name}/{thing.pk}/history/")
    lines = page.context["action_list"]
    return [(line.user.username if line.user else "", line.get_change_message()) for line in lines]


def test_what_staff_did_in_the_hall_is_in_the_shows_history(boss, show, user):
    act(boss, show, "block", seats="2,3", reason="broken")
    act(boss, show, "unblock", seen=seen(show.bookings.get(seat_number=2)))
    act(boss, show, "sell", seats="1", customer="esha")
    booking = Booking.objects.sold().get()
    act(boss, show, "move", seen=seen(booking), seats="2")
    act(boss, show, "cancel", seen=seen(booking, seat=2))
    assert history(boss, show) == [
        ("boss", "Blocked A2, A3 (broken)."),
        ("boss", "Unblocked A2."),
        ("boss", f"{booking.reference} A1: Sold to esha."),
        ("boss", f"{booking.reference} A1: Moved from A1 to A2."),
        ("boss", f"{booking.reference} A2: Cancelled."),
    ]


def test_what_a_customer_did_over_the_api_is_in_both_histories(box_office, show, user):
    customer = signed_in(user)
    booking = Booking(pk=customer.post(f"/api/shows/{show.pk}/book/", {"seat_number": 1}).json()["id"])
    customer.post(f"/api/bookings/{booking.pk}/move/", {"seat_number": 2})
    customer.post(f"/api/bookings/{booking.pk}/cancel/")
    booking.refresh_from_db()
    lines = ["Booked.", "Moved from A1 to A2.", "Cancelled."]
    assert history(box_office, booking) == [("esha", line) for line in lines]
    named = zip(("A1", "A1", "A2"), lines, strict=True)
    assert history(box_office, show) == [("esha", f"{booking.reference} {seat}: {line}") for seat, line in named]


def test_the_history_of_a_booked_hold_lists_both(box_office, show, user):
    customer = signed_in(user)
    customer.post(f"/api/shows/{show.pk}/hold/", {"seat_numbers": [1]})
    customer.post(f"/api/shows/{show.pk}/book/", {"seat_number": 1})
    assert history(box_office, show.bookings.get()) == [("esha", "Held."), ("esha", "Booked.")]


def test_the_history_names_nobody_for_an_expired_hold(boss, show, user):
    ended = timezone.now() - timedelta(minutes=1)
    hold(show, user, 1, held_since=ended - timedelta(minutes=10), expires_at=ended)
    services.release_expired_holds(expired_by=timezone.now())
    booking = show.bookings.get()
    assert history(boss, show) == [("esha", f"{booking}: Held."), ("", f"{booking}: The hold expired.")]


def test_a_booking_cancelled_with_its_show_says_so(boss, show, user):
    booking = make_booking(show=show, user=user, created_at=timezone.now())
    services.cancel_show(show_id=show.pk, now=timezone.now())
    assert history(boss, booking) == [("esha", "Booked."), ("", "Cancelled with the show.")]


def test_a_sale_on_the_bookings_page_names_the_customer(box_office, show, user):
    box_office.post("/admin/booking/booking/add/", {"show": show.pk, "seat_number": 7, "customer": "esha"})
    assert history(box_office, show.bookings.get()) == [("seller", "Sold to esha.")]


def test_staff_who_may_not_view_bookings_see_only_the_show_s_history(boss, show, user):
    act(boss, show, "block", seats="2", reason="broken")
    act(boss, show, "sell", seats="1", customer="esha")
    assert history(member_of_staff("view_show"), show) == [("boss", "Blocked A2 (broken).")]


def test_a_long_history_has_pages(boss, user):
    show = make_show(total_seats=150)
    for seat in range(1, 102):
        make_booking(show=show, user=user, seat_number=seat)
    path = f"/admin/booking/show/{show.pk}/history/"
    pages = [boss.get(path, {"p": number}) for number in (1, 2)]
    assert [len(page.context["action_list"]) for page in pages] == [100, 1]
    assert "101 entries" in pages[0].content.decode()


@pytest.mark.parametrize("sold", [1, 30])
def test_a_history_costs_the_same_queries_however_long(box_office, show, sold, django_assert_num_queries):
    for seat in range(1, sold + 1):
        make_booking(show=show, seat_number=seat)
    history(box_office, show)
    with django_assert_num_queries(9):
        history(box_office, show)


def test_there_is_no_history_without_a_show(boss, db):
    assert boss.get("/admin/booking/show/999/history/").status_code == 302


def test_a_move_refused_leaves_no_line(box_office, show):
    booking = make_booking(show=show)
    make_booking(show=show, seat_number=2)
    act(box_office, show, "move", seen=seen(booking), seats="2")
    assert not LogEntry.objects.exists()
