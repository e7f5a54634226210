"""A real mail server for the tests, on a socket."""

import asyncio
from contextlib import contextmanager
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller

from tests.service import free_port


class Inbox:
    """Accepts mail; `refuse` has the answers for addresses that it refuses."""

    def __init__(self, refuse=None, seconds=0):
        self.refuse = refuse or {}
        # The responses after the mail was sent.
        self.refuse_data = {}
        # The time until a mail is accepted.
        self.seconds = seconds
        self.messages = []

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):  # noqa: N802 (aiosmtpd's name)
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if refused := self.refuse_data.keys() & {*envelope.rcpt_tos}:
            return self.refuse_data[refused.pop()]
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        await asyncio.sleep(self.seconds)
        return "250 OK"

    @property
    def recipients(self):
        return [message["To"] for message in self.messages]


@contextmanager
def mail_server(inbox):
    """Run a mail server that adds its mail to `inbox`, and yield its port."""
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
