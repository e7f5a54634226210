"""The preview of mail: the choice of its order, its content and the permissions."""

import re

import pytest
from django.core import mail
from django.urls import reverse
from django_tasks_db.models import DBTaskResult

from booking.models import Order
from booking.services import Mail, cancel_show
from tests.admin.orders import links_of, page_of, text_of
from tests.factories import NOW, make_booking, make_hold, make_show, make_user
from tests.staff import SHOWS, staff_with

PAGE = reverse("admin:booking_order_mail")
HTML = reverse("admin:booking_order_mail_html")
LINKS = {Mail.CONFIRMED: 1, Mail.PAID: 1, Mail.TICKETS: 1, Mail.TIME_CHANGED: 3}


@pytest.fixture
def order(show):
    booking = make_booking(show=show, user=make_user(username="ann", email="ann@example.com"))
    return Order.objects.get(reference=booking.reference)


def ask(client, path=PAGE, **query):
    return client.get(path, {"mail": "order_confirmed", **query})


@pytest.mark.parametrize("kind", Mail)
def test_every_mail_is_shown_as_text_and_html(staff, order, kind):
    page = ask(staff, mail=kind.value, reference=order.reference, note="Popcorn is free.")
    html = ask(staff, HTML, mail=kind.value, reference=order.reference, note="Popcorn is free.")
    for text in (page.context["letter"].text, text_of(html)):
        assert order.reference in text
        assert "Popcorn is free." in text
    assert (page.context["address"], mail.outbox, DBTaskResult.objects.count()) == ("ann@example.com", [], 0)


def test_an_order_is_found_by_its_reference_in_any_case(staff, order):
    make_booking()
    assert ask(staff, reference=f" {order.reference.lower()} ").context["order"] == order


def test_the_preview_for_a_show_is_of_its_newest_order(staff, order, show):
    newest = make_booking(show=show, seat_number=2)
    make_booking(show=make_show())
    assert ask(staff, show=show.pk).context["order"].reference == newest.reference


def test_the_default_preview_is_the_confirmation_of_the_newest_order(staff, order):
    page = staff.get(PAGE)
    assert (page.context["order"], page.context["letter"].subject) == (order, f"Your seats for {order.show.movie}")
    assert staff.get(f"{HTML}?{page.context['query']}").status_code == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"reference": "NOWHERE1"}, "There is no such order."),
        ({"mail": "nonsense"}, "Select a valid choice."),
        ({"show": "0"}, "Select a valid choice."),
        ({"note": "x" * 501}, "at most 500 characters"),
    ],
)
def test_a_missing_choice_is_refused_on_its_field(staff, order, query, sentence):
    page = ask(staff, **query)
    assert list(page.context["form"].errors) == list(query)
    assert sentence in text_of(page)
    assert ask(staff, HTML, **query).status_code == 404


def test_without_orders_the_preview_has_a_message(staff, db):
    make_hold(expires_at=NOW.replace(year=2020), held_since=NOW.replace(year=2020))
    assert "There is no order yet." in text_of(staff.get(PAGE))


def test_a_mail_that_would_not_be_sent_is_not_shown(staff, order):
    cancel_show(show_id=order.show_id, now=NOW)
    assert "This mail would not be sent now" in text_of(ask(staff, mail="time_changed", reference=order.reference))
    assert "this show is cancelled" in text_of(ask(staff, mail="show_cancelled", reference=order.reference))


def test_the_preview_reports_a_customer_without_an_address(staff, show):
    make_booking(show=show)
    assert "nobody: this customer has no e-mail address" in text_of(ask(staff))


def test_a_broken_template_is_shown_with_its_name(staff, order, settings, tmp_path):
    (tmp_path / "order_confirmed.txt").write_text("Hello")
    text = settings.TEMPLATES[1]
    settings.TEMPLATES = [settings.TEMPLATES[0], text | {"DIRS": [tmp_path]}, settings.TEMPLATES[2]]
    assert "The first line of order_confirmed.txt must begin" in text_of(ask(staff))


def test_the_html_has_no_scripts_and_only_this_origin_may_frame_it(staff, order):
    headers = ask(staff, HTML).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'self'"} <= set(policy)
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "<iframe sandbox " in ask(staff).content.decode()


@pytest.mark.parametrize("kind", Mail)
def test_no_link_of_a_preview_works(staff, order, kind):
    text = ask(staff, mail=kind.value).context["letter"].text
    links = re.findall("http://127.0.0.1:8000(/.*)", text)
    assert [staff.get(link).status_code for link in links] == [404] * LINKS.get(kind, 0)


def test_the_preview_needs_the_permission_to_view_orders(order):
    assert [ask(staff_with(right)).status_code for right in ("view_order", "view_show")] == [200, 403]
    assert [ask(staff_with(right), HTML).status_code for right in ("view_order", "view_show")] == [200, 403]


def test_orders_and_shows_link_to_the_preview(staff, order):
    assert links_of(staff.get(page_of(order)))["Mail"].startswith(f"{PAGE}?reference={order.reference}")
    assert links_of(staff.get(f"{SHOWS}{order.show_id}/change/"))["Mail"] == (
        f"{PAGE}?show={order.show_id}&mail=time_changed"
    )


@pytest.mark.parametrize("seats", [1, 3])
def test_the_preview_costs_the_same_queries_for_1_and_3_seats(staff, order, seats, django_assert_num_queries):
    for number in range(2, seats + 1):
        make_booking(show=order.show, user=order.user, reference=order.reference, seat_number=number, order=False)
    with django_assert_num_queries(6):
        ask(staff, reference=order.reference)
