"""The example in docs/tickets.md, which verifies tickets without the service."""

import re

import jwt
import pytest
from django.conf import settings

from booking import services
from tests.factories import make_booking


@pytest.fixture
def verify():
    text = (settings.BASE_DIR / "docs" / "tickets.md").read_text()
    [code] = re.findall("```python\n(.*?)```", text, re.DOTALL)
    names = {}
    exec(code, names)
    return names["verify"]


def test_the_documented_code_verifies_a_ticket(verify, anyone, db):
    booking = make_booking(seat_number=5)
    claims = verify(services.sign_ticket(booking=booking), anyone.get("/api/tickets/keys/").json())
    assert claims == {"s": booking.show_id, "b": booking.pk, "n": 5, "v": booking.ticket_serial}


def test_the_documented_code_refuses_another_signature(verify, anyone, db):
    header, payload, _ = services.sign_ticket(booking=make_booking()).split(".")
    *_, other = services.sign_ticket(booking=make_booking()).split(".")
    with pytest.raises(jwt.InvalidSignatureError):
        verify(f"{header}.{payload}.{other}", anyone.get("/api/tickets/keys/").json())
