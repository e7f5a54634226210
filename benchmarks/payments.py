"""Orders of one seat that are held and then booked, or held and then paid through the demo provider.

`python -m benchmarks.payments MODE PORT FIRST_SHOW LAST_SHOW FIRST_SEAT ORDERS` makes this number of orders, by CLIENTS
clients at the same time, and prints the orders a second. MODE is "book" or "pay".
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from http.client import HTTPConnection
from time import perf_counter
from typing import Any

import django

CLIENTS = 8
BUSY = 503


class Client:
    """Makes requests of one user, and sends the provider's events."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Any:
        """Makes the request, again while the service is busy, as clients and providers do."""
        status = BUSY
        while status == BUSY:
            self._connection.request("POST", path, body, headers or self._headers)
            response = self._connection.getresponse()
            answer, status = response.read(), response.status
        if status not in (200, 201):
            raise RuntimeError(f"{path} was answered with {status}: {answer!r}")
        return json.loads(answer) if answer else None

    def order(self, mode: str, show: int, seat: int) -> None:
        held = self.post(f"/api/shows/{show}/hold/", json.dumps({"seat_numbers": [seat]}).encode())
        if mode == "book":
            self.post(f"/api/shows/{show}/book/", json.dumps({"seat_number": seat}).encode())
            return
        self._report(self.post(f"/api/orders/{held['reference']}/pay/", b"{}"))

    def _report(self, payment: dict[str, Any]) -> None:
        """Sends the event that the payment was made, as the provider does."""
        from booking.models import Payment
        from booking.services.money.providers.base import EventKind
        from booking.services.money.providers.demo import SIGNATURE, make_event, sign

        paid = Payment(pk=payment["id"], amount=Decimal(payment["amount"]), currency=payment["currency"])
        event = make_event(paid, EventKind.PAID)
        self.post("/api/payments/demo/events/", event, {SIGNATURE: sign(event), "Content-Type": "application/json"})


def order_all(mode: str, port: int, first_show: int, last_show: int, first_seat: int, orders: int) -> float:
    """Return the orders a second."""
    from booking.infrastructure.tokens import AccessToken
    from booking.models import User

    tokens = [str(AccessToken.for_user(user)) for user in User.objects.order_by("pk")[:CLIENTS]]
    shows = last_show - first_show + 1

    def order_some(client: int) -> None:
        of_client = Client(port, tokens[client % len(tokens)])
        for number in range(client, orders, CLIENTS):
            of_client.order(mode, first_show + number % shows, first_seat + number // shows)

    begin = perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(order_some, range(CLIENTS)))
    return orders / (perf_counter() - begin)


if __name__ == "__main__":
    django.setup()
    print(order_all(sys.argv[1], *map(int, sys.argv[2:])))
