"""What the pages share."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.db import IntegrityError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from booking import services
from booking.paths import POSITIVE_ID


class RefusalFormMixin:
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


class LockedRowAdmin(admin.ModelAdmin):
    """Changes and deletes a row as it is now, and writes only what the form changed.

    Django's own form saves each column as it was read when the request began: it would undo what somebody else changed
    meanwhile, and insert a row that was deleted again.
    """

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST":
            return found
        # Race: another request changes or deletes the row. The views that ask for it run in a transaction.
        return self.model._default_manager.select_for_update(no_key=True).filter(pk=found.pk).first()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        if changed := columns.intersection(form.changed_data):
            obj.save(update_fields=changed)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            # Somebody else saved the same unique value meanwhile; now the form sees it.
            return super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, *args, **kwargs)
        except IntegrityError:
            return self._refuse_deletion(request)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changelist_view(request, *args, **kwargs)
        except IntegrityError:
            return self._refuse_deletion(request)

    def _refuse_deletion(self, request: HttpRequest) -> HttpResponse:
        """The list, with a sentence: what was to be deleted came into use while it was deleted."""
        messages.error(request, "Nothing was deleted: it was used at the same moment. Please try again.")
        return HttpResponseRedirect(reverse(admin_urlname(self.opts, "changelist")))  # type: ignore[arg-type]


class ValidSelectionMixin(admin.ModelAdmin):
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
