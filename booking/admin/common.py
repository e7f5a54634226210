"""Mixins and functions that several admin pages share."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import IntegrityError
from django.db.models import QuerySet
from django.forms import Form, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, set_response_etag

from booking import services
from booking.admin.model_forms import OwnTransactionMixin
from booking.admin.shown_values import ShownValuesAdmin
from booking.admin.time_fields import LOCAL_TIMES
from booking.models import POSITIVE_ID, Booking, Show, User


class RefusalFormMixin(OwnTransactionMixin):
    """Shows a service's refusal as a form error and keeps the input."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return self.change_in_own_transaction(request, object_id, form_url, extra_context)
        except services.Refusal as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
        except IntegrityError:
            # Race: an object that the form refers to was deleted; validating again reports it.
            pass
        return self.change_in_own_transaction(request, object_id, form_url, extra_context)

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


class ExplainedDeletionAdmin(admin.ModelAdmin):
    """Says why an object can't be deleted and what to do instead, to superusers too."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        why_not = partial(services.why_not_deleted, now=timezone.now(), together=objs)
        reasons = [f"{obj}: {reason}" for obj in objs if (reason := why_not(obj=obj))]
        return ([], {}, set(), reasons) if reasons else super().get_deleted_objects(objs, request)


class LockedRowAdmin(ShownValuesAdmin, ExplainedDeletionAdmin):
    """Locks and reloads a row before changing or deleting it, and writes only the fields changed on the page.

    Django's admin saves all columns with the values from the start of the request: it would undo concurrent changes and
    insert a row again that was deleted.
    """

    formfield_overrides = LOCAL_TIMES

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST":
            return found
        # Race: another request changes or deletes the row. The calling views run in a transaction.
        return services.lock_instance(instance=found)

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
            # Race: another request saved the same unique value; validating again reports it.
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
        """Redirects to the list with an error: another row referred to the object while it was being deleted."""
        messages.error(request, "Nothing was deleted, because it was used at the same time. Please try again.")
        return HttpResponseRedirect(reverse(admin_urlname(self.opts, "changelist")))  # type: ignore[arg-type]


class SearchSelect(AutocompleteSelect):
    """Django's field with a search; it also shows an invalid form whose value is no id."""

    def optgroups(self, name: str, value: Any, attrs: dict[str, Any] | None = None) -> Any:
        # Django passes the values to the database as they are.
        return super().optgroups(name, [one for one in value if re.fullmatch(POSITIVE_ID, str(one))], attrs)


class SearchFieldsMixin(admin.ModelAdmin):
    """Uses SearchSelect for the fields of `autocomplete_fields`."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = SearchSelect(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ValidSelectionMixin(admin.ModelAdmin):
    """Reports an error if an id selected for an action is invalid; Django would pass it to the database."""

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if all(re.fullmatch(POSITIVE_ID, pk) for pk in selected):
            return super().response_action(request, *args, **kwargs)
        messages.error(request, "The selected items are not in this list.")
        return None


def errors_text(form: Form) -> str:
    """Return the errors of all fields as one text."""
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def conditional_json(request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
    """Return the data as JSON, or status 304 if the client already has it, according to If-None-Match."""
    response = JsonResponse(data)
    set_response_etag(response)
    return cast(HttpResponse, get_conditional_response(request, response["ETag"], response=response))


def counted(number: int, noun: str) -> str:
    """Return the number with its noun: "1 show", "2 shows"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def customer_text(username: str | None, sold_by: object = None, name: str = "") -> str:
    """Return who has a booking. Only staff sell to customers without an account, so other accounts were deleted."""
    if name and not username:
        return f"{name} (no account)"
    return username or ("a customer without an account" if sold_by else "a deleted account")


def customer_of(booking: Booking) -> str:
    """Return who has the booking."""
    name = services.read_names(bookings=[booking]).get((booking.show_id, booking.reference), "")
    return customer_text(str(booking.user or ""), booking.sold_by_id, name)


def orders_text(bookings: Sequence[Booking]) -> str:
    """Return the seats of bookings of one show, by customer and reference: `A1, A2 of esha, ACDEFGHJ; A3 of …`."""
    names = services.read_names(bookings=bookings)
    labels: dict[tuple[str, str], list[str]] = {}
    for booking in bookings:
        name = names.get((booking.show_id, booking.reference), "")
        customer = customer_text(str(booking.user or ""), booking.sold_by_id, name)
        labels.setdefault((customer, booking.reference), []).append(booking.label)
    return "; ".join(f"{', '.join(seats)} of {user}, {reference}" for (user, reference), seats in labels.items())


def limit_notice(show: Show, customer: User, verb: str, seats: Sequence[int] = ()) -> str:
    """Return a sentence if the customer's seats, including these, exceed the seat limit, which doesn't bind staff."""
    exceeded = services.find_exceeded_limit(user=customer, show_id=show.pk, now=timezone.now(), seat_numbers=seats)
    if not exceeded:
        return ""
    return f"{customer} {verb} {exceeded.seats} seats in this show; the limit is {exceeded.limit}."


def carry_out(
    request: HttpRequest, queryset: QuerySet[Any], noun: str, done: str, service: Callable[[Any], Any]
) -> None:
    """Calls `service` for each selected row and reports the number of successes and each refusal."""
    count = 0
    for row in queryset:
        try:
            service(row)
            count += 1
        except services.Refusal as refusal:
            messages.error(request, f"{row}: {refusal.detail}")
    if count:
        messages.success(request, f"{counted(count, noun)} {done}.")
