"""Metrics of the sale of seats, reported by movieticket/probes.py. They contain no personal data."""

from prometheus_client import Counter, Histogram

SEATS_BOOKED = Counter("seats_booked", "Seats sold, by customers and by staff.")
REFUSALS = Counter("refusals", "Requests to the API that a rule refused, by code.", ["code"])
LOCK_WAITS = Histogram(
    "lock_wait_seconds",
    "The time to lock a row and to read the data for the decision, including the wait for the lock.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 3),
)
