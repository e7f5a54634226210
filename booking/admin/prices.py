"""The admin of price lists."""

from copy import copy
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from booking import services
from booking.admin.common import RefusalFormMixin
from booking.admin.price_changes import PriceChangePage
from booking.admin.price_forms import form_with_prices, name_of
from booking.models import PriceList, SeatCategory, TicketType


@admin.register(PriceList)
class PriceListAdmin(RefusalFormMixin, PriceChangePage):
    """A grid of prices; once a show uses a list, its prices are changed by a new version."""

    list_display = ("name", "version", "shows")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceList]:
        return PriceList.objects.annotate(number_of_shows=Count("shows"))

    @admin.display(description="shows", ordering="number_of_shows")
    def shows(self, price_list: Any) -> int:
        return int(price_list.number_of_shows)

    def get_form(self, request: HttpRequest, obj: PriceList | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, form=form_with_prices(), **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: PriceList | None = None) -> Any:
        types = TicketType.objects.filter(is_active=True)
        rows = [
            (category.name, {"fields": [tuple(name_of(category, ticket_type) for ticket_type in types)]})
            for category in SeatCategory.objects.all()
            if types
        ]
        return [(None, {"fields": ["name"]}), *rows]

    def has_change_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_used())

    def has_delete_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_used())

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: PriceList | None = None,
    ) -> HttpResponse:
        if not TicketType.objects.filter(is_active=True).exists():
            messages.warning(request, "Add a ticket type first, such as Adult.")
        if obj and self.has_change_permission(request, obj) and services.was_sold_at(price_list=obj):
            messages.warning(request, "Seats were sold at its prices, so this version stays: saving makes a new one.")
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(self, request: HttpRequest, obj: PriceList, form: Any, change: bool) -> None:
        data = form.cleaned_data
        saved = services.save_price_list(
            name=data["name"], amounts=data["amounts"], price_list_id=obj.pk if change else None
        )
        obj.pk, obj.version = saved.pk, saved.version

    def response_change(self, request: HttpRequest, obj: PriceList) -> HttpResponse:
        """Leads to the page of the list under its new id, because saving replaces the row."""
        # Django leads to the path of the request.
        answered = copy(request)
        answered.path = reverse("admin:booking_pricelist_change", args=[obj.pk])
        return super().response_change(answered, obj)
