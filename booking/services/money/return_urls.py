"""The addresses to which a payment provider may send customers back."""

import re
from urllib.parse import urlsplit

from django.conf import settings

from booking.services.refusals import InvalidInput


def check_return_url(*, url: str, own_origin: str) -> None:
    """Raises InvalidInput unless the address is of this service (`own_origin`) or of PAYMENT_RETURN_ORIGINS."""
    if _origin(url) not in {*settings.PAYMENT_RETURN_ORIGINS, own_origin}:
        raise InvalidInput("return_url", ["This address is not one of PAYMENT_RETURN_ORIGINS."], ["origin"])


def _origin(url: str) -> str:
    """Return the origin of an address, or "" if it has none or contains blanks or other characters than ASCII."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if re.fullmatch("[!-~]+", url) else ""
