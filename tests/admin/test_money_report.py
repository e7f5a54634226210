"""The page and the files of payments and refunds by clerk and day."""

import csv
import io
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tests.admin.orders import text_of
from tests.staff import staff_with
from tests.tills import make_clerk, make_payment, make_refund

pytestmark = pytest.mark.django_db
REPORT = "/admin/booking/payment/payments-and-refunds/"
PERIOD = {"first_day": "2099-06-01", "last_day": "2099-06-30"}
NOON = datetime(2099, 6, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def money():
    payment = make_payment(created_by=make_clerk("=anna"), settled_at=NOON, amount=Decimal("1234.5"))
    make_refund(payment, status="done", settled_at=NOON + timedelta(days=1))


def download(client, table):
    response = client.get(f"{REPORT}{table}.csv", PERIOD)
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


def test_the_page_has_sums_clerks_and_days(box_office, money):
    text = text_of(box_office.get(REPORT, PERIOD))
    assert "Cash 1,234.50 Card 0.00 Online 0.00 Refunded 1,234.50 Net 0.00" in text
    assert "=anna 1,234.50 0.00 0.00 0.00 1,234.50" in text
    assert "Mon 1 Jun 2099 =anna 1,234.50 0.00 0.00 0.00 1,234.50" in text
    assert "Tue 2 Jun 2099 (online) 0.00 0.00 0.00 1,234.50 -1,234.50" in text


def test_the_files_have_clerks_and_days(box_office, money):
    head = [f"{name} in EUR" for name in ("cash", "card", "online", "refunded", "net")]
    assert download(box_office, "days") == [
        ["day", "clerk", *head],
        ["2099-06-01", "'=anna", "1234.50", "0.00", "0.00", "0.00", "1234.50"],
        ["2099-06-02", "(online)", "0.00", "0.00", "0.00", "1234.50", "-1234.50"],
    ]
    assert download(box_office, "clerks") == [
        ["clerk", *head],
        ["(online)", "0.00", "0.00", "0.00", "1234.50", "-1234.50"],
        ["'=anna", "1234.50", "0.00", "0.00", "0.00", "1234.50"],
    ]


def test_a_period_without_payments_has_a_message(box_office):
    assert "Nothing was paid in this period." in text_of(box_office.get(REPORT, PERIOD))


def test_many_days_have_pages(box_office):
    clerk = make_clerk()
    for day in range(51):
        make_payment(created_by=clerk, settled_at=NOON + timedelta(days=day))
    period = {"first_day": "2099-06-01", "last_day": "2099-09-30"}
    assert "Page 1 of 2 Later" in text_of(box_office.get(REPORT, period))
    assert "Earlier Page 2 of 2" in text_of(box_office.get(REPORT, period | {"page": 2}))


def test_the_list_of_payments_and_the_reports_link_to_the_report(box_office):
    for path in ("/admin/booking/payment/", "/admin/booking/booking/reports/"):
        assert f'href="{REPORT}"' in box_office.get(path).content.decode()


def test_staff_who_may_not_see_payments_see_no_report():
    client = staff_with("view_booking")
    assert client.get(REPORT).status_code == 403
    assert REPORT not in client.get("/admin/booking/booking/reports/").content.decode()
