"""What becomes of a sign-in: it goes on by a refresh token, and ends.

All tokens that descend from one sign-in carry its number. A refresh token is good for one use; used a second time, it
is in two hands, of which nobody can tell which is whose, and the sign-in ends for both (RFC 9700, section 4.14.2).
"""

from datetime import datetime
from typing import Any

from booking.models import RevokedSession, User
from booking.models.accounts import new_session_key
from booking.services.transactions import write_transaction


def refresh_session(*, token: Any, user: User, session_id: int, now: datetime) -> Any:
    """Uses up a refresh token of `user` and returns its successor; None, and the sign-in ends, if it was used before.

    `now` is UTC. Raises Busy and Interrupted.
    """
    with write_transaction():
        # Race: two requests with one token; one entry among the used ones decides.
        _, first_use = token.blacklist()
        if first_use:
            return type(token).for_user(user, session_id)
        _revoke(session_id, now)
    return None


def revoke_session(*, token: Any, session_id: int, now: datetime) -> bool:
    """Ends the sign-in, with all its tokens; says whether this was the refresh token's first use.

    `now` is UTC. Raises Busy and Interrupted.
    """
    with write_transaction():
        _, first_use = token.blacklist()
        _revoke(session_id, now)
    return bool(first_use)


def revoke_all_sessions(*, user: User) -> None:
    """Signs the user out everywhere; every token and session made before is dead. Raises Busy and Interrupted."""
    # A statement by itself would be committed without a word of the replica that doesn't have it.
    with write_transaction():
        User.objects.filter(pk=user.pk).update(session_key=new_session_key())


def _revoke(session_id: int, now: datetime) -> None:
    RevokedSession.objects.get_or_create(number=session_id, defaults={"revoked_at": now})
