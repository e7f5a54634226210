"""Signed links in mail: a person who has one has read the mail about the order."""

from typing import Any

from django.core import signing

from booking.models import Order
from booking.services.refusals import NotFound, first_or_not_found

_SALT = "booking.services.mail.links"
# A link to pay does not allow cancelling.
_PAY_SALT = "booking.services.mail.links.pay"


def sign_order(order: Order) -> str:
    """Return the token of the links to keep and to cancel the seats of this order."""
    return _sign(order, _SALT)


def sign_order_to_pay(order: Order) -> str:
    """Return the token of the link to pay for this order."""
    return _sign(order, _PAY_SALT)


def _sign(order: Order, salt: str) -> str:
    return signing.dumps([order.show_id, order.reference], salt=salt)


def find_mailed_order(*, token: str) -> Order:
    """Return the order of a link to keep or cancel seats, with show, movie and screen loaded. Raises NotFound."""
    return _find(token, _SALT)


def find_mailed_order_to_pay(*, token: str) -> Order:
    """Return the order of a link to pay, with show, movie and screen loaded. Raises NotFound."""
    return _find(token, _PAY_SALT)


def _find(token: str, salt: str) -> Order:
    try:
        show_id, reference = _read(token, salt)
    except signing.BadSignature:
        raise NotFound from None
    orders = Order.objects.filter(show=show_id, reference=reference).select_related("show__movie", "show__screen")
    return first_or_not_found(orders)


def _read(token: str, salt: str) -> Any:
    return signing.loads(token, salt=salt)
