"""Tickets: signed texts that a door verifies without the database, and the links to their pages.

A ticket is a JWS (RFC 7515) with an Ed25519 signature over the show, the booking, its seat and its serial. Each move,
cancellation and reissue raises the booking's serial, so that earlier tickets and links are not valid any more.
"""

import re
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from booking.models import LARGEST_ID, POSITIVE_ID, Booking
from booking.services.refusals import NotFound, Refusal

ALGORITHM = "EdDSA"
# Short names, because the ticket has to fit into a small QR code.
CLAIMS = ("s", "b", "n", "v")
# Longer texts are no tickets and are not parsed.
MAX_TICKET_LENGTH = 500
KEY_ID_LENGTH = 6
# The id of a show and of a booking, and the serial, in a link.
LINK = re.compile(f"({POSITIVE_ID})-({POSITIVE_ID})-([1-9][0-9]{{0,9}})")
# The address at which `make run` serves.
LOCAL_HOST = "http://127.0.0.1:8000"


class TicketInvalid(Refusal):
    """The text is no ticket of this cinema."""

    code = "ticket_invalid"
    example = {"detail": "This is not a ticket of this cinema."}


class TicketClaims(NamedTuple):
    """The content of a ticket."""

    show_id: int
    booking_id: int
    seat_number: int
    serial: int


class SigningKey(NamedTuple):
    """A key pair with the id that tickets name it by."""

    key_id: str
    private: Ed25519PrivateKey
    public: bytes


@cache
def _signing_key(secret: bytes) -> SigningKey:
    private = Ed25519PrivateKey.from_private_bytes(secret)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return SigningKey(_encode(sha256(public).digest())[:KEY_ID_LENGTH], private, public)


def _encode(data: bytes) -> str:
    """Return the data in base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def _keys() -> list[SigningKey]:
    """Return all keys; the first one signs."""
    return [_signing_key(secret) for secret in settings.TICKET_SIGNING_KEYS]


def public_keys() -> list[dict[str, str]]:
    """Return the public keys as members of a JSON Web Key Set (RFC 7517, RFC 8037)."""
    shared = {"kty": "OKP", "crv": "Ed25519", "alg": ALGORITHM, "use": "sig"}
    return [{**shared, "kid": key.key_id, "x": _encode(key.public)} for key in _keys()]


def sign_ticket(*, booking: Booking) -> str:
    """Return the text of the booking's ticket, which its QR code contains."""
    values = (booking.show_id, booking.pk, booking.seat_number, booking.ticket_serial)
    key = _keys()[0]
    # An empty `typ` leaves it out.
    headers = {"kid": key.key_id, "typ": ""}
    return jwt.encode(dict(zip(CLAIMS, values, strict=True)), key.private, ALGORITHM, headers)


def read_ticket(token: str) -> TicketClaims:
    """Return the content of a ticket with a valid signature; the booking may have changed. Raises TicketInvalid."""
    text = token.strip()
    if len(text) > MAX_TICKET_LENGTH or not text.isascii():
        raise TicketInvalid
    known = {key.key_id: key for key in _keys()}
    try:
        key = known[jwt.get_unverified_header(text)["kid"]]
        claims: dict[str, Any] = jwt.decode(text, key.private.public_key(), [ALGORITHM])
        return TicketClaims(*(_positive(claims[name]) for name in CLAIMS))
    except (jwt.PyJWTError, LookupError, TypeError) as error:
        raise TicketInvalid from error


def _positive(value: Any) -> int:
    if type(value) is not int or not 0 < value <= LARGEST_ID:
        raise TypeError(value)
    return value


# --- Links ------------------------------------------------------------------------------------


def _link_signer() -> Signer:
    # With the keys of tickets, so that links outlive a change of SECRET_KEY too.
    keys: list[str | bytes] = [_encode(secret) for secret in settings.TICKET_SIGNING_KEYS]
    return Signer(key=keys[0], fallback_keys=keys[1:], sep=".", salt="booking.ticket_link")


def ticket_path(*, booking: Booking) -> str:
    """Return the path of the page of the booking's ticket, which nobody can guess."""
    link = _link_signer().sign(f"{booking.show_id}-{booking.pk}-{booking.ticket_serial}")
    return reverse("ticket", args=[link])


def ticket_url(*, booking: Booking, host: str = "") -> str:
    """Return the address of the page of the booking's ticket.

    `host` is the origin of the request, which is used where PUBLIC_URL is not set, as in local development.
    """
    return f"{settings.PUBLIC_URL or host or LOCAL_HOST}{ticket_path(booking=booking)}"


def read_link(token: str) -> tuple[int, int, int]:
    """Return the show, the booking and the serial of a link. Raises NotFound."""
    try:
        match = LINK.fullmatch(_link_signer().unsign(token))
    except BadSignature:
        match = None
    if match is None:
        raise NotFound
    show_id, booking_id, serial = map(int, match.groups())
    return show_id, booking_id, serial
