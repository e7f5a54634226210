"""Payments and the providers' events in the admin: found, filtered and never changed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from booking.models import Order, Payment, PaymentEvent
from tests.admin.orders import page_of, text_of
from tests.factories import NOW
from tests.staff import staff_with
from tests.tills import make_clerk, make_payment, make_refund, till_of

pytestmark = pytest.mark.django_db
PAYMENTS = "/admin/booking/payment/"
EVENTS = "/admin/booking/paymentevent/"


def listed(client, **query):
    return set(client.get(PAYMENTS, query).context["cl"].queryset)


@pytest.fixture
def online():
    return make_payment(provider="demo", provider_id="demo-1", status="pending", settled_at=None)


@pytest.fixture
def cash():
    clerk = make_clerk()
    return make_payment(created_by=clerk, till=till_of(clerk), given=20)


def test_payments_are_filtered(box_office, online, cash):
    filters = [
        {"provider": "demo"},
        {"provider": "counter"},
        {"status__exact": "pending"},
        {"method__exact": "cash"},
        {"clerk": cash.created_by_id},
        {"till": cash.till_id},
        {"clerk": 999999},
    ]
    assert [listed(box_office, **one) for one in filters] == [{online}, {cash}, {online}, {cash}, {cash}, {cash}, set()]


def test_payments_are_filtered_by_day(box_office, online, cash):
    yesterday = timezone.now() - timedelta(days=1)
    Payment.objects.filter(pk=online.pk).update(created_at=yesterday)
    assert listed(box_office, day=f"{yesterday:%Y-%m-%d}") == {online}
    assert listed(box_office, day=f"{timezone.now():%Y-%m-%d}") == {cash}


def test_a_payment_is_found_by_reference_or_by_the_provider_s_id(box_office, online, cash):
    assert [listed(box_office, q=text) for text in (cash.reference, "demo-1", "x")] == [{cash}, {online}, set()]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite uses no partial index for a parameter")
@pytest.mark.parametrize("model", ["payment", "refund"])
def test_lists_and_searches_use_an_index(box_office, model):
    refund = make_refund(make_payment(provider="demo", provider_id="p-1"), provider_id="p-1")
    fill_table(refund.payment if model == "payment" else refund)
    assert f"{model}_by_creation" in plan_of(box_office, model, {})
    assert f"{model}_by_reference" in plan_of(box_office, model, {"q": refund.reference})
    assert f"one_{model}_per_provider_and_provider_id" in plan_of(box_office, model, {"q": "p-1"})


def fill_table(row):
    """Store rows with other references and ids of the provider, by which PostgreSQL's planner chooses an index."""
    model, fields = type(row), {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    numbers = range(1_000_000, 1_000_500)
    others = ({"id": None, "reference": f"R{number}", "provider_id": f"other-{number}"} for number in numbers)
    model.objects.bulk_create(model(**(fields | other)) for other in others)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {model._meta.db_table}")


def plan_of(client, model, query):
    """Return PostgreSQL's plan for the first rows of the list, or for a search, in a large table."""
    rows = client.get(f"/admin/booking/{model}/", query).context["cl"].queryset
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    return (rows.order_by() if query else rows[:100]).explain()


def test_the_list_links_to_the_order(box_office, cash):
    order = Order.objects.get(reference=cash.reference)
    page = box_office.get(PAYMENTS)
    assert f'<a href="{page_of(order)}">{order}</a>' in page.content.decode()
    assert "Cash 12.00 EUR Paid clerk" in text_of(page)


def test_the_order_and_the_till_link_to_their_payments(box_office, staff, cash):
    order = Order.objects.get(reference=cash.reference)
    assert f'href="{PAYMENTS}?q={order.reference}"' in box_office.get(page_of(order)).content.decode()
    page = staff.get(f"/admin/booking/till/{cash.till_id}/change/").content.decode()
    assert f'href="{PAYMENTS}?till={cash.till_id}"' in page


def test_the_page_has_cash_change_till_and_refunds(box_office, cash):
    make_refund(cash)
    text = text_of(box_office.get(f"{PAYMENTS}{cash.pk}/change/"))
    for part in ("Given: 20.00", "Change: 8.00", f"Till {cash.till_id} of clerk", "12.00 (Pending)"):
        assert part in text


def test_a_payment_online_has_no_cash(box_office, online):
    text = text_of(box_office.get(f"{PAYMENTS}{online.pk}/change/"))
    for part in ("Kind: Online (demo)", "Given: -", "Change: -", "By: -", "Till: -", "Refunds: -"):
        assert part in text


@pytest.mark.parametrize("permission", ["view_payment", "take_payment", "refund_payment"])
def test_staff_who_take_refunds_or_may_view_payments_see_them(cash, permission):
    assert listed(staff_with(permission)) == {cash}


def test_other_staff_see_no_payments(cash):
    assert staff_with("view_order").get(PAYMENTS).status_code == 403


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_costs_the_same_queries_for_1_and_3_rows(staff, rows, django_assert_num_queries):
    for _ in range(rows):
        make_payment()
    staff.get(PAYMENTS)
    # Session, account, number of payments, payments, clerks of the filter, orders.
    with django_assert_num_queries(6):
        assert staff.get(PAYMENTS).context["cl"].result_count == rows


# --- Events -----------------------------------------------------------------------------------


def make_event(number=1, **fields):
    return PaymentEvent.objects.create(
        provider="demo", event_id=f"event-{number}", payload='{"id": 1}', received_at=NOW, **fields
    )


def test_events_that_changed_nothing_are_listed_with_the_reason(staff):
    make_event(1, processed_at=NOW)
    problem = make_event(2, problem="There is no such refund.")
    page = staff.get(EVENTS, {"result": "problem"})
    assert list(page.context["cl"].queryset) == [problem]
    assert "There is no such refund." in text_of(page)
    assert staff.get(EVENTS).context["cl"].result_count == 2


def test_the_page_of_an_event_has_what_the_provider_sent(staff):
    event = make_event()
    assert '{"id": 1}' in text_of(staff.get(f"{EVENTS}{event.pk}/change/"))


def test_the_box_office_sees_no_events(box_office):
    assert box_office.get(EVENTS).status_code == 403


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_events_costs_the_same_queries_for_1_and_3_rows(staff, rows, django_assert_num_queries):
    for number in range(rows):
        make_event(number)
    with django_assert_num_queries(4):
        assert staff.get(EVENTS).context["cl"].result_count == rows


# --- Nothing is changed -----------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_payment, make_event])
@pytest.mark.parametrize("page", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_payments_and_events_are_read_only(staff, make, page):
    row = make()
    before = type(row).objects.values().get()
    path = f"/admin/booking/{row._meta.model_name}/{page.format(pk=row.pk)}"
    assert staff.post(path, {"post": "yes", "status": "failed", "problem": "x"}).status_code == 403
    assert type(row).objects.values().get() == before
