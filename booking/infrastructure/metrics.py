"""The counters of the sale of seats, for movieticket/probes.py to report; nothing personal in any of them."""

from prometheus_client import Counter, Histogram

SEATS_BOOKED = Counter("seats_booked", "Seats sold, by customers and by staff.")
REFUSALS = Counter("refusals", "Requests to the API that a rule refused, by code.", ["code"])
LOCK_WAITS = Histogram(
    "lock_wait_seconds",
    "How long it took to lock a row and to read what is decided on, the wait for the lock included.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 3),
)
