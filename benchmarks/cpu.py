"""Measures requests without a server between.

python -m benchmarks.cpu compare SAMPLES       prints the CPU milliseconds of a booking and of the bare view
python -m benchmarks.cpu signin SAMPLES        prints the CPU milliseconds of a sign-in and of the password's hash
python -m benchmarks.cpu choose SAMPLES        prints the CPU milliseconds of choosing seats where it takes longest
python -m benchmarks.cpu profile SAMPLES FILE  writes a profile of the bookings
"""

import cProfile
import io
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from statistics import median
from time import process_time
from typing import Any

import django
from django.core.wsgi import get_wsgi_application

from benchmarks.data import SEATS

BATCHES = 9


def client() -> Callable[[str, str, bytes, str, str], None]:
    """Return a function that makes a request and checks the status of the response."""
    application: Any = get_wsgi_application()

    def ask(method: str, path: str, body: bytes, token: str, status: str) -> None:
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
        }
        statuses: list[str] = []
        response = application(environ, lambda line, _headers: statuses.append(line))
        b"".join(response)
        response.close()
        if not statuses[0].startswith(status):
            raise RuntimeError(f"{path} returned {statuses[0]}")

    return ask


def requests() -> tuple[Callable[[], None], Callable[[], None]]:
    """Return a function that books another seat on each call, and one that requests the bare view."""
    from booking.infrastructure.tokens import AccessToken
    from booking.models import Show, User

    ask = client()
    tokens = [str(AccessToken.for_user(user)) for user in User.objects.order_by("pk")[:500]]
    shows = list(Show.objects.filter(total_seats__gt=1000).order_by("pk").values_list("pk", flat=True))
    # From the last seat downwards, where no other measurement books.
    numbers: Iterator[int] = count()

    def book() -> None:
        number = next(numbers)
        seat = SEATS - number // len(shows)
        body = json.dumps({"seat_number": seat}).encode()
        ask("POST", f"/api/shows/{shows[number % len(shows)]}/book/", body, tokens[number * 7 % len(tokens)], "201")

    def bare() -> None:
        ask("GET", "/bare/", b"", tokens[0], "200")

    return book, bare


def milliseconds(function: Callable[[], object], times: int) -> float:
    begin = process_time()
    for _ in range(times):
        function()
    return (process_time() - begin) / times * 1000


def compare(samples: int) -> None:
    book, bare = requests()
    for function in (book, bare):
        milliseconds(function, samples)
    pairs = [(milliseconds(book, samples), milliseconds(bare, samples)) for _ in range(BATCHES)]
    print(*(median(column) for column in zip(*pairs, strict=True)))


def sign_in(samples: int) -> None:
    from django.contrib.auth.hashers import make_password

    from booking.models import User

    User.objects.update_or_create(username="signer", defaults={"password": make_password("red-velvet-seats")})
    ask, body = client(), b'{"username": "signer", "password": "red-velvet-seats"}'
    functions: list[Callable[[], object]] = [
        partial(ask, "POST", "/api/token/", body, "", "200"),
        partial(make_password, "red-velvet-seats"),
    ]
    rounds = [[milliseconds(function, samples) for function in functions] for _ in range(BATCHES)]
    print(*(median(column) for column in zip(*rounds, strict=True)))


def choose(samples: int) -> None:
    """Chooses 10 seats that may be split, in halls of 1,000 seats of which every second, third … is taken."""
    from booking.models.layouts import parse
    from booking.services.seats.seating import best_seats

    rows = [f"{chr(ord('A') + row)} SSSSSSSSSS.SSSSSSSSSSSSSSSSSSSS.SSSSSSSSSS" for row in range(23)]
    rows += ["X LLLLLLLLLL.LLLLLLLLLLLLLLLLLLLL.LLLLLLLLLL", "Y WWSSSSSSSS.SSSSSSSSSSSSSSSSSSSS.SSSSSSSSWW"]
    hall = parse("\n".join(rows), accessible="W", paired="L")
    halls = [partial(best_seats, hall, set(range(1, 1001, step)), 10, split=True) for step in range(2, 12)]
    # A worker computes the costs of a hall's seats once, and the first garbage collection is about the start.
    milliseconds(halls[0], samples)
    print(max(milliseconds(choose_in, samples) for choose_in in halls))


def profile(samples: int, file: str) -> None:
    book, _ = requests()
    milliseconds(book, samples)
    with cProfile.Profile() as profiler:
        milliseconds(book, samples)
    profiler.dump_stats(file)


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "compare":
        compare(int(sys.argv[2]))
    elif sys.argv[1] == "signin":
        sign_in(int(sys.argv[2]))
    elif sys.argv[1] == "choose":
        choose(int(sys.argv[2]))
    else:
        profile(int(sys.argv[2]), sys.argv[3])
