"""Customers who book one seat after the other over HTTP, and retry as a correct client does."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Condition, Event
from uuid import uuid4

CUSTOMERS = 6
SHOWS = 3
# Longer than the service lets a request wait for the database.
ANSWER_SECONDS = 15.0
PATIENCE_SECONDS = 120.0
# The interval at which each node's /healthz is requested.
PROBE_SECONDS = 0.5
# The outcome of a request without a response.
NOBODY, BROKEN = "nobody there", "broken off"


def fill():
    """Create shows and customers in a separate process; prints the shows' ids and the customers' tokens."""
    from booking.infrastructure.tokens import AccessToken
    from tests.factories import make_show, make_user

    shows = [make_show(total_seats=5_000, seats_per_row=50).pk for _ in range(SHOWS)]
    tokens = [str(AccessToken.for_user(make_user(password=None))) for _ in range(CUSTOMERS)]
    print(json.dumps([shows, tokens]))


@dataclass(frozen=True)
class Attempt:
    """One request: its key, the number of the attempt with this key, its start and end, and its outcome."""

    key: str
    number: int
    began: float
    ended: float
    outcome: int | str
    booking: tuple[int, int, int] | None

    @property
    def seconds(self):
        return self.ended - self.began


class Crowd:
    """Two customers who request the same seats of each show."""

    def __init__(self, doors, shows, tokens):
        self._doors, self._shows, self._tokens = doors, shows, tokens
        self.attempts = []
        # The seconds of each answer of /healthz.
        self.probes = []
        self._news = Condition()
        self._home_time = Event()

    @contextmanager
    def booking(self):
        with ThreadPoolExecutor(CUSTOMERS + len(self._doors)) as pool:
            customers = [pool.submit(self._book_on, customer) for customer in range(CUSTOMERS)]
            customers += [pool.submit(self._probe, door) for door in self._doors]
            try:
                yield
            finally:
                self._home_time.set()
        for customer in customers:
            customer.result()

    def _probe(self, door):
        """Request a node's /healthz until the end; a dead or frozen node does not respond."""
        while not self._home_time.wait(PROBE_SECONDS):
            began = time.monotonic()
            with closing(HTTPConnection(*door, timeout=ANSWER_SECONDS)) as connection, suppress(OSError, HTTPException):
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                self.probes.append(time.monotonic() - began)

    def _book_on(self, customer):
        doors = self._doors[customer % len(self._doors) :] + self._doors[: customer % len(self._doors)]
        with closing(Client(doors, self._shows[customer % SHOWS], self._tokens[customer])) as client:
            self._book_with(client)

    def _book_with(self, client):
        for seat in count(1):
            key = str(uuid4())
            for number in count(1):
                if self._home_time.is_set():
                    return
                attempt = client.book(seat, key, number)
                with self._news:
                    self.attempts.append(attempt)
                    self._news.notify_all()
                if attempt.outcome in {201, 409}:
                    break
                self._home_time.wait(1 if attempt.outcome == 503 else 0.1)

    def wait_for(self, number, outcome, *, since=0.0):
        """Wait for `number` attempts with this outcome that began at `since` or later."""
        with self._news:
            done = self._news.wait_for(lambda: len(self.begun(since, outcome)) >= number, PATIENCE_SECONDS)
        assert done, f"{self.outcomes()} after {PATIENCE_SECONDS} seconds"

    def begun(self, since, outcome=None):
        """Return the attempts that began at the time or later, all or with this outcome."""
        return [
            attempt
            for attempt in list(self.attempts)
            if attempt.began >= since and (outcome is None or attempt.outcome == outcome)
        ]

    def outcomes(self):
        return Counter(attempt.outcome for attempt in list(self.attempts))

    @property
    def answers(self):
        """Return the statuses of the attempts."""
        return {outcome for outcome in self.outcomes() if isinstance(outcome, int)}

    @property
    def acknowledged(self):
        """Return booking, show and seat of each acknowledged booking."""
        return {attempt.booking for attempt in self.attempts if attempt.booking}

    def pause(self, since):
        """Return the longest time (seconds) since then without an acknowledged booking."""
        times = sorted(attempt.ended for attempt in self.attempts if attempt.booking and attempt.ended >= since)
        return max(later - earlier for earlier, later in zip([since, *times], times, strict=False))

    @property
    def slowest(self):
        """Return the seconds of the slowest response to a booking of any status."""
        return max(attempt.seconds for attempt in self.attempts if isinstance(attempt.outcome, int))

    @property
    def most_attempts(self):
        """Return the highest number of attempts of one request."""
        return max(attempt.number for attempt in self.attempts)


class Client:
    """Sends requests to one node as long as it responds."""

    def __init__(self, doors, show, token):
        self._doors, self._show, self._token = list(doors), show, token
        self._connection = None

    def book(self, seat, key, number):
        began = time.monotonic()
        try:
            outcome, body = self._post(seat, key)
        except ConnectionRefusedError:
            outcome, body = NOBODY, {}
        except (OSError, HTTPException):
            outcome, body = BROKEN, {}
        if not isinstance(outcome, int):
            self._go_next_door()
        booking = (body["id"], body["show"]["id"], body["seat_number"]) if outcome == 201 else None
        return Attempt(key, number, began, time.monotonic(), outcome, booking)

    def _post(self, seat, key):
        if self._connection is None:
            self._connection = HTTPConnection(*self._doors[0], timeout=ANSWER_SECONDS)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", "Idempotency-Key": key}
        self._connection.request("POST", f"/api/shows/{self._show}/book/", json.dumps({"seat_number": seat}), headers)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read() or "{}")

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def _go_next_door(self):
        self.close()
        self._doors.append(self._doors.pop(0))
