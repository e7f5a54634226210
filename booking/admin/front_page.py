"""The figures of the front page: today's shows and sales, shows that are nearly full, and the backlog of tasks."""

from datetime import datetime
from typing import Any, cast

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from booking import services
from booking.admin.common import counted
from booking.admin.money import sees_all_tills
from booking.infrastructure.tasks import read_backlog
from booking.models import Booking, Show, User

MINUTE = 60
# A worker looks for tasks every second, so after this long none runs, or not enough of them.
LATE_SECONDS = 2 * MINUTE


def read_figures(request: HttpRequest) -> dict[str, Any]:
    """Return the figures of the front page that the user may see."""
    now = timezone.now()
    figures: dict[str, Any] = {}
    if _may_view(request, Show):
        figures["programme"] = services.read_programme(now=now)
    if _may_view(request, Booking):
        figures["sales"] = services.read_sales(now=now)
    if _may_view(request, DBTaskResult):
        figures["tasks"] = _tasks(now)
    if request.user.has_perm("booking.close_till"):
        figures["tills"] = [services.find_open_till(clerk=cast(User, request.user))]
        figures["left_tills"] = [till for till in services.find_left_tills(now=now) if till.clerk_id != request.user.pk]
        figures["sees_all_tills"] = sees_all_tills(request)
    if request.user.has_perm("booking.refund_payment"):
        figures["refunds"] = services.count_unfinished_refunds()
    return figures


def _tasks(now: datetime) -> dict[str, Any]:
    """Return the backlog of tasks, and the minutes of the longest wait if it is too long."""
    backlog = read_backlog(now)
    late = round(backlog.oldest_seconds / MINUTE) if backlog.oldest_seconds >= LATE_SECONDS else 0
    return {**backlog._asdict(), "late": counted(late, "minute") if late else ""}


def _may_view(request: HttpRequest, model: type[Model]) -> bool:
    return bool(admin.site.get_model_admin(model).has_view_permission(request))
