"""A steady load of small requests in parallel threads, and the record of each answer."""

import json
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count, pairwise
from threading import Event, Thread

HEALTHZ, AFFECTED, OTHERS, READS, STAFF = KINDS = (
    "`/healthz`",
    "bookings on the affected show",
    "bookings on others",
    "reads",
    "staff pages",
)
GOOD = {HEALTHZ: 200, AFFECTED: 201, OTHERS: 201, READS: 200, STAFF: 200}
CLIENTS_ON_AFFECTED, CLIENTS_ON_OTHERS = 4, 6
CUSTOMERS = CLIENTS_ON_AFFECTED + CLIENTS_ON_OTHERS
SHOWS = 4
PAUSE_SECONDS = 0.5
# Far longer than any limit: a slower answer is recorded as no answer.
ANSWER_SECONDS = 60.0
NO_ANSWER = "no answer"
STAFF_PAGE = "/admin/booking/booking/"


@dataclass(frozen=True)
class Answer:
    kind: str
    began: float
    ended: float
    outcome: int | str
    # Booking, show and seat of a 201.
    booking: tuple[int, int, int] | None = None
    # Show and seat of a 409 that says the seat is taken.
    taken: tuple[int, int] | None = None

    @property
    def seconds(self):
        return self.ended - self.began

    @property
    def is_good(self):
        return self.outcome == GOOD[self.kind]


@dataclass(frozen=True)
class Names:
    """The objects that `fill` created."""

    shows: list[int]
    tokens: list[str]
    session: str
    counts_table: str


class Load:
    """Clients that send one request after the other, each over a connection of its own.

    Each seat is requested by one customer alone, so a 409 for a seat that nobody has is a false one.
    """

    def __init__(self, port, names, affected_customers):
        self._port, self._names = port, names
        self._affected_customers = affected_customers
        self._seats = {show: count(1) for show in names.shows}
        self.answers = []
        self._is_over = Event()
        self._threads = []

    @contextmanager
    def running(self):
        shows = self._names.shows
        self._start(self._probe, HEALTHZ, "/healthz")
        self._start(self._probe, HEALTHZ, "/healthz")
        for customer in self._affected_customers:
            self._start(self._book_on, AFFECTED, customer, shows[0])
        for number in range(CLIENTS_ON_OTHERS):
            self._start(self._book_on, OTHERS, CLIENTS_ON_AFFECTED + number, shows[1 + number % (SHOWS - 1)])
        self._start(self._probe, READS, "/api/movies/")
        self._start(self._probe, READS, f"/api/shows/{shows[0]}/")
        self._start(self._probe, STAFF, STAFF_PAGE, Cookie=f"sessionid={self._names.session}")
        try:
            yield
        finally:
            self._is_over.set()
            deadline = time.monotonic() + ANSWER_SECONDS + 5
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def burst(self, number, customer):
        """Send this number of bookings of one customer at the same time."""
        for _ in range(number):
            self._start(self.book, AFFECTED, customer, self._names.shows[0])

    def _start(self, target, *arguments, **options):
        thread = Thread(target=target, args=arguments, kwargs=options, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _probe(self, kind, path, **headers):
        while not self._is_over.is_set():
            self.ask(kind, "GET", path, **headers)
            self._is_over.wait(PAUSE_SECONDS)

    def _book_on(self, kind, customer, show):
        """Request the same seat until the response says that it is sold. Every second customer sends a key."""
        while not self._is_over.is_set():
            seat = next(self._seats[show])
            headers = {"Idempotency-Key": f"{show}-{seat}"} if customer % 2 else {}
            answer = self.book(kind, customer, show, seat, **headers)
            while answer.outcome not in {201, 409} and not self._is_over.wait(PAUSE_SECONDS):
                answer = self.book(kind, customer, show, seat, **headers)
            self._is_over.wait(PAUSE_SECONDS)

    def book(self, kind, customer, show, seat=None, **headers):
        seat = seat or next(self._seats[show])
        return self._post(
            kind, customer, f"/api/shows/{show}/book/", {"seat_number": seat}, wanted=(show, seat), **headers
        )

    def hold(self, customer, show, seat, port):
        """Hold a seat at the service on this port."""
        return self._post(AFFECTED, customer, f"/api/shows/{show}/hold/", {"seat_numbers": [seat]}, port=port)

    def _post(self, kind, customer, path, body, *, wanted=None, port=None, **headers):
        headers |= {"Authorization": f"Bearer {self._names.tokens[customer]}", "Content-Type": "application/json"}
        return self.ask(kind, "POST", path, json.dumps(body), wanted=wanted, port=port, **headers)

    def ask(self, kind, method, path, body=None, *, wanted=None, port=None, **headers):
        began = time.monotonic()
        connection = HTTPConnection("127.0.0.1", port or self._port, timeout=ANSWER_SECONDS)
        booking = taken = None
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text, outcome = response.read(), response.status
            if outcome == 201 and wanted:
                booking = (json.loads(text)["id"], *wanted)
            elif outcome == 409:
                taken = wanted
        except (OSError, HTTPException):
            outcome = NO_ANSWER
        finally:
            connection.close()
        answer = Answer(kind, began, time.monotonic(), outcome, booking, taken)
        self.answers.append(answer)
        return answer

    def good(self, kind, since):
        """Return the times of the good responses of this kind since then."""
        return sorted(a.ended for a in list(self.answers) if a.kind == kind and a.is_good and a.ended >= since)


@dataclass(frozen=True)
class Measured:
    """The responses from the start of a fault until some seconds after its end."""

    answers: list[Answer]
    began: float
    ended: float

    @classmethod
    def of(cls, load, began, ended, *, without_in_flight):
        """Return the responses without those of requests in a process that the fault stopped."""
        first = began if without_in_flight else float("-inf")
        return cls([a for a in load.answers if a.ended >= began and a.began >= first], began, ended)

    def slowest(self, kind):
        return max((a.seconds for a in self.answers if a.kind == kind), default=0.0)

    def statuses(self, kind):
        return Counter(a.outcome for a in self.answers if a.kind == kind)

    def good(self, kind):
        return sorted(a.ended for a in self.answers if a.kind == kind and a.is_good)

    def recovery(self, kind):
        """Return the seconds from the fault's end to the first good response."""
        return min((at - self.ended for at in self.good(kind) if at >= self.ended), default=float("inf"))

    def pause(self, kind):
        """Return the longest time (seconds) of the fault without a good response of this kind."""
        times = [self.began, *(at for at in self.good(kind) if at < self.ended), self.ended]
        return max(later - earlier for earlier, later in pairwise(times))
