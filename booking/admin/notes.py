"""The sentence that staff add to mail about a change, and how many customers get that mail."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest

from booking import services
from booking.admin.common import counted
from booking.models import BookingQuerySet

MAX_NOTE = 500


class NoteForm(forms.Form):
    note = forms.CharField(
        label="Sentence for the mail",
        max_length=MAX_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Optional: for example why, or what you offer instead.",
    )


def note_of(request: HttpRequest) -> str:
    """Return the sentence in the request, or nothing if there is none that is valid."""
    form = NoteForm(request.POST)
    return str(form.cleaned_data["note"]) if form.is_valid() else ""


def has_valid_note(request: HttpRequest) -> bool:
    return NoteForm(request.POST).is_valid()


def reach_text(reach: services.Reach) -> str:
    """Return how many customers will get mail, or an empty string if there are none."""
    if not (reach.reached or reach.unreached):
        return ""
    if not settings.SENDS_MAIL:
        return "No customer will be told, because this service sends no mail."
    reached = f"The customer{'s' * (reach.reached != 1)} of {counted(reach.reached, 'order')} will be told by e-mail."
    if not reach.unreached:
        return reached
    have = f"{counted(reach.unreached, 'order')} {'has' if reach.unreached == 1 else 'have'} no e-mail address"
    return f"{reached} {have}." if reach.reached else f"No customer will be told: {have}."


def note_context(request: HttpRequest, bookings: BookingQuerySet) -> dict[str, Any]:
    """Return the context of admin/booking/note.html for a change of these bookings."""
    reach = services.count_reachable(bookings=bookings)
    form = NoteForm(request.POST if "note" in request.POST else None)
    return {"reach": reach_text(reach), "note_form": form if reach.reached else None}
