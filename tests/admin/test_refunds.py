"""Refunds in the admin: their list, the reasons of failures, retries, and paying out at the counter."""

import pytest
from django_tasks_db.models import DBTaskResult

from booking.models import Order, Refund, User
from booking.services.money.refunds import settle_refund
from tests.admin.orders import page_of, text_of
from tests.factories import NOW
from tests.staff import act, page_messages, staff_with
from tests.tills import make_refund, till_of

pytestmark = pytest.mark.django_db
REFUNDS = "/admin/booking/refund/"
NOT_GIVEN_UP = "This refund has ended, or a task is going to carry it out."


@pytest.fixture
def seller(box_office):
    """The clerk of `box_office`, with an open till."""
    seller = User.objects.get(username="seller")
    till_of(seller)
    return seller


@pytest.fixture
def failed():
    refund = make_refund(provider="demo")
    return settle_refund(refund_id=refund.pk, problem="The card was closed.", now=NOW)


@pytest.fixture
def at_counter():
    """A refund of cash that waits to be paid out."""
    return make_refund()


def path_of(refund, page="change"):
    return f"{REFUNDS}{refund.pk}/{page}/"


def post(client, refund, page, **form):
    return client.post(path_of(refund, page), form)


def listed(client, **query):
    return set(client.get(REFUNDS, query).context["cl"].queryset)


def tasks():
    return DBTaskResult.objects.filter(task_path="booking.tasks.carry_out_refund").count()


# --- What is seen -----------------------------------------------------------------------------


def test_the_list_has_the_reason_of_a_failed_refund(box_office, failed):
    text = text_of(box_office.get(REFUNDS))
    assert f"{failed.reference} {failed.show} 12.00 EUR demo Failed Cancelled. The card was closed." in text


def test_the_list_is_filtered_by_status(box_office, failed, at_counter):
    done = make_refund(provider="demo")
    settle_refund(refund_id=done.pk, now=NOW)
    expected = {"failed": {failed}, "done": {done}, "pending": {at_counter}, "to_pay_out": {at_counter}}
    assert {status: listed(box_office, status=status) for status in expected} == expected
    assert listed(box_office) == {failed, done, at_counter}


def test_a_refund_is_found_by_reference_or_by_the_provider_s_id(box_office, failed, at_counter):
    Refund.objects.filter(pk=failed.pk).update(provider_id="re_1")
    assert listed(box_office, q=at_counter.reference.lower()) == {at_counter}
    assert listed(box_office, q="re_1") == {failed}
    assert listed(box_office, q="x") == set()


def test_the_page_links_to_the_order(box_office, failed):
    page = box_office.get(path_of(failed)).content.decode()
    order = Order.objects.get(reference=failed.reference)
    assert f'<a href="{page_of(order)}">{order}</a>' in page
    assert "The card was closed." in page


def test_a_refund_of_a_removed_order_has_its_reference(box_office, failed):
    Order.objects.all().delete()
    assert failed.reference in text_of(box_office.get(path_of(failed)))


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_costs_the_same_queries_for_1_and_3_rows(staff, rows, django_assert_num_queries):
    for _ in range(rows):
        make_refund()
    staff.get(REFUNDS)
    with django_assert_num_queries(6):
        assert staff.get(REFUNDS).context["cl"].result_count == rows


@pytest.mark.parametrize("kind", ["failed", "at_counter"])
def test_the_front_page_links_to_waiting_refunds(box_office, kind, request):
    assert "refund failed" not in text_of(box_office.get("/admin/"))
    request.getfixturevalue(kind)
    text = text_of(box_office.get("/admin/"))
    texts = {"failed": "1 refund failed. See why, and try again", "at_counter": "1 refund to pay out. Refunds"}
    assert texts[kind] in text


# --- Trying again -----------------------------------------------------------------------------


def test_a_failed_refund_is_tried_again(box_office, failed):
    before = tasks()
    response = post(box_office, failed, "retry")
    failed.refresh_from_db()
    assert page_messages(response) == ["The refund will be tried again."]
    assert (failed.status, failed.problem, tasks()) == ("pending", "", before + 1)
    history = box_office.get(path_of(failed, "history")).context["action_list"]
    assert [entry.get_change_message() for entry in history] == ["Tried again."]


def test_a_refund_that_still_waits_is_tried_again(box_office):
    waiting = make_refund(provider="demo")
    before = tasks()
    assert page_messages(post(box_office, waiting, "retry")) == ["The refund will be tried again."]
    assert tasks() == before + 1


def test_selected_refunds_are_tried_again(box_office, failed):
    done = make_refund(provider="demo")
    settle_refund(refund_id=done.pk, now=NOW)
    response = act(box_office, REFUNDS, "retry", [failed, done])
    assert page_messages(response) == [
        f"{done}: This refund is already carried out.",
        "1 refund will be tried again.",
    ]


def test_a_finished_refund_has_no_buttons(box_office):
    done = settle_refund(refund_id=make_refund(provider="demo").pk, now=NOW)
    assert "Try again" not in box_office.get(path_of(done)).content.decode()
    assert page_messages(post(box_office, done, "retry")) == ["This refund is already carried out."]


def test_a_pending_refund_without_a_task_is_tried_again(box_office):
    pending, offered = make_refund(provider="demo"), []
    for _ in range(2):
        offered.append("Try again" in box_office.get(path_of(pending)).content.decode())
        post(box_office, pending, "retry")
    assert (offered, tasks()) == ([True, False], 1)


def test_a_refund_at_the_counter_is_not_tried_again(box_office, at_counter):
    assert page_messages(post(box_office, at_counter, "retry")) == ["This refund has to be paid out at the counter."]


# --- Paying out -------------------------------------------------------------------------------


def test_a_refund_is_paid_out_from_the_clerk_s_till(box_office, seller, at_counter):
    response = post(box_office, at_counter, "pay-out")
    at_counter.refresh_from_db()
    assert page_messages(response) == ["Paid out 12.00 EUR in cash."]
    assert (at_counter.status, at_counter.till.clerk) == ("done", seller)
    assert page_messages(post(box_office, at_counter, "pay-out"))[-1] == "This refund is already carried out."


def test_a_refund_is_paid_out_on_the_page_of_the_order(box_office, seller, at_counter):
    order = Order.objects.get(reference=at_counter.reference)
    page = box_office.get(page_of(order)).content.decode()
    assert f'<form method="post" action="{path_of(at_counter, "pay-out")}">' in page
    response = post(box_office, at_counter, "pay-out", order="")
    assert response.url == page_of(order)


def test_without_an_open_till_nothing_is_paid_out(box_office, at_counter):
    assert page_messages(post(box_office, at_counter, "pay-out")) == ["Open your till first."]
    at_counter.refresh_from_db()
    assert at_counter.status == "pending"


def test_a_failed_refund_online_is_paid_out_in_cash(box_office, seller, failed):
    assert "Pay out in cash" in box_office.get(path_of(failed)).content.decode()
    assert page_messages(post(box_office, failed, "pay-out")) == ["Paid out 12.00 EUR in cash."]
    history = box_office.get(path_of(failed, "history")).context["action_list"]
    assert [entry.get_change_message() for entry in history] == ["Paid out."]


def test_a_refund_online_that_may_still_be_sent_is_not_paid_out(box_office, seller):
    pending = make_refund(provider="demo")
    [message] = page_messages(post(box_office, pending, "pay-out"))
    assert message.startswith("The payment provider is still carrying out this refund")


def test_a_refund_that_was_given_up_is_marked_as_failed_with_a_reason(box_office, settings):
    given_up = make_refund(provider="gone")
    assert "Mark as failed" not in box_office.get(path_of(given_up)).content.decode()
    assert page_messages(post(box_office, given_up, "mark-failed")) == [NOT_GIVEN_UP]
    post(box_office, given_up, "retry")
    DBTaskResult.objects.update(status="FAILED", finished_at=NOW)
    assert "Mark as failed" in box_office.get(path_of(given_up)).content.decode()
    texts = [
        page_messages(post(box_office, given_up, "mark-failed", reason=reason))[-1]
        for reason in ("", "x" * 201, "Off.")
    ]
    assert [text.split(".")[0] for text in texts] == [
        "The provider can't be asked",
        "Ensure this value has at most 200 characters (it has 201)",
        "The refund has failed",
    ]
    given_up.refresh_from_db()
    assert (given_up.status, given_up.problem) == ("failed", "Off.")


# --- Who may ----------------------------------------------------------------------------------


def test_staff_who_may_only_see_refunds_change_none(failed):
    viewer = staff_with("view_refund")
    page = viewer.get(path_of(failed)).content.decode()
    assert ("The card was closed." in page, "Try again" in page) == (True, False)
    assert [post(viewer, failed, name).status_code for name in ("retry", "mark-failed", "pay-out")] == [403] * 3


def test_staff_who_may_not_see_orders_are_redirected_to_the_refund(failed):
    response = post(staff_with("refund_payment"), failed, "retry", order="")
    assert response.url == path_of(failed)


def test_refunds_need_a_permission(failed):
    assert staff_with("view_order", "take_payment").get(REFUNDS).status_code == 403


def test_a_missing_refund_is_not_found(box_office):
    assert box_office.post(f"{REFUNDS}999/retry/").status_code == 404


def test_refunds_are_read_only(staff, failed):
    paths = [f"{REFUNDS}add/", path_of(failed), path_of(failed, "delete")]
    assert [staff.post(path, {"post": "yes", "status": "done"}).status_code for path in paths] == [403] * 3
    failed.refresh_from_db()
    assert failed.status == "failed"
