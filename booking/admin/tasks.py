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
    actions = ("retry_tasks",)

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
