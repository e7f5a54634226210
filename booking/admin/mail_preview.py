"""The page that shows what the mails about an order say, as text and as HTML. It sends nothing."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_sameorigin

from booking import services
from booking.admin.common import SearchSelect
from booking.admin.notes import NoteForm
from booking.models import Order, Show

TITLES = {mail: mail.value.replace("_", " ").capitalize() for mail in services.Mail}
# The mail is shown as a mail program shows it: without scripts, in a frame of this origin alone.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)


class MailForm(NoteForm):
    """The mail and the order: one by its reference, else the newest of a show, else the newest of all."""

    mail = forms.TypedChoiceField(
        label="Mail", choices=[(mail.value, title) for mail, title in TITLES.items()], coerce=services.Mail
    )
    reference = forms.CharField(label="Order", required=False, max_length=20)
    show = forms.ModelChoiceField(
        Show.objects.select_related("movie", "screen"),
        label="or the newest of a show",
        required=False,
        widget=SearchSelect(Order._meta.get_field("show"), admin.site),
    )
    field_order = ("mail", "reference", "show", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reference"].widget.attrs = {"placeholder": "Reference", "size": 12}
        self.fields["note"].help_text = ""

    def find_order(self) -> Order | None:
        """Return the chosen order, or None; adds an error if the form has the reference of a missing order."""
        orders = Order.objects.shown_to_staff(timezone.now()).for_mail()
        if reference := self.cleaned_data["reference"].strip().upper():
            orders = orders.filter(reference=reference)
        elif show := self.cleaned_data["show"]:
            orders = orders.filter(show=show)
        found = orders.order_by("-pk").first()
        if found is None and reference:
            self.add_error("reference", "There is no such order.")
        return found


class MailPreviewPage(admin.ModelAdmin):
    def get_urls(self) -> list[Any]:
        page, html = map(self.admin_site.admin_view, (self.mail_view, xframe_options_sameorigin(self.mail_html_view)))
        return [
            path("mail/", page, name="booking_order_mail"),
            path("mail/html/", html, name="booking_order_mail_html"),
            *super().get_urls(),
        ]

    def mail_view(self, request: HttpRequest) -> HttpResponse:
        """Shows the mail's text, and its HTML in a frame."""
        form, order, letter, problem = self._preview(request)
        context = {
            **self.admin_site.each_context(request),
            "title": "Preview mail",
            "opts": self.opts,
            "media": self.media + form.media,
            "form": form,
            "order": order,
            "address": services.address_of(order=order) if order else "",
            "letter": letter,
            "problem": problem,
            "query": request.GET.urlencode() or f"mail={services.Mail.CONFIRMED.value}",
        }
        return TemplateResponse(request, "admin/booking/order/mail.html", context)

    def mail_html_view(self, request: HttpRequest) -> HttpResponse:
        """Return the HTML of the mail alone, which no script of this origin can read or be read by."""
        _, _, letter, _ = self._preview(request)
        if letter is None:
            raise Http404
        return HttpResponse(letter.html, headers={"Content-Security-Policy": MAIL_POLICY})

    def _preview(self, request: HttpRequest) -> tuple[MailForm, Order | None, services.Letter | None, str]:
        """Return the form, the order and the mail, or why there is none. Raises PermissionDenied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = MailForm(request.GET if request.GET else {"mail": services.Mail.CONFIRMED.value})
        if not form.is_valid():
            return form, None, None, ""
        order = form.find_order()
        if order is None:
            return form, None, None, "" if form.errors else "There is no order yet."
        data = form.cleaned_data
        try:
            letter = services.preview_letter(mail=data["mail"], order=order, now=timezone.now(), note=data["note"])
        except services.TemplateBroken as error:
            return form, order, None, str(error)
        unsent = "This mail would not be sent now: no seat of the order is booked, or its show is cancelled."
        return form, order, letter, "" if letter else unsent
