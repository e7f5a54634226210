"""Refreshing and revoking sessions.

A session begins with a sign-in, and all its tokens contain the session's id. A refresh token can be used once. If it is
used again, it may have been stolen, so the session is revoked (RFC 9700, section 4.14.2).
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from booking.models import RevokedSession, User
from booking.models.accounts import new_session_key
from booking.services.transactions import write_transaction


def refresh_session(*, token: Any, session_id: int, now: datetime) -> Any:
    """Marks a refresh token as used and returns its successor.

    Used again within REFRESH_GRACE_SECONDS, by another tab or because the response was lost, it has the same successor.
    Later it returns None and revokes the session. `now` is UTC. Raises Busy and Interrupted.
    """
    with write_transaction():
        # Race: two requests with one token; only one of them inserts the row.
        used_at, is_first_use = token.use(now)
        if is_first_use or now - used_at <= timedelta(seconds=settings.REFRESH_GRACE_SECONDS):
            return token.successor(used_at)
        _revoke(session_id, now)
    return None


def revoke_session(*, token: Any, session_id: int, now: datetime) -> bool:
    """Revokes the session with all its tokens; returns whether this was the refresh token's first use.

    `now` is UTC. Raises Busy and Interrupted.
    """
    with write_transaction():
        _, is_first_use = token.use(now)
        _revoke(session_id, now)
    return bool(is_first_use)


def revoke_all_sessions(*, user: User) -> None:
    """Revokes all sessions and tokens of the user. Raises Busy and Interrupted."""
    # In autocommit mode, a commit that the synchronous replica did not confirm would raise no error.
    with write_transaction():
        User.objects.filter(pk=user.pk).update(session_key=new_session_key())


def _revoke(session_id: int, now: datetime) -> None:
    RevokedSession.objects.get_or_create(number=session_id, defaults={"revoked_at": now})
