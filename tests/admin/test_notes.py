"""Staff who cancel or move see how many customers will get mail, and add a note to the mail."""

from datetime import timedelta

import pytest
from django.core import mail

from booking.infrastructure.worker import Worker
from booking.models import Booking, Order, User
from tests.admin import hall
from tests.admin.orders import text_of
from tests.door import admit
from tests.factories import STARTS_AT, make_booking, make_user
from tests.staff import BOOKINGS, SHOWS, act, show_form

NOTE = "The projector broke."
LATER = STARTS_AT + timedelta(hours=1)


@pytest.fixture
def order(show):
    """Two seats of a customer with an address."""
    first = make_booking(show=show, user=make_user(username="ann", email="ann@example.com"))
    make_booking(show=show, user=first.user, reference=first.reference, seat_number=2)
    return Order.objects.get()


def sent_bodies():
    Worker().run_due()
    return [message.body for message in mail.outbox]


def seen(*bookings):
    return ",".join(f"{one.pk}:{one.seat_number}:sold" for one in bookings)


def move_form(show, **more):
    form = show_form(show.movie, show.screen, starts_at=LATER, ends_at=LATER + timedelta(hours=2))
    return form | {"price_list": ""} | more


def plan_form(show, **more):
    return {"show": show.pk, "screen": show.screen_id, "starts_at": f"{LATER:%Y-%m-%dT%H:%M:%SZ}", **more}


# --- The number of customers who will get mail ---


@pytest.fixture(params=["cancel show", "move show", "move in plan", "cancel order", "cancel bookings"])
def question(request, staff, order):
    """Sends the form that leads to each question, with more fields."""
    show = order.show
    requests = {
        "cancel show": lambda **more: act(staff, SHOWS, "cancel", [show], **more),
        "move show": lambda **more: staff.post(f"{SHOWS}{show.pk}/change/", move_form(show, **more), follow=True),
        "move in plan": lambda **more: staff.post(f"{SHOWS}plan/move/", plan_form(show, **more), follow=True),
        "cancel order": lambda **more: (
            staff.post(f"/admin/booking/order/{order.pk}/cancel/", more, follow=True)
            if more
            else staff.get(f"/admin/booking/order/{order.pk}/cancel/")
        ),
        "cancel bookings": lambda **more: act(staff, BOOKINGS, "cancel", Booking.objects.all(), **more),
    }
    return requests[request.param]


def confirmed(**more):
    bookings = Booking.objects.order_by("pk")
    return {"confirmed": "yes", "start_confirmed": "yes", "seen": seen(*bookings), **more}


def test_each_question_has_the_number_of_customers_who_will_get_mail(question, order):
    make_booking(show=order.show, seat_number=3)
    text = text_of(question())
    assert "The customer of 1 order will be told by e-mail." in text
    assert "Sentence for the mail" in text


def test_the_note_is_in_the_only_mail_of_the_order(question, order):
    question(**confirmed(note=NOTE))
    [body] = sent_bodies()
    assert f"\n\n{NOTE}\n\n" in body


def test_a_note_that_is_too_long_changes_nothing_and_is_shown_again(question, order):
    before = list(Booking.objects.values()), order.show.starts_at
    page = question(**confirmed(note="x" * 501))
    assert "at most 500 characters" in text_of(page)
    assert "x" * 501 in page.content.decode()
    order.show.refresh_from_db()
    assert (list(Booking.objects.values()), order.show.starts_at) == before
    assert sent_bodies() == []


def test_the_question_says_that_the_service_sends_no_mail(question, order, settings):
    settings.SENDS_MAIL = False
    text = text_of(question())
    assert "No customer will be told, because this service sends no mail." in text
    assert "Sentence for the mail" not in text


@pytest.mark.parametrize(
    ("with_address", "without", "sentence"),
    [
        (0, 1, "No customer will be told: 1 order has no e-mail address."),
        (2, 0, "The customers of 2 orders will be told by e-mail."),
        (2, 2, "The customers of 2 orders will be told by e-mail. 2 orders have no e-mail address."),
    ],
)
def test_the_question_counts_orders(staff, show, with_address, without, sentence):
    for number in range(with_address + without):
        address = f"{number}@example.com" if number < with_address else ""
        make_booking(show=show, seat_number=number + 1, user=make_user(email=address))
    assert sentence in text_of(act(staff, SHOWS, "cancel", [show]))


def test_the_question_for_a_show_without_customers_has_no_note(staff, show):
    text = text_of(act(staff, SHOWS, "cancel", [show]))
    assert "told" not in text
    assert "Sentence" not in text


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("path", "queries"), [(SHOWS, 10), (BOOKINGS, 11)])
def test_the_question_costs_the_same_queries_for_1_and_3(staff, path, queries, rows, django_assert_num_queries):
    bookings = [make_booking(user=make_user(email="ann@example.com")) for _ in range(rows)]
    selected = [one.show_id if path == SHOWS else one.pk for one in bookings]
    with django_assert_num_queries(queries):
        staff.post(path, {"action": "cancel", "_selected_action": selected})


# --- Seats of one order ---


def test_the_other_seats_are_cancelled_if_one_has_changed(staff, order):
    moved, other = Booking.objects.order_by("pk")
    form = {"action": "cancel", "_selected_action": [moved.pk, other.pk], "seen": seen(moved, other)}
    Booking.objects.filter(pk=moved.pk).update(seat_number=9, seat_label="A9")
    staff.post(BOOKINGS, form)
    assert [one.status for one in Booking.objects.order_by("pk")] == ["booked", "cancelled"]


# --- In the hall ---


def test_the_hall_reports_the_recipients_and_mails_the_note(staff, order):
    both = seen(*Booking.objects.all())
    answer = hall.act(staff, order.show, "ask-cancel", seen=both).json()
    told = "The customer of 1 order will be told by e-mail."
    assert (answer["detail"], answer["asks_note"], Booking.objects.sold().count()) == (told, True, 2)
    hall.act(staff, order.show, "cancel", seen=both, note=NOTE)
    [body] = sent_bodies()
    assert f"\n\n{NOTE}\n\n" in body


def test_the_hall_has_no_note_without_recipients(staff, show):
    answer = hall.act(staff, show, "ask-cancel", seen=seen(make_booking(show=show))).json()
    assert (answer["detail"], answer["asks_note"]) == (
        "No customer will be told: 1 order has no e-mail address.",
        False,
    )


def test_the_hall_warns_about_admitted_seats_before_cancelling(staff, show):
    booking = make_booking(show=show)
    admit(booking, User.objects.get(username="boss"))
    answer = hall.act(staff, show, "ask-cancel", seen=seen(booking)).json()
    assert answer["detail"].endswith("The customer may be in the hall: A1 was already admitted.")


def test_a_sentence_of_the_hall_that_is_too_long_changes_nothing(staff, order):
    answer = hall.act(staff, order.show, "cancel", seen=seen(*Booking.objects.all()), note="x" * 501)
    assert hall.detail(answer) == (400, "Ensure this value has at most 500 characters (it has 501).")
    assert Booking.objects.sold().count() == 2
