"""make bench-migrations: what bookings notice of the migrations, with 10,000,000 of them stored.

Starts from the schema before seats could be held, and books in it as the version of that time did while all later
migrations run.
"""

import os
import subprocess
import sys
import threading
from itertools import count
from time import perf_counter

import psycopg

from tests.postgres_server import PostgresServer, postgres_server

BEFORE = "0004"
BOOKINGS, TINY_BOOKINGS = 10_000_000, 1_000
SHOWS = 1_000
ATTEMPTS = 5

FILL = """
INSERT INTO booking_user (username, password, email, first_name, last_name, is_superuser, is_staff, is_active,
    date_joined) VALUES ('customer', '!', '', '', '', false, false, true, now());
INSERT INTO booking_movie (title, description, certificate, language, genre, director)
    VALUES ('Movie', '', '', '', '', '');
INSERT INTO booking_screen (name, rows, seats_per_row) VALUES ('Screen', 100, 100);
INSERT INTO booking_show (movie_id, screen_id, starts_at, ends_at, total_seats, seats_per_row)
    SELECT movie.id, screen.id, now() + n * interval '3 hours', now() + n * interval '3 hours 2 minutes', 10000, 100
    FROM booking_movie movie, booking_screen screen, generate_series(1, {shows}) n;
INSERT INTO booking_booking (user_id, show_id, seat_number, status, reference, created_at)
    SELECT customer.id, show.id, seat, 'booked', 'BENCHMRK', now()
    FROM booking_user customer, booking_show show, generate_series(1, {seats}) seat;
VACUUM ANALYZE;
"""


class Bookings:
    """Bookings of free seats, one after another, each of which is timed."""

    def __init__(self, url: str, first_seat: int) -> None:
        self.url = url
        self.first_seat = first_seat
        self.seconds: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._book)

    def __enter__(self) -> "Bookings":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _book(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for n in count():
                if self._ended.is_set():
                    return
                begin = perf_counter()
                with connection.transaction():
                    show, seat = n % SHOWS + 1, self.first_seat + n // SHOWS
                    connection.execute("SELECT id FROM booking_show WHERE id = %s FOR NO KEY UPDATE", [show])
                    connection.execute(
                        "INSERT INTO booking_booking (user_id, show_id, seat_number, status, reference, created_at)"
                        " VALUES (1, %s, %s, 'booked', 'BENCHMRK', now())",
                        [show, seat],
                    )
                self.seconds.append(perf_counter() - begin)


def migrate(server: PostgresServer, *arguments: str) -> float:
    """The seconds it took. A run that a booking broke off, by a deadlock say, is started again, and goes on."""
    environment = {**os.environ, "DATABASE_URL": server.url}
    begin = perf_counter()
    for _ in range(ATTEMPTS):
        if not subprocess.run([sys.executable, "manage.py", "migrate", "-v0", *arguments], env=environment).returncode:
            return perf_counter() - begin
    raise RuntimeError("The migrations did not come to an end.")


def main() -> None:
    bookings = TINY_BOOKINGS if "--tiny" in sys.argv else BOOKINGS
    with postgres_server(fsync="on", full_page_writes="on", shared_buffers="512MB", max_wal_size="8GB") as server:
        migrate(server, "booking", BEFORE)
        url = f"host={server.folder} user=postgres dbname=postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in FILL.format(shows=SHOWS, seats=bookings // SHOWS).split(";"):
                connection.execute(statement)
        with Bookings(url, bookings // SHOWS + 1) as made:
            seconds = migrate(server)
        with Bookings(url, bookings // SHOWS + 1 + len(made.seconds)) as after:
            migrate(server)
    print(f"{bookings:,} bookings stored; the migrations after {BEFORE} took {seconds:.1f} s.")
    for when, times in (("meanwhile", made.seconds), ("afterwards", after.seconds)):
        print(f"Bookings {when}: {len(times):,}, the longest took {max(times) * 1000:.0f} ms.")


if __name__ == "__main__":
    main()
