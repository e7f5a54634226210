"""Reads settings from the environment: what a value may be, and what is said of one that can't be used."""

import os
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from psycopg import IsolationLevel

from booking.addresses import Network, read_proxy

T = TypeVar("T")
# More of anything counted here makes no sense, and lifetimes in days stay within the calendar.
MAX_NUMBER = 1_000_000
# As many as the digest that signs gives.
MIN_KEY_BYTES = 32
# Without TLS; with TLS begun by STARTTLS; with TLS from the start.
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
KEY_WANTED = f"{MIN_KEY_BYTES} bytes or more of random text"


def setting(name: str, read: Callable[[str], T], default: T, wanted: str) -> T:
    """The value of the variable `name`, or `default` where it is unset or empty.

    Raises ImproperlyConfigured with the variable's name where `read` can't make sense of it. The
    value itself is not repeated: it may hold a password.
    """
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return read(raw)
    except (ValueError, LookupError, OSError, ImproperlyConfigured, ValidationError) as error:
        raise ImproperlyConfigured(f"{name} must be {wanted}.") from error


def read_boolean(raw: str) -> bool:
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        raw.lower()
    ]


def read_list(raw: str) -> list[str]:
    return [item.strip() for item in raw.split(",") if item.strip()]


def read_origins(raw: str) -> list[str]:
    origins = read_list(raw)
    if not all(origin.startswith(("http://", "https://")) for origin in origins):
        raise ValueError(raw)
    return origins


def read_positive(raw: str) -> int:
    number = int(raw)
    if not 1 <= number <= MAX_NUMBER:
        raise ValueError(raw)
    return number


def read_count(raw: str) -> int:
    if not raw.isdecimal() or len(raw) > 9:
        raise ValueError(raw)
    return int(raw)


def read_header(raw: str) -> str:
    if not raw.replace("-", "").isalnum():
        raise ValueError(raw)
    return f"HTTP_{raw.upper().replace('-', '_')}"


def read_rate(raw: str) -> tuple[int, int]:
    """How often, in how many seconds."""
    count, _, period = raw.partition("/")
    return read_positive(count), {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[period]


def read_proxies(raw: str) -> list[Network | str]:
    return [read_proxy(item) for item in read_list(raw)]


def read_log_format(raw: str) -> str:
    return {"json": "json", "text": "text"}[raw.lower()]


def read_text(raw: str) -> str:
    # What was no UTF-8 can't be written as such.
    raw.encode()
    return raw


def read_key(raw: str) -> str:
    if len(raw.encode()) < MIN_KEY_BYTES:
        raise ValueError("too short")
    return raw


def read_keys(raw: str) -> list[str]:
    return [read_key(key) for key in read_list(raw)]


def read_reset_url(raw: str) -> str:
    if not (raw.startswith(("http://", "https://")) and "{uid}" in raw and "{token}" in raw):
        raise ValueError("no address, or without a place for what it is to carry")
    return raw


def read_email_server(raw: str) -> dict[str, Any]:
    port = MAIL_PORTS[raw.partition("://")[0]]
    config: dict[str, Any] = environ.Env.email_url_config(raw)
    if not config["EMAIL_HOST"]:
        raise ValueError("no host named")
    return config | {"EMAIL_PORT": config["EMAIL_PORT"] or port}


def read_sender(raw: str) -> str:
    # Alone, or as in: Cinema <tickets@example.com>
    validate_email(parseaddr(raw)[1])
    return raw


def read_database(raw: str) -> dict[str, Any]:
    if not raw.startswith(("sqlite://", "postgres://", "postgresql://")):
        raise ValueError("neither SQLite nor PostgreSQL")
    config: dict[str, Any] = environ.Env.db_url_config(raw)
    if config["NAME"] in ("", ":memory:"):
        raise ValueError("no database named")
    options = config.get("OPTIONS", {})
    if "pool" in options:
        # Of all that an address may say to a server's driver, this alone is Django's, which takes any text for yes.
        options["pool"] = read_boolean(options["pool"])
    return config


def read_time_zone(raw: str) -> str:
    return ZoneInfo(raw).key


def postgresql(config: dict[str, Any], *, pooled: bool | None) -> dict[str, Any]:
    """A PostgreSQL database as Django is to know it, from what its address says."""
    options: dict[str, Any] = {
        "connect_timeout": 3,
        # A peer that vanished without a word is found within some 10 seconds, idle or not.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        # Statements of booking/infrastructure/statements.py are prepared in the server, but not behind a pool in
        # transaction mode: the next transaction may be in another session, which doesn't know them.
        "prepare_threshold": None if pooled else 2,
        # Whatever the server's default: a statement after a lock sees what was committed before the lock was granted.
        "isolation_level": IsolationLevel.READ_COMMITTED,
    }
    options |= config.get("OPTIONS", {})
    return config | {
        "ENGINE": "movieticket.postgresql",
        "OPTIONS": options,
        # True, false, or None to find it out.
        "POOLED": pooled,
        "CONN_HEALTH_CHECKS": True,
        # A pool of ours, where the address asks for one, keeps the connections itself.
        "CONN_MAX_AGE": 0 if options.get("pool") else 60,
        # A cursor in the server would outlive its transaction, and so its connection.
        "DISABLE_SERVER_SIDE_CURSORS": bool(pooled),
    }


def boolean(name: str, default: bool) -> bool:
    return setting(name, read_boolean, default, "true or false")


def positive(name: str, default: int) -> int:
    return setting(name, read_positive, default, f"a whole number from 1 to {MAX_NUMBER}")


def origins(name: str) -> list[str]:
    return setting(name, read_origins, [], "a comma-separated list of origins such as https://example.com")


def rate(name: str, default: str) -> tuple[int, int]:
    return setting(name, read_rate, read_rate(default), "a rate such as 20/hour (second, minute, hour or day)")
