"""Scans at the doors of one show.

`python -m benchmarks.door PEOPLE` stores a show that is about to start, with this number of booked seats, and prints
its id, a token of a member of staff, and the tickets of the seats.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection
from time import perf_counter

import django

DOORS = 4


def prepare(people: int) -> None:
    from django.contrib.auth.models import Group
    from django.utils import timezone

    from booking.infrastructure.tokens import AccessToken
    from booking.models import Booking, Show, User
    from booking.services.door.tickets import sign_ticket

    now = timezone.now()
    show = Show.objects.filter(total_seats__gte=people).first()
    assert show is not None
    starts_at = now + timedelta(minutes=20)
    show.pk, show.starts_at, show.ends_at, show.price_list = None, starts_at, starts_at + timedelta(hours=2), None
    show.save(force_insert=True)
    seats = range(1, people + 1)
    bookings = Booking.objects.bulk_create(Booking(show=show, seat_number=seat, created_at=now) for seat in seats)
    staff, _ = User.objects.get_or_create(username="door", is_staff=True)
    staff.groups.add(Group.objects.get(name="Door"))
    print(show.pk, AccessToken.for_user(staff), *(sign_ticket(booking=booking) for booking in bookings))


def scan_all(port: int, output: str) -> tuple[float, float]:
    """Admits the tickets at DOORS doors at the same time; return the scans a second and the 99th percentile in ms."""
    show, token, *tickets = output.split()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def scan_at(door: int) -> list[float]:
        connection, times = HTTPConnection("127.0.0.1", port), []
        for number, ticket in enumerate(tickets[door::DOORS]):
            body = json.dumps({"ticket": ticket, "nonce": f"{door}-{number}", "device": f"door {door}"})
            begin, status = perf_counter(), 503
            # A device sends a scan again while the service is busy; the nonce makes that safe.
            while status == 503:
                connection.request("POST", f"/api/shows/{show}/check-ins/", body, headers)
                response = connection.getresponse()
                status, answer = response.status, response.read()
            times.append((perf_counter() - begin) * 1000)
            if status != 201:
                raise RuntimeError(f"A scan was answered with {status}: {answer!r}")
        return times

    begin = perf_counter()
    with ThreadPoolExecutor(DOORS) as pool:
        times = sorted(time for of_door in pool.map(scan_at, range(DOORS)) for time in of_door)
    return len(times) / (perf_counter() - begin), times[len(times) * 99 // 100]


if __name__ == "__main__":
    django.setup()
    prepare(int(sys.argv[1]))
