"""Settings from environment variables: django-environ with validation.

django-environ accepts any text as a boolean and reads "$NAME" as a reference to another variable. Here an invalid
value stops the start with a message that names the variable, and "$" has no special meaning.
"""

import base64
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import environ
from babel.numbers import get_currency_precision, list_currencies
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from movieticket.addresses import read_proxy

# No setting needs a larger number, and dates computed from a number of days stay valid.
MAX_NUMBER = 1_000_000
# The length of the digest that signs tokens (SHA-256).
MIN_KEY_BYTES = 32
# A private key of Ed25519.
TICKET_KEY_BYTES = 32
BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
# No TLS; STARTTLS; implicit TLS.
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
DATABASES = ("sqlite://", "postgres://", "postgresql://")
HTTP = ("http://", "https://")


@dataclass(frozen=True)
class Cast:
    """Converts the text of a variable to a setting, as the casts of django-environ do, and validates it."""

    wanted: str
    read: Callable[[str], Any] = str
    is_valid: Callable[[Any], Any] = lambda _: True

    def __call__(self, value: str) -> Any:
        setting = self.read(value)
        if not self.is_valid(setting):
            raise ValueError(self.wanted)
        return setting


class Env(environ.Env):
    """Reads variables with env.bool, env.list and env(). An unset or empty variable has the default value."""

    def get_value(self, var: str, cast: Any = None, default: Any = None, parse_default: bool = False) -> Any:
        """Raises ImproperlyConfigured. The message leaves out the value, which may contain a password."""
        value = os.environ.get(var, "").strip() or default
        if not value or not isinstance(value, str):
            return value
        if isinstance(cast, list):
            cast = _list_of(*cast)
        elif cast is bool:
            cast = boolean
        try:
            return cast(value)
        except (ValueError, ArithmeticError, LookupError, OSError, ImproperlyConfigured, ValidationError) as error:
            raise ImproperlyConfigured(f"{var} must be {cast.wanted}.") from error


def _list_of(cast: Cast) -> Cast:
    def read(value: str) -> list[Any]:
        return [cast(item.strip()) for item in value.split(",") if item.strip()]

    return Cast(f"a comma-separated list, each {cast.wanted}", read)


def _read_header(value: str) -> str:
    """Return the header's key in the WSGI environ."""
    if not value.replace("-", "").isalnum():
        raise ValueError(value)
    return f"HTTP_{value.upper().replace('-', '_')}"


def _read_ticket_key(value: str) -> bytes:
    """Return the bytes of base64 in either alphabet, with or without its padding."""
    text = value.translate(str.maketrans("+/", "-_")).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _read_sender(value: str) -> str:
    # The address alone, or with a name: Cinema <tickets@example.com>
    validate_email(parseaddr(value)[1])
    return value


def _decimals(currency: str) -> int:
    """Raises LookupError for an unknown currency."""
    if currency not in list_currencies():
        raise LookupError(currency)
    return int(get_currency_precision(currency))


def _read_rate(value: str) -> tuple[int, int]:
    """Return the number of requests and the period in seconds."""
    count, _, period = value.partition("/")
    return positive(count), PERIODS[period]


def _read_mail_server(value: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.email_url_config(value)
    return config | {"EMAIL_PORT": config["EMAIL_PORT"] or MAIL_PORTS[value.partition("://")[0]]}


def _read_database(value: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(value) if value.startswith(DATABASES) else {"NAME": ""}
    options = config.get("OPTIONS", {})
    if "pool" in options:
        # Django reads this option itself and accepts any non-empty text as true; the driver reads the others.
        options["pool"] = boolean(str(options["pool"]))
    return config


# Text that is not UTF-8 in the environment can't be encoded.
text = Cast("text", is_valid=str.encode)
boolean = Cast("true or false", lambda value: BOOLEANS[value.lower()])
positive = Cast(f"a whole number from 1 to {MAX_NUMBER}", int, lambda number: 1 <= number <= MAX_NUMBER)
minutes = Cast("a whole number of minutes", int, lambda number: 0 <= number <= MAX_NUMBER)
percent = Cast("a number from 0 to 100", Decimal, lambda number: 0 <= number <= 100)
seconds = Cast("a whole number of seconds", int, lambda number: 0 <= number < 10**9)
rate = Cast("a rate such as 20/hour (second, minute, hour or day)", _read_rate)
key = Cast(f"{MIN_KEY_BYTES} bytes or more of random text", is_valid=lambda value: len(value.encode()) >= MIN_KEY_BYTES)
stripe_key = Cast(
    "a secret key of Stripe, which begins with sk_ or rk_", is_valid=lambda value: re.fullmatch("[rs]k_[!-~]+", value)
)
stripe_webhook_secret = Cast(
    "a signing secret of Stripe, which begins with whsec_", is_valid=lambda value: re.fullmatch("whsec_[!-~]+", value)
)
ticket_key = Cast(
    f"{TICKET_KEY_BYTES} random bytes in base64", _read_ticket_key, lambda value: len(value) == TICKET_KEY_BYTES
)
host = Cast("a host such as tickets.example.com")
origin = Cast("an origin such as https://example.com", is_valid=lambda value: value.startswith(HTTP))
prefix = Cast(
    "a path such as /tickets, without a slash at its end",
    is_valid=lambda value: re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", value),
)
proxy = Cast("an address, a network such as 10.0.0.0/8, or unix", read_proxy)
header = Cast("a header's name such as X-Forwarded-Proto", _read_header)
log_format = Cast("json or text", str.lower, lambda value: value in ("json", "text"))
time_zone = Cast("the name of a time zone such as Europe/London", lambda value: ZoneInfo(value).key)
currency = Cast(
    "the code of a currency with at most 3 decimals, such as EUR", str.upper, lambda code: 0 <= _decimals(code) <= 3
)
sender = Cast("an e-mail address", _read_sender)
folder = Cast("an existing folder", is_valid=lambda value: Path(value).is_dir())
reset_url = Cast(
    "an address such as https://example.com/reset?uid={uid}&token={token}",
    is_valid=lambda value: value.startswith(HTTP) and "{uid}" in value and "{token}" in value,
)
mail_server = Cast(
    "an address such as smtp+tls://user:password@host:587", _read_mail_server, lambda config: config["EMAIL_HOST"]
)
database = Cast(
    "an address such as postgres://user:password@host:5432/name or sqlite:////path/to/file",
    _read_database,
    lambda config: config["NAME"] not in ("", ":memory:"),
)
