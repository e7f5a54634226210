"""Rate limits; the settings named LIMIT_… configure them."""

import math
from hashlib import sha256
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

from booking.infrastructure.statements import Query, Text
from booking.models import User
from booking.services.accounts.counters import COUNT_ON, NOW, Count, count, count_with, is_window_open, start_window

# After a sign-in, the address is exempt from the limit by username for this time.
TRUST_SECONDS = 30 * 24 * 3600


class Claims(NamedTuple):
    """The claims of a token that identify its account and session."""

    user_id: int
    session_id: int
    key: str


class LimitState(NamedTuple):
    """A limit, the number of attempts in its window, including this one, and the whole seconds until it ends."""

    limit: int
    attempts: int
    # At least 1.
    seconds_left: int

    @property
    def is_exceeded(self) -> bool:
        return self.attempts > self.limit

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.attempts)

    @property
    def seconds_to_wait(self) -> int | None:
        return self.seconds_left if self.is_exceeded else None


def count_attempt(*, limit: str, key: str) -> LimitState:
    """Counts an attempt under one of settings.LIMITS; `key` is for example an address or a user's id. Raises Busy."""
    return _state(limit, count(key=_window(limit, key), seconds=settings.LIMITS[limit][1]))


def _window(limit: str, key: str) -> str:
    return f"{limit}:{_digest(key)}"


def _state(limit: str, attempts: Count) -> LimitState:
    return LimitState(settings.LIMITS[limit][0], attempts.number, max(1, math.ceil(attempts.seconds_left)))


def _strictest(states: list[LimitState]) -> LimitState:
    """Return the state with the fewest attempts left, and of equal ones that with the longest wait."""
    return min(states, key=lambda state: (state.limit - state.attempts, -state.seconds_left))


# Counts only if the account is found, so that an invalid token does not use up the user's limit. WHERE is needed by
# SQLite, which would otherwise parse ON as part of a join.
_count_signed_in = Text(
    """
    INSERT INTO booking_ratelimitwindow AS counted (key, number, ends_at)
    SELECT {window}, 1, {now} + {seconds} FROM ({account}) AS account WHERE true {count_on},
      (SELECT email FROM booking_user WHERE id = {user_id})
    """,
    now=NOW,
    account=Query(lambda p: User.objects.signed_in(p.user_id, p.session_id, p.key).values_list("pk")),
    count_on=COUNT_ON,
)


class Found(NamedTuple):
    """A user with only the fields that a sale reads loaded, and the state of the rate limit."""

    user: User
    limit_state: LimitState


def find_account_and_count(*, limit: str, claims: Claims) -> Found | None:
    """Combines `find_account` and `count_attempt` in one round trip. Raises Busy and Interrupted."""
    key, seconds = _window(limit, str(claims.user_id)), float(settings.LIMITS[limit][1])
    rows = count_with(_count_signed_in.bind(window=key, seconds=seconds, **claims._asdict()), key=key)
    if not rows:
        return None
    [[number, seconds_left, email]] = rows
    # The statement finds active users only.
    user = User.from_db(DEFAULT_DB_ALIAS, ["id", "email", "is_active"], [claims.user_id, email, True])
    return Found(user, _state(limit, Count(number, seconds_left)))


def count_sign_in(*, username: str, address: str, page: str = "token") -> LimitState:
    """Counts a sign-in attempt by username and address, by address, and by username, until a limit is exceeded.

    So guessing one user's password does not use up the attempts of others at the same address. It does not lock out the
    user either: addresses from which the user has signed in are exempt from the limit by username. Returns the
    strictest of the states. Raises Busy.
    """
    pair = _pair(username, address)
    states = [count_attempt(limit=page, key=pair)]
    if not states[-1].is_exceeded:
        states.append(count_attempt(limit=f"{page}_address", key=address))
    if not states[-1].is_exceeded and not is_window_open(key=_trusted(pair)):
        states.append(count_attempt(limit="token_name", key=_name(username)))
    return _strictest(states)


def count_password_reset(*, email: str, address: str) -> LimitState:
    """Counts a request for a new password by e-mail address and by client address.

    Returns the stricter of the states. Raises Busy.
    """
    states = [count_attempt(limit="password_reset", key=email.strip().lower())]
    if not states[-1].is_exceeded:
        states.append(count_attempt(limit="password_reset_address", key=address))
    return _strictest(states)


def trust_address(*, username: str, address: str) -> None:
    """Records that the user has signed in from this address, for TRUST_SECONDS from now. Raises Busy."""
    start_window(key=_trusted(_pair(username, address)), seconds=TRUST_SECONDS)


def _name(username: str) -> str:
    # Usernames are compared without case, as in AccountManager.
    return username.strip().lower()


def _pair(username: str, address: str) -> str:
    return f"{address} {_name(username)}"


def _trusted(pair: str) -> str:
    return f"trusted:{_digest(pair)}"


def _digest(text: str) -> str:
    """Return a hash: text from clients may be personal, or contain characters that the database rejects."""
    return sha256(text.encode(errors="replace")).hexdigest()[:32]
