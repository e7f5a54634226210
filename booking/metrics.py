"""What is counted for operators, in Prometheus's terms; nothing personal in any of it.

Several workers count into files of one folder, PROMETHEUS_MULTIPROC_DIR, and whichever is asked adds them up.
"""

from prometheus_client import Counter, Histogram

REQUESTS = Histogram(
    "http_request_duration_seconds",
    "Requests, by route and status.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SEATS_BOOKED = Counter("seats_booked", "Seats sold, by customers and by staff.")
REFUSALS = Counter("refusals", "Requests to the API that a rule refused, by code.", ["code"])
LOCK_WAITS = Histogram(
    "lock_wait_seconds",
    "How long it took to lock a row and to read what is decided on, the wait for the lock included.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 3),
)
