"""Access to the pages and actions that this project adds to the admin, for each kind of user.

The pages are those of the admin's URL configuration; one without a row fails, and so does a row without a page.
"""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from booking.models import Booking, Order, Refund, Show, User
from tests.factories import make_block, make_booking, make_movie, make_price_list, make_upload, make_user
from tests.tills import make_payment, make_refund, till_of

WHO = ["nobody", "customer", "box office", "superuser"]
SIGN_IN = 302
# Page, its arguments, and the method of the request; the names of IDS stand for ids.
#                                                     nobody customer box office superuser
TABLE = {
    ("booking_movie_import", "", "GET"): [SIGN_IN, SIGN_IN, 403, 200],
    ("booking_movie_import", "", "POST"): [SIGN_IN, SIGN_IN, 403, 200],
    # The file belongs to another member of staff.
    ("booking_movie_upload", "upload", "GET"): [SIGN_IN, SIGN_IN, 403, 404],
    ("booking_movie_upload", "upload", "POST"): [SIGN_IN, SIGN_IN, 403, 404],
    ("booking_movie_upload_table", "upload refused", "GET"): [SIGN_IN, SIGN_IN, 403, 404],
    ("booking_screen_layout", "", "POST"): [SIGN_IN, SIGN_IN, 403, 200],
    ("booking_screen_switch", "screen", "GET"): [SIGN_IN, SIGN_IN, 403, 200],
    ("booking_screen_switch", "screen", "POST"): [SIGN_IN, SIGN_IN, 403, 302],
    ("booking_show_plan", "", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_plan", "", "POST"): [SIGN_IN, SIGN_IN, 403, 200],
    ("booking_show_move", "", "POST"): [SIGN_IN, SIGN_IN, 403, 302],
    ("booking_show_copy", "", "GET"): [SIGN_IN, SIGN_IN, 403, 200],
    ("booking_show_copy", "", "POST"): [SIGN_IN, SIGN_IN, 403, 200],
    ("booking_show_customers", "", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_hall", "show", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_limit", "show", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_hall_act", "show sell", "POST"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_hall_act", "show sell-paid", "POST"): [SIGN_IN, SIGN_IN, 400, 400],
    ("booking_show_hall_act", "show block", "POST"): [SIGN_IN, SIGN_IN, 403, 200],
    ("booking_show_hall_act", "show unblock", "POST"): [SIGN_IN, SIGN_IN, 403, 200],
    ("booking_show_hall_act", "show ask-cancel", "POST"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_hall_act", "show cancel", "POST"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_hall_act", "show move", "POST"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_doors", "", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_door", "show", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_show_door_list", "show", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    # The doors are not open yet, nobody is admitted, and the form has no picture.
    ("booking_show_door_act", "show admit", "POST"): [SIGN_IN, SIGN_IN, 409, 409],
    ("booking_show_door_act", "show undo", "POST"): [SIGN_IN, SIGN_IN, 409, 409],
    ("booking_show_door_act", "show picture", "POST"): [SIGN_IN, SIGN_IN, 400, 400],
    ("booking_booking_cancel", "booking", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_booking_cancel", "booking", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    ("booking_booking_new_ticket", "booking", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_booking_new_ticket", "booking", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    ("booking_booking_print", "booking", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_order_split", "order", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    ("booking_order_cancel", "order", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_order_cancel", "order", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    ("booking_order_types", "order", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    ("booking_order_move", "order", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    ("booking_order_pay", "order", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    # Nothing was paid for the order.
    ("booking_order_issue_receipt", "order", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    ("booking_order_receipt", "order 1", "GET"): [SIGN_IN, SIGN_IN, 404, 404],
    ("booking_order_receipt_pdf", "order 1", "GET"): [SIGN_IN, SIGN_IN, 404, 404],
    ("booking_order_print", "order", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_order_mail", "", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_order_mail_html", "", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_booking_admissions", "", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_booking_admissions_file", "shows", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_booking_reports", "", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_booking_report_file", "days", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_payment_report", "", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_payment_report_file", "days", "GET"): [SIGN_IN, SIGN_IN, 200, 200],
    ("booking_refund_retry", "refund", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    # It was not given up.
    ("booking_refund_mark_failed", "refund", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    ("booking_refund_pay_out", "refund", "POST"): [SIGN_IN, SIGN_IN, 302, 302],
    # The till of another clerk.
    ("booking_till_print", "till", "GET"): [SIGN_IN, SIGN_IN, 404, 200],
}
# The states of the show, the booked seat and the failed refund after each action.
ACTIONS = {
    ("show", "cancel"): {"box office": False, "superuser": True},
    ("show", "copy"): {"box office": False, "superuser": True},
    ("show", "block"): {"box office": False, "superuser": True},
    ("show", "set_price_list"): {"box office": False, "superuser": True},
    ("show", "unblock"): {"box office": False, "superuser": True},
    ("booking", "cancel"): {"box office": True, "superuser": True},
    ("refund", "retry"): {"box office": True, "superuser": True},
}


def own_pages():
    """Return the names of the pages that the project adds to Django's."""
    for model in apps.get_app_config("booking").get_models():
        if model_admin := admin.site._registry.get(model):
            django_s = {pattern.name for pattern in ModelAdmin(model, admin.site).get_urls()}
            yield from (
                {pattern.name for pattern in model_admin.get_urls()} - django_s - {None, "auth_user_password_change"}
            )


def own_actions():
    for model, model_admin in admin.site._registry.items():
        # test_tasks.py has the action on tasks, which are of another app.
        for action in model_admin.actions if model._meta.app_label == "booking" else ():
            yield model._meta.model_name, action


@pytest.fixture
def booking(show, user):
    """A booking of seat A1; A6 is blocked."""
    make_block(show=show, seat_number=6)
    return make_booking(show=show, user=user, seat_number=1)


def client_of(who):
    """Return a client whose requests need CSRF tokens, as those of browsers do."""
    client = Client(enforce_csrf_checks=True)
    if who == "customer":
        client.force_login(make_user())
    if who == "box office":
        seller = make_user(is_staff=True)
        seller.groups.add(Group.objects.get(name="Box office"))
        client.force_login(seller)
    if who == "superuser":
        client.force_login(User.objects.create_superuser("boss"))
    return client


def form_of(page, arguments, booking):
    if page == "booking_movie_import":
        return {"file": SimpleUploadedFile("movies.csv", b"title\n", content_type="text/csv")}
    block = Booking.objects.get(status="blocked")
    seen = f"{block.pk}:6:blocked" if "unblock" in arguments else f"{booking.pk}:1:sold"
    scan = {"text": booking.reference, "nonce": "n", "booking": booking.pk}
    return {"seats": "5", "customer": "esha", "reason": "x", "seen": seen, "layout": "SS", **scan}


def with_csrf_token(client, form):
    token = client.cookies["csrftoken"] = "a" * 32
    return form | {"csrfmiddlewaretoken": token}


# The objects that a page's arguments name.
IDS = {
    "show": lambda booking: booking.show_id,
    "screen": lambda booking: booking.show.screen_id,
    "booking": lambda booking: booking.pk,
    "order": lambda booking: Order.objects.get().pk,
    "upload": lambda booking: make_upload().pk,
    "till": lambda booking: till_of(make_user(is_staff=True)).pk,
    "refund": lambda booking: make_refund(make_payment(Order.objects.get())).pk,
}


def send(client, page, arguments, method, booking, *, token=True):
    ids = [IDS[part](booking) if part in IDS else part for part in arguments.split()]
    path = reverse(f"admin:{page}", args=ids)
    if method == "GET":
        return client.get(path)
    form = form_of(page, arguments, booking)
    return client.post(path, with_csrf_token(client, form) if token else form)


def test_every_page_has_a_row_and_every_row_a_page():
    assert set(own_pages()) == {page for page, _, _ in TABLE}


def test_every_action_has_a_row_and_every_row_an_action():
    assert set(own_actions()) == set(ACTIONS)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("page", "arguments", "method"), TABLE)
def test_each_user_gets_the_status_of_the_table(booking, page, arguments, method, who):
    answer = send(client_of(who), page, arguments, method, booking)
    assert answer.status_code == TABLE[page, arguments, method][WHO.index(who)]
    if who in {"nobody", "customer"}:
        assert answer.url.startswith("/admin/login/?next=/admin/booking/")


@pytest.mark.parametrize("who", ["box office", "superuser"])
@pytest.mark.parametrize(("page", "arguments", "method"), [row for row in TABLE if row[2] == "POST"])
def test_no_page_takes_a_form_without_a_csrf_token(booking, page, arguments, method, who):
    before = list(Booking.objects.values())
    assert send(client_of(who), page, arguments, method, booking, token=False).status_code == 403
    assert list(Booking.objects.values()) == before


def refund_of(booking):
    """Return the refund of the booking; by default a new one that failed."""
    found = Refund.objects.filter(reference=booking.reference).first()
    return found or make_refund(make_payment(Order.objects.get(), provider="demo"), status="failed", problem="Refused.")


def carry_out(who, model, action, booking, *, token=True):
    client = client_of(who)
    selected = {"show": booking.show_id, "booking": booking.pk, "refund": refund_of(booking).pk}[model]
    form = {"action": action, "_selected_action": selected, "confirmed": "yes", "seen": f"{booking.pk}:1:sold"}
    form |= {
        "first_day": "2099-07-01",
        "last_day": "2099-07-01",
        "times": "20:00",
        "seats": "A6" if action == "unblock" else "A5",
    }
    form["reason"] = "House seats"
    if action == "set_price_list":
        form["price_list"] = make_price_list().pk
    return client.post(f"/admin/booking/{model}/", with_csrf_token(client, form) if token else form)


def state():
    return [list(model.objects.order_by("pk").values()) for model in (Show, Booking, Refund)]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("model", "action"), ACTIONS)
def test_an_action_is_carried_out_only_for_the_users_of_the_table(booking, model, action, who):
    refund_of(booking)
    before = state()
    carry_out(who, model, action, booking)
    assert (state() != before) is ACTIONS[model, action].get(who, False)


@pytest.mark.parametrize("who", ["box office", "superuser"])
@pytest.mark.parametrize(("model", "action"), ACTIONS)
def test_no_action_is_carried_out_without_a_csrf_token(booking, model, action, who):
    refund_of(booking)
    before = state()
    assert carry_out(who, model, action, booking, token=False).status_code == 403
    assert state() == before


@pytest.mark.parametrize("who", ["nobody", "customer"])
@pytest.mark.parametrize("path", ["/admin/", "/admin/booking/booking/", "/admin/booking/user/", "/admin/auth/group/"])
def test_django_s_own_pages_are_only_for_staff(db, path, who):
    answer = client_of(who).get(path)
    assert (answer.status_code, answer.url) == (SIGN_IN, f"/admin/login/?next={path}")


def test_the_box_office_can_not_give_itself_permissions(booking):
    make_movie()
    seller = client_of("box office")
    paths = ["/admin/booking/user/", "/admin/auth/group/", "/admin/booking/movie/", "/admin/booking/screen/"]
    assert [seller.get(path).status_code for path in paths] == [403] * 4
