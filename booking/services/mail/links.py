"""Signed links in mail: a person who has one has read the mail about the order."""

from typing import Any

from django.core import signing

from booking.models import Order
from booking.services.refusals import NotFound

_SALT = "booking.services.mail.links"


def sign_order(order: Order) -> str:
    """Return the token of the links to pages about this order."""
    return signing.dumps([order.show_id, order.reference], salt=_SALT)


def find_mailed_order(*, token: str) -> Order:
    """Return the order of a link, with its show, movie and screen loaded. Raises NotFound."""
    try:
        show_id, reference = _read(token)
    except signing.BadSignature:
        raise NotFound from None
    order = Order.objects.filter(show=show_id, reference=reference).select_related("show__movie", "show__screen")
    if found := order.first():
        return found
    raise NotFound


def _read(token: str) -> Any:
    return signing.loads(token, salt=_SALT)
