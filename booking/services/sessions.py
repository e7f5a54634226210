"""What becomes of a sign-in: it goes on by a refresh token, and ends.

All tokens that descend from one sign-in carry its number. A refresh token is good for one use; used a second time, it
is in two hands, of which nobody can tell which is whose, and the sign-in ends for both (RFC 9700, section 4.14.2).
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from booking.models import RevokedSession, User
from booking.models.accounts import new_session_key
from booking.services.transactions import write_transaction


def refresh_session(*, token: Any, session_id: int, now: datetime) -> Any:
    """Uses up a refresh token and returns its successor.

    Used again within REFRESH_GRACE_SECONDS, by another tab or because the response was lost, it has the same successor.
    Later it returns None and revokes the session. `now` is UTC. Raises Busy and Interrupted.
    """
    with write_transaction():
        # Race: two requests with one token; the first entry among the used ones decides.
        used_at, _ = token.use(now)
        if now - used_at <= timedelta(seconds=settings.REFRESH_GRACE_SECONDS):
            return token.successor(used_at)
        _revoke(session_id, now)
    return None


def revoke_session(*, token: Any, session_id: int, now: datetime) -> bool:
    """Ends the sign-in, with all its tokens; says whether this was the refresh token's first use.

    `now` is UTC. Raises Busy and Interrupted.
    """
    with write_transaction():
        _, is_first_use = token.use(now)
        _revoke(session_id, now)
    return bool(is_first_use)


def revoke_all_sessions(*, user: User) -> None:
    """Signs the user out everywhere; every token and session made before is dead. Raises Busy and Interrupted."""
    # A statement by itself would be committed without a word of the replica that doesn't have it.
    with write_transaction():
        User.objects.filter(pk=user.pk).update(session_key=new_session_key())


def _revoke(session_id: int, now: datetime) -> None:
    RevokedSession.objects.get_or_create(number=session_id, defaults={"revoked_at": now})
