"""Django's PostgreSQL backend with a check of its connections that costs nothing.

Before a kept connection serves another request, Django asks the server `SELECT 1`: one of seven round trips of a
booking. A server that ended the connection has closed its socket, and the kernel knows; only then, or where
something else came in unasked, is the server asked. A peer that vanished without a word is found by TCP keepalives.
"""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0) or super().is_usable()
