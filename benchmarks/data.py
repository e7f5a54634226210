"""Loads the data of the benchmark; run as a separate process with the benchmark's settings."""

import sys
from datetime import timedelta
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

MOVIES = Path(__file__).parent / "movies.csv"
SEATS = 20_000


def load(shows: int, users: int) -> None:
    """Stores movies, users, `shows` upcoming shows, a sold-out show, and 20 half-sold shows of the second movie."""
    from booking.models import Movie, Screen, SeatPlan, Show, User
    from booking.services import import_movies

    call_command("migrate", verbosity=0)
    import_movies(content=MOVIES.read_bytes())
    User.objects.bulk_create(User(username=f"user{n}", password="!") for n in range(users))
    prices = store_prices()
    plans = {seats: SeatPlan.of_layout(with_aisles(seats)) for seats in (SEATS, 500, 200)}
    screen = Screen.objects.create(name="Screen", rows=25, seats_per_row=20, plan=plans[500], price_list_id=prices)
    movie, popular = Movie.objects.order_by("id")[:2]
    starts_at = timezone.now() + timedelta(days=300)

    def show(of: Movie, n: int, seats: int) -> Show:
        begin = starts_at + timedelta(hours=3 * n)
        return Show(
            movie=of,
            screen=screen,
            starts_at=begin,
            ends_at=begin + timedelta(hours=2),
            total_seats=seats,
            seats_per_row=20,
            plan=plans[seats],
            price_list_id=prices,
        )

    *_, hot = Show.objects.bulk_create(show(movie, n, SEATS) for n in range(shows))
    store_bookings(hot.pk, hot.pk, 100, users)
    [full] = Show.objects.bulk_create([show(movie, shows, 500)])
    store_bookings(full.pk, full.pk, 500, users)
    half_sold = Show.objects.bulk_create(show(popular, n, 200) for n in range(20))
    for of in half_sold:
        store_bookings(of.pk, of.pk, 100, users)
    store_orders()


def with_aisles(seats: int) -> str:
    """Return a layout of rows of 20 seats with two aisles; every fifth row is premium, with two wheelchair spaces."""
    from booking.models.layouts import row_label

    standard, premium = "SSSS.SSSSSSSSSSSS.SSSS", "WPPP.PPPPPPPPPPPP.PPPW"
    return "\n".join(f"{row_label(row)} {premium if row % 5 == 4 else standard}" for row in range(seats // 20))


def store_prices() -> int:
    """Stores a price list for two ticket types and returns its id."""
    from booking.models import Price, PriceList, SeatCategory, TicketType

    prices = PriceList.objects.create(name="Prices")
    types = [TicketType.objects.create(name=name, position=n) for n, name in enumerate(("Adult", "Child"), start=1)]
    for category in SeatCategory.objects.all():
        for ticket_type in types:
            Price.objects.create(price_list=prices, category=category, ticket_type=ticket_type, amount=12)
    return prices.pk


def store_orders() -> None:
    """Stores the orders of bookings that were stored in plain SQL."""
    from booking.services.programme.old_rows import complete_old_rows

    for _ in complete_old_rows():
        pass


def store_bookings(first_show: int, last_show: int, seats: int, users: int) -> None:
    """Books the first `seats` seats of each show for the users in turn, in plain SQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO booking_booking (user_id, show_id, seat_number, status, reference, created_at)"
            " SELECT (SELECT min(id) FROM booking_user) + (seat * 7 + show) %% %s, show, seat, 'booked',"
            " upper(substr(md5(show::text || ' ' || seat), 1, 8)), now()"
            " FROM generate_series(%s::int, %s::int) show, generate_series(1, %s::int) seat",
            [users, first_show, last_show, seats],
        )


def store_past_bookings(total: int) -> None:
    """Adds bookings of past shows, 500 per show and 50 per customer, until `total` bookings are stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM booking_booking")
        missing = total - cursor.fetchone()[0]
        if missing <= 0:
            return
        # Without the triggers that check foreign keys; half of the time otherwise.
        cursor.execute("SET session_replication_role = replica")
        shows, users = max(1, missing // 500), max(100, missing // 50)
        cursor.execute(
            "INSERT INTO booking_user (username, password, email, first_name, last_name, is_superuser, is_staff,"
            " is_active, date_joined) SELECT 'past' || n, '!', '', '', '', false, false, true, now()"
            " FROM generate_series((SELECT count(*) + 1 FROM booking_user WHERE username LIKE 'past%%'), %s::int) n",
            [users],
        )
        cursor.execute(
            "WITH past AS ("
            "INSERT INTO booking_show (movie_id, screen_id, starts_at, ends_at, total_seats, seats_per_row)"
            " SELECT (SELECT max(id) FROM booking_movie), (SELECT min(id) FROM booking_screen),"
            " now() - n * interval '3 hours', now() - n * interval '3 hours' + interval '2 hours', 500, 20"
            " FROM generate_series(1, %s::int) n RETURNING id),"
            " customer AS (SELECT min(id) AS first FROM booking_user WHERE username LIKE 'past%%')"
            " INSERT INTO booking_booking (user_id, show_id, seat_number, status, reference, created_at)"
            " SELECT customer.first + (past.id * 500 + seat) %% %s, past.id, seat, 'booked',"
            " upper(substr(md5(past.id::text || ' ' || seat), 1, 8)), now() - interval '30 days'"
            " FROM past, customer, generate_series(1, 500) seat",
            [shows, users],
        )
    store_orders()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE booking_booking, booking_order, booking_show, booking_user")


def store_year(total: int) -> None:
    """Stores about `total` bookings, 200 per show, on ten screens, in the year that ends two weeks from now.

    One in 20 is cancelled, one in 40 is a cancelled hold, and one in 200 is a blocked seat.
    """
    shows = max(1, total // 200)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO booking_screen (name, rows, seats_per_row)"
            " SELECT 'Report ' || n, 14, 20 FROM generate_series(1, 10) n"
        )
        cursor.execute(
            "WITH stored AS ("
            "INSERT INTO booking_show (movie_id, screen_id, starts_at, ends_at, total_seats, seats_per_row,"
            " price_list_id)"
            " SELECT movie.id, screen.id, start, start + interval '2 hours', 280, 20,"
            " (SELECT min(id) FROM booking_pricelist)"
            " FROM generate_series(1, %(shows)s::int) n,"
            " LATERAL (SELECT date_trunc('hour', now()) + interval '14 days' - n * interval '365 days' / %(shows)s)"
            " AS at(start),"
            " LATERAL (SELECT id FROM booking_movie ORDER BY id LIMIT 1 OFFSET n %% 50) AS movie,"
            " LATERAL (SELECT id FROM booking_screen WHERE name = 'Report ' || n %% 10 + 1) AS screen"
            " RETURNING id, starts_at),"
            " customer AS (SELECT min(id) AS first, count(*) AS number FROM booking_user),"
            " made AS (SELECT stored.id AS show, seat, least(starts_at - interval '1 hour', now())"
            " - (seat + stored.id) %% 20 * interval '7 hours' AS moment, (seat + stored.id) %% 200 AS kind"
            " FROM stored, generate_series(1, 200) seat)"
            " INSERT INTO booking_booking (user_id, show_id, seat_number, status, reference, created_at, cancelled_at,"
            " expires_at, held_since, category, ticket_type_id, price)"
            " SELECT CASE WHEN kind <> 3 THEN first + (show * 200 + seat) %% number END, show, seat,"
            " CASE WHEN kind = 3 THEN 'blocked' WHEN kind %% 20 = 1 OR kind %% 40 = 2 THEN 'cancelled'"
            " ELSE 'booked' END, upper(substr(md5(show::text || ' ' || seat), 1, 8)), moment,"
            " CASE WHEN kind %% 20 = 1 OR kind %% 40 = 2 THEN moment END,"
            " CASE WHEN kind %% 40 = 2 THEN moment END, CASE WHEN kind %% 40 = 2 THEN moment END, 'S',"
            " CASE WHEN kind <> 3 THEN (SELECT min(id) FROM booking_tickettype) END,"
            " CASE WHEN kind = 3 THEN 0 ELSE 12 END"
            " FROM made, customer ORDER BY moment",
            {"shows": shows},
        )
    store_orders()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE booking_booking, booking_order, booking_show")


def print_tokens() -> None:
    from booking.infrastructure.tokens import AccessToken
    from booking.models import User

    for user in User.objects.filter(username__startswith="user").order_by("pk"):
        print(AccessToken.for_user(user))


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "load":
        load(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "past":
        store_past_bookings(int(sys.argv[2]))
    elif sys.argv[1] == "year":
        store_year(int(sys.argv[2]))
    else:
        print_tokens()
