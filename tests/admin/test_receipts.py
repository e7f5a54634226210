"""The receipts of an order in the admin: issued once for what was paid, printed, and as PDF."""

import pytest

from booking.models import Receipt, User
from tests.admin.orders import ORDERS, page_of, text_of
from tests.staff import page_messages, staff_with
from tests.tills import make_payment, make_priced_show, sell, take, till_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(box_office):
    """Seat A1, paid to the clerk of `box_office`."""
    clerk = User.objects.get(username="seller")
    till_of(clerk)
    order = sell(make_priced_show(), 1)
    take(order, clerk, given=20)
    return order


def issue_of(order):
    return f"{ORDERS}{order.pk}/receipts/"


def receipt_of(order, position=1):
    return f"{ORDERS}{order.pk}/receipts/{position}/"


def pdf_of(order, position=1):
    return f"{ORDERS}{order.pk}/receipts/{position}.pdf"


def test_the_page_of_a_paid_order_offers_its_receipt(box_office, order):
    assert f'<form method="post" action="{issue_of(order)}"' in box_office.get(page_of(order)).content.decode()
    unpaid = sell(order.show, 2)
    assert issue_of(unpaid) not in box_office.get(page_of(unpaid)).content.decode()


def test_a_receipt_is_issued_once_and_printed(box_office, order):
    pages = [box_office.post(issue_of(order), follow=True) for _ in range(2)]
    [receipt] = Receipt.objects.all()
    for page in pages:
        assert page.redirect_chain == [(receipt_of(order), 302)]
        assert f"Receipt {receipt}" in text_of(page)
        assert "A1, Adult 12.00 Total in EUR 12.00" in text_of(page)


def test_a_further_receipt_is_offered_once_something_else_was_paid(box_office, order):
    box_office.post(issue_of(order))
    assert "Further receipt" not in text_of(box_office.get(page_of(order)))
    make_payment(order, amount=3)
    assert "Further receipt" in text_of(box_office.get(page_of(order)))
    page = box_office.post(issue_of(order), follow=True)
    assert page.redirect_chain == [(receipt_of(order, 2), 302)]
    first, second = Receipt.objects.order_by("position")
    assert f"Receipt {second}" in text_of(page)
    assert f"Receipt {first} Receipt {second}" in text_of(box_office.get(page_of(order)))


def test_an_order_without_a_receipt_has_no_page_of_it(box_office, order):
    assert [box_office.get(url).status_code for url in (receipt_of(order), pdf_of(order))] == [404, 404]


def test_staff_who_may_only_see_payments_see_receipts_and_issue_none(box_office, order):
    viewer = staff_with("view_order", "view_payment")
    assert issue_of(order) not in viewer.get(page_of(order)).content.decode()
    assert (viewer.post(issue_of(order)).status_code, Receipt.objects.count()) == (403, 0)
    box_office.post(issue_of(order))
    assert f'<a href="{receipt_of(order)}">' in viewer.get(page_of(order)).content.decode()
    assert f"Receipt {Receipt.objects.get()}" in text_of(viewer.get(receipt_of(order)))


def test_each_receipt_can_be_downloaded_as_a_pdf(box_office, order):
    box_office.post(issue_of(order))
    make_payment(order, amount=3)
    box_office.post(issue_of(order))
    for receipt in Receipt.objects.all():
        response = box_office.get(pdf_of(order, receipt.position))
        assert (response["Content-Type"], response.content[:5]) == ("application/pdf", b"%PDF-")
        assert response["Content-Disposition"] == f'inline; filename="receipt-{receipt}.pdf"'


def test_an_unpaid_order_has_no_receipt(box_office, order):
    response = box_office.post(issue_of(sell(order.show, 2)), follow=True)
    assert page_messages(response) == ["Nothing was paid for this order yet."]


@pytest.mark.parametrize("permissions", [["view_order"], ["take_payment"]])
def test_staff_who_may_not_see_orders_and_payments_get_no_receipt(order, permissions):
    client = staff_with(*permissions)
    answers = [client.post(issue_of(order)), client.get(receipt_of(order)), client.get(pdf_of(order))]
    assert [answer.status_code for answer in answers] == [403] * 3
    assert not Receipt.objects.exists()
