"""Tasks in the admin: staff see why one failed, and retry it."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.http import HttpRequest
from django.utils import timezone
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

from booking.admin.common import counted
from booking.infrastructure.tasks import retry

# django-tasks-db registers it without actions.
admin.site.unregister(DBTaskResult)


@admin.register(DBTaskResult)
class TaskAdmin(DBTaskResultAdmin):
    list_display = ("work", "order", "status", "reason", "attempts", "enqueued_at")  # type: ignore[assignment]
    list_filter = ("status",)  # type: ignore[assignment]
    search_fields = ("args_kwargs",)
    search_help_text = "Search by the reference of an order"
    actions = ("retry_tasks",)

    @admin.display(description="task")
    def work(self, task: DBTaskResult[..., Any]) -> str:
        """Return what the task does: "Mail: time changed"."""
        if mail := task.args_kwargs["kwargs"].get("mail"):
            return f"Mail: {mail.replace('_', ' ')}"
        return str(task.task_path.rpartition(".")[2].replace("_", " ").capitalize())

    @admin.display(description="order")
    def order(self, task: DBTaskResult[..., Any]) -> str:
        return str(task.args_kwargs["kwargs"].get("reference", "-"))

    @admin.display(description="attempts")
    def attempts(self, task: DBTaskResult[..., Any]) -> int:
        return len(task.worker_ids)

    @admin.display(description="why it failed")
    def reason(self, task: DBTaskResult[..., Any]) -> str:
        """Return the last line of the traceback without the modules of the exception."""
        kind, _, text = (task.traceback.strip().splitlines() or ["-"])[-1].partition(": ")
        return f"{kind.rpartition('.')[2]}: {text}" if text else str(kind)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may change tasks; the library's has_change_permission is always false."""
        codename = get_permission_codename("change", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    @admin.action(description="Retry failed tasks", permissions=["retry"])
    def retry_tasks(self, request: HttpRequest, queryset: Any) -> None:
        now = timezone.now()
        retried = [task for task in queryset if retry(task.pk, now)]
        for task in retried:
            self.log_change(request, task, "Retried.")
        messages.success(request, f"{counted(len(retried), 'failed task')} will be retried.")
