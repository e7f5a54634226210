"""How often somebody may try; the settings named LIMIT_… say it."""

import math
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.db.models.expressions import RawSQL

from booking.models import Tries, User
from booking.prepared import Argument, PreparedInsertSelect, PreparedPair, PreparedQuery
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


# Counts where the account is found, in one trip; nobody uses up the tries of others with a token that is dead.
_count_signed_in = PreparedInsertSelect(
    Tries,
    lambda user, sign_in, seconds, key, counted: (
        Tries(key=counted, number=1, ends_at=RawSQL(f"{NOW} + %s", [seconds])),  # noqa: S611
        User.objects.signed_in(user, sign_in, key),
    ),
    COUNT_ON,
    3,
    texts=2,
)


class Counting(NamedTuple):
    """The statement that counts a try where an account is found, which gives what a Count is made of."""

    query: PreparedQuery
    arguments: Sequence[Argument]
    # Of the row that it writes.
    key: str
    # The number of the last try that is allowed.
    most: int


def counting(limit: str, claims: Claims) -> Counting:
    """How a try of a token's account is counted in the database under one of settings.LIMITS."""
    key, (most, seconds) = _key(limit, str(claims.user_id)), settings.LIMITS[limit]
    return Counting(_count_signed_in, (claims.user_id, claims.sign_in, seconds, claims.key, key), key, most)


class Found(NamedTuple):
    """An account, of which the id alone is read yet."""

    user: User
    # Where the try is one too many, at least 1.
    seconds_to_wait: int | None
    # What was asked besides.
    rows: list[Any]


def find_account_and_count(*, limit: str, claims: Claims) -> Found | None:
    """As `find_account` and `count_try` of that account, in one trip. Raises Busy and Interrupted."""
    count = counting(limit, claims)
    rows = count_by(count.query.text, count.query.parameters(*count.arguments))
    return _found(limit, claims, rows, []) if rows else None


def find_account_count_and_ask(
    query: PreparedQuery, arguments: Sequence[Argument], *, limit: str, claims: Claims
) -> Found | None:
    """The same, with a query that goes along. Raises Busy and Interrupted. Not for SQLite."""
    pair = _paired(query)
    found, rows = pair.results(count_by(pair.text, pair.parameters(counting(limit, claims).arguments, arguments)))
    return _found(limit, claims, found, rows) if found else None


def _found(limit: str, claims: Claims, found: Sequence[Any], rows: list[Any]) -> Found:
    return Found(account_by_id(claims.user_id), seconds_to_wait(limit, Count(*found[0])), rows)


@lru_cache
def _paired(query: PreparedQuery) -> PreparedPair:
    return PreparedPair(_count_signed_in, query, len(Count._fields))


def account_by_id(user_id: int) -> User:
    """The account, whatever else it holds to be read on demand."""
    return User.from_db(DEFAULT_DB_ALIAS, ["id"], [user_id])


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
