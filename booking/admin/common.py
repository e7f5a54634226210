"""What the pages share."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import IntegrityError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from booking import services
from booking.paths import POSITIVE_ID


class RefusalsOnTheForm:
    """Shows a service's refusal on the form it came from, with what was typed still there."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # Not super().changeform_view: that wraps a transaction around the services' own.
        show: Callable[..., HttpResponse] = self._changeform_view  # type: ignore[attr-defined]
        try:
            return show(request, object_id, form_url, extra_context)
        except services.Refusal as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
        except IntegrityError:
            # What the form refers to was deleted meanwhile; now the form sees it.
            pass
        return show(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        form: type[ModelForm] = super().get_form(request, obj, change, **kwargs)  # type: ignore[misc]
        refusal: services.Refusal | None = getattr(request, "refusal", None)
        return form if refusal is None else _refused(form, refusal)


def _refused(form: type[ModelForm], refusal: services.Refusal) -> type[ModelForm]:
    class RefusedForm(form):  # type: ignore[misc, valid-type]
        def clean(self) -> None:
            super().clean()
            self.add_error(refusal.field if refusal.field in self.fields else None, refusal.detail)

    return RefusedForm


class RivalsOnTheForm:
    """Where somebody else saved the same unique value meanwhile, lets the form see it and say so."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        show: Callable[..., HttpResponse] = super().changeform_view  # type: ignore[misc]
        try:
            return show(request, *args, **kwargs)
        except IntegrityError:
            return show(request, *args, **kwargs)


class SelectedIds(admin.ModelAdmin):
    """Tells so where what was selected for an action is no row's id, which Django would ask the database for."""

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if all(re.fullmatch(POSITIVE_ID, pk) for pk in selected):
            return super().response_action(request, *args, **kwargs)
        messages.error(request, "What was selected is not in this list.")
        return None


def carry_out(request: HttpRequest, queryset: QuerySet[Any], done: str, service: Callable[[Any], Any]) -> None:
    """Calls `service` on each selected row, and tells how many went through and what was refused."""
    count = 0
    for row in queryset:
        try:
            service(row)
            count += 1
        except services.Refusal as refusal:
            messages.error(request, f"{row}: {refusal.detail}")
    if count:
        messages.success(request, f"{count} {done}.")
