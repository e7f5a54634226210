"""How often somebody may try; the settings named LIMIT_… say it."""

import math
from hashlib import sha256
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

from booking.infrastructure.statements import Query, Text
from booking.models import User
from booking.services.counters import COUNT_ON, NOW, Count, count, count_by, is_counting, remember

# For so long an address from which somebody signed in is his, whoever else tries his name from elsewhere.
TRUST_SECONDS = 30 * 24 * 3600


class Claims(NamedTuple):
    """What a token says of its account."""

    user_id: int
    sign_in: int
    key: str


def count_try(*, limit: str, who: str) -> int | None:
    """Counts a try of somebody under one of settings.LIMITS.

    Returns the whole seconds to wait, at least 1, where it is one too many. Raises Busy.
    """
    return seconds_to_wait(limit, count(key=_key(limit, who), seconds=settings.LIMITS[limit][1]))


def _key(limit: str, who: str) -> str:
    return f"{limit}:{_digest(who)}"


def seconds_to_wait(limit: str, tries: Count) -> int | None:
    """The whole seconds, at least 1, where the try is one too many."""
    return None if tries.number <= settings.LIMITS[limit][0] else max(1, math.ceil(tries.seconds_left))


# Counts only where the account is found: a token that is dead uses up none of its user's requests. The condition keeps
# SQLite from reading ON as that of a join.
_count_signed_in = Text(
    """
    INSERT INTO booking_tries (key, number, ends_at)
    SELECT {window}, 1, {now} + {seconds} FROM ({account}) AS account WHERE true {count_on}
    """,
    now=NOW,
    account=Query(lambda p: User.objects.signed_in(p.user_id, p.sign_in, p.key).values_list("pk")),
    count_on=COUNT_ON,
)


class Found(NamedTuple):
    """An account, of which only the id is read yet."""

    user: User
    # At least 1 where the request exceeds the limit.
    seconds_to_wait: int | None


def find_account_and_count(*, limit: str, claims: Claims) -> Found | None:
    """As `find_account` and `count_try` of that account, in one round trip. Raises Busy and Interrupted."""
    key, seconds = _key(limit, str(claims.user_id)), float(settings.LIMITS[limit][1])
    rows = count_by(_count_signed_in.bind(window=key, seconds=seconds, **claims._asdict()), key=key)
    if not rows:
        return None
    user = User.from_db(DEFAULT_DB_ALIAS, ["id"], [claims.user_id])
    return Found(user, seconds_to_wait(limit, Count(*rows[0])))


def count_sign_in(*, username: str, address: str, page: str = "token") -> int | None:
    """Counts a try to sign in, by name and address, by address and by name, as far as the first that says no.

    So nobody who guesses at one name uses up the tries of others at his address. Nor does he lock out the name's
    owner: an address that the owner signed in from is past the limit by name. Returns the seconds to wait, or None.
    Raises Busy.
    """
    pair = _pair(username, address)
    wait = count_try(limit=page, who=pair)
    if wait is None:
        wait = count_try(limit=f"{page}_address", who=address)
    if wait is None and not is_counting(key=_trusted(pair)):
        wait = count_try(limit="token_name", who=_name(username))
    return wait


def count_password_reset(*, email: str, address: str) -> int | None:
    """Counts a request for a new password, by the e-mail address it is sent to and by where it comes from.

    Returns the seconds to wait, or None. Raises Busy.
    """
    wait = count_try(limit="password_reset", who=email.strip().lower())
    return count_try(limit="password_reset_address", who=address) if wait is None else wait


def trust(*, username: str, address: str) -> None:
    """Remembers, anew each time, that the name's owner signs in from this address. Raises Busy."""
    remember(key=_trusted(_pair(username, address)), seconds=TRUST_SECONDS)


def _name(username: str) -> str:
    # Written otherwise, it is the same name, as it is to AccountManager.
    return username.strip().lower()


def _pair(username: str, address: str) -> str:
    return f"{address} {_name(username)}"


def _trusted(pair: str) -> str:
    return f"trusted:{_digest(pair)}"


def _digest(text: str) -> str:
    """What a client sends has no place in a key, and may be no text that a database takes."""
    return sha256(text.encode(errors="replace")).hexdigest()[:32]
