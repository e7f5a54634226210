"""make bench-reports: measures the staff's pages with 1,000,000 stored bookings.

python -m benchmarks.reports [--tiny]        fills a new database and measures
python -m benchmarks.reports measure SAMPLES measures the configured database
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from time import perf_counter

import django
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.run import TINY, loaded

BOOKINGS, SAMPLES = 1_000_000, 15
TINY_BOOKINGS, TINY_SAMPLES = 1_000, 2
# A minimum of the data for the API's benchmark.
SMALL = replace(TINY, shows=1, users=500)

REPORTS = "/admin/booking/booking/reports/"


def milliseconds(function: Callable[[], object], samples: int) -> float:
    """Return the fastest run after a first one, because other load on the machine only adds time."""
    function()
    taken = []
    for _ in range(samples):
        begin = perf_counter()
        function()
        taken.append((perf_counter() - begin) * 1000)
    return min(taken)


def explain() -> str:
    """Return the plan of the slowest query, which counts the bookings of a year's report."""
    from booking import services

    today = timezone.localdate()
    with CaptureQueriesContext(connection) as queries:
        services.read_report(first_day=today - timedelta(days=365), last_day=today)
    counting = next(query["sql"] for query in queries if "GROUP BY" in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {counting}")
        return "\n".join(row[0] for row in cursor.fetchall())


def measure(samples: int) -> None:
    from django.test import Client

    from booking import services
    from booking.models import Booking, Show, User

    boss, _ = User.objects.get_or_create(username="boss", is_staff=True, is_superuser=True)
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(boss)
    today = timezone.localdate()
    print(f"{Booking.objects.count():,} bookings of {Show.objects.count():,} shows\n")
    print("| page | whole request | service only |\n|---|---|---|")

    def report(path: str, first_day: date) -> str:
        address = f"{path}?first_day={first_day}&last_day={today}"
        return row(address, lambda: services.read_report(first_day=first_day, last_day=today))

    def row(path: str, read: Callable[[], object]) -> str:
        def ask() -> None:
            if client.get(path).status_code != 200:
                raise RuntimeError(path)

        return f"{milliseconds(ask, samples):.0f} ms | {milliseconds(read, samples):.0f} ms |"

    month, year = today - timedelta(days=30), today - timedelta(days=365)
    print(f"| a month's report | {report(REPORTS, month)}")
    print(f"| a year's report | {report(REPORTS, year)}")
    print(f"| a year's shows as CSV | {report(f'{REPORTS}shows.csv', year)}")
    now = timezone.now()
    print(
        f"| the front page | {row('/admin/', lambda: (services.read_programme(now=now), services.read_sales(now=now)))}"
    )
    print(f"| a day's plan | {row('/admin/booking/show/plan/', lambda: services.read_day(day=today))}")
    print(f"\n{explain()}")


def main() -> None:
    tiny = sys.argv[1:] == ["--tiny"]
    with loaded(SMALL) as bench:
        bench.python("benchmarks.data", "year", TINY_BOOKINGS if tiny else BOOKINGS)
        print(bench.python("benchmarks.reports", "measure", TINY_SAMPLES if tiny else SAMPLES))


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        django.setup()
        measure(int(sys.argv[2]))
    else:
        main()
