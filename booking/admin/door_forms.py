"""Forms of the door page."""

import re
from typing import Any

from django import forms

from booking import services
from booking.models import LARGEST_REQUESTED_ID
from booking.paths import REFERENCE

# A reference, and the label of a seat.
TYPED = re.compile(rf"({REFERENCE})(?:[\s,]+(\S{{1,12}}))?", re.IGNORECASE)


class ScanForm(forms.Form):
    """A scanned or typed ticket: the text of a ticket, or a reference and, if it has several seats, the seat's label.

    The cleaned `presented` has the fields of a Scan.
    """

    text = forms.CharField(
        max_length=services.MAX_SCAN_LENGTH, error_messages={"max_length": "This text is too long for a ticket."}
    )
    nonce = forms.RegexField(rf"^{services.NONCE_PATTERN}\Z")
    device = forms.CharField(max_length=50, required=False)
    scanned_at = forms.DateTimeField(required=False, input_formats=["%Y-%m-%dT%H:%M:%S.%f%z"])

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        text = data.get("text", "")
        if typed := TYPED.fullmatch(text):
            data["presented"] = {"reference": typed[1].upper(), "seat_label": (typed[2] or "").upper()}
        else:
            data["presented"] = {"ticket": text}
        return data


class UndoForm(forms.Form):
    booking = forms.IntegerField(min_value=1, max_value=LARGEST_REQUESTED_ID)
    reason = forms.CharField(max_length=200, error_messages={"required": "Enter a reason."})
    nonce = forms.RegexField(rf"^{services.NONCE_PATTERN}\Z")
    device = forms.CharField(max_length=50, required=False)


class PictureForm(forms.Form):
    """A grey picture: one byte a pixel, row by row."""

    width = forms.IntegerField()
    pixels = forms.FileField()

    def clean_pixels(self) -> bytes:
        # The service refuses a picture that is larger than it may be.
        pixels: bytes = self.cleaned_data["pixels"].read(services.MAX_PIXELS + 1)
        return pixels
