"""Tasks in the admin."""

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from booking.admin.tasks import TaskAdmin
from booking.infrastructure.tasks import enqueue, new_task
from tests.staff import page_messages

PAGE = "/admin/django_tasks_database/dbtaskresult/"


@pytest.fixture
def failed(db):
    enqueue(new_task("booking.tasks.carry_out_refund", now=timezone.now(), refund_id=1))
    DBTaskResult.objects.update(status="FAILED", finished_at=timezone.now(), traceback="a.b.Broken: No luck.")
    return DBTaskResult.objects.get()


def test_a_failed_task_is_shown_with_its_reason(staff, failed):
    assert b"No luck." in staff.get(f"{PAGE}{failed.pk}/change/").content


def test_a_failed_task_is_retried_once(staff, failed):
    action = {"action": "retry_tasks", "_selected_action": str(failed.pk)}
    answers = [page_messages(staff.post(PAGE, action, follow=True)) for _ in range(2)]
    assert answers == [["1 failed task will be retried."], ["0 failed tasks will be retried."]]
    assert DBTaskResult.objects.get().status == "READY"


def test_the_box_office_sees_no_tasks(box_office, failed):
    assert box_office.get(PAGE).status_code == 403


def test_the_list_has_the_purpose_and_the_error_of_each_task(staff, failed):
    details = {"mail": "time_changed", "show_id": 1, "reference": "ABCDEFGH"}
    enqueue(new_task("booking.tasks.send_order_mail", now=timezone.now(), **details))
    rows = staff.get(PAGE).context["cl"].result_list
    shown = [
        [getattr(TaskAdmin, name)(None, task) for name in ("work", "order", "attempts", "reason")] for task in rows
    ]
    assert shown == [
        ["Mail: time changed", "ABCDEFGH", 0, "-"],
        ["Carry out refund", "-", 0, "Broken: No luck."],
    ]


def test_tasks_are_found_by_their_order(staff, failed):
    enqueue(new_task("booking.tasks.send_order_mail", now=timezone.now(), mail="x", reference="ABCDEFGH"))
    [found] = staff.get(PAGE, {"q": "ABCDEFGH"}).context["cl"].result_list
    assert found != failed
