"""The lists: their pages, filters, order and numbers of queries."""

from datetime import date, timedelta

import pytest

from booking.models import Movie
from tests.factories import NOW, STARTS_AT, make_booking, make_movie, make_screen, make_show

DAY = timedelta(days=1)
PAST = STARTS_AT.replace(year=2020)


def results(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def titles(client, query=""):
    return [movie["title"] for movie in results(client, f"/api/movies/?{query}")]


def shows(client, movie, query=""):
    return [show["id"] for show in results(client, f"/api/movies/{movie.pk}/shows/?{query}")]


def bookings(client, query=""):
    return [booking["id"] for booking in results(client, f"/api/my-bookings/?{query}")]


def make_movies(count):
    Movie.objects.bulk_create(Movie(title=f"Movie {number:03}", duration_minutes=90) for number in range(count))


# --- Pages ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_empty_list_has_one_empty_page(anyone):
    assert anyone.get("/api/movies/").json() == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.django_db
def test_a_page_links_to_the_previous_and_next_ones(anyone):
    make_movies(5)
    page = anyone.get("/api/movies/?page=2&page_size=2").json()
    assert (page["count"], [movie["title"] for movie in page["results"]]) == (5, ["Movie 002", "Movie 003"])
    assert page["next"] == "http://testserver/api/movies/?page=3&page_size=2"
    assert page["previous"] == "http://testserver/api/movies/?page_size=2"


@pytest.mark.django_db
@pytest.mark.parametrize(("query", "size"), [("", 20), ("page_size=1", 1), ("page_size=100", 100), ("page_size=", 20)])
def test_a_page_has_20_rows_by_default_and_100_at_most(anyone, query, size):
    make_movies(120)
    assert len(titles(anyone, query)) == size


@pytest.mark.django_db
def test_each_row_is_on_one_page(anyone):
    make_movies(7)
    pages = [titles(anyone, f"page_size=3&page={page}&ordering=duration_minutes") for page in (1, 2, 3)]
    assert [title for page in pages for title in page] == [f"Movie {number:03}" for number in range(7)]


@pytest.mark.django_db
def test_a_page_past_the_last_is_not_found(anyone):
    make_movies(3)
    answer = anyone.get("/api/movies/?page=2")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page.", "code": "not_found"})


# --- Movies -----------------------------------------------------------------------------------


@pytest.fixture
def some_movies(db):
    make_movie(title="Dangal", director="Nitesh Tiwari", language="Hindi", genre="Drama")
    make_movie(title="Alien", director="Ridley Scott", language="English", genre="Horror")
    make_movie(title="Gladiator", director="Ridley Scott", language="English", genre="Drama")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("language=English", ["Alien", "Gladiator"]),
        ("language=english", ["Alien", "Gladiator"]),
        ("language=Eng", []),
        ("language=", ["Alien", "Dangal", "Gladiator"]),
        ("genre=DRAMA", ["Dangal", "Gladiator"]),
        ("language=English&genre=Drama", ["Gladiator"]),
        ("genre=Western", []),
    ],
)
def test_movies_are_filtered_by_language_and_genre(anyone, some_movies, query, found):
    assert titles(anyone, query) == found


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("alien", ["Alien"]),
        ("LI", ["Alien"]),
        ("scott", ["Alien", "Gladiator"]),
        ("scott glad", ["Gladiator"]),
        ("tiwari", ["Dangal"]),
        ("  ", ["Alien", "Dangal", "Gladiator"]),
        ("hindi", []),
        ('"ridley scott" ali', ["Alien"]),
        ('"scott ridley"', []),
        ("%", []),
        ("_", []),
        ("'", []),
        ('"', []),
        ('""', []),
        ("\u0301", []),
        ("alien \u0301", []),
    ],
)
def test_movies_are_searched_by_title_and_director(anyone, some_movies, search, found):
    assert [movie["title"] for movie in anyone.get("/api/movies/", {"search": search}).json()["results"]] == found


def test_a_search_can_be_combined_with_a_filter_and_an_order(anyone, some_movies):
    assert titles(anyone, "search=a&language=English&ordering=-title") == ["Gladiator", "Alien"]


@pytest.fixture
def dated_movies(db):
    make_movie(title="B", release_date=None, duration_minutes=100)
    make_movie(title="A", release_date=date(2020, 1, 1), duration_minutes=None)
    make_movie(title="D", release_date=date(2010, 1, 1), duration_minutes=90)
    make_movie(title="C", release_date=date(2010, 1, 1), duration_minutes=120)


@pytest.mark.parametrize(
    ("ordering", "found"),
    [
        ("", "ABCD"),
        ("title", "ABCD"),
        ("-title", "DCBA"),
        ("release_date", "DCAB"),
        ("-release_date", "ADCB"),
        ("release_date,title", "CDAB"),
        ("release_date&ordering=title", "CDAB"),
        ("-release_date,-title", "ADCB"),
        ("duration_minutes", "DBCA"),
        ("-duration_minutes", "CBDA"),
    ],
)
def test_movies_without_a_value_are_ordered_last(anyone, dated_movies, ordering, found):
    assert "".join(titles(anyone, f"ordering={ordering}")) == found


@pytest.mark.django_db
def test_movies_of_equal_rank_are_ordered_by_creation(anyone):
    entered = [make_movie(title="Mulan", release_date=date(year, 1, 1)).pk for year in (2020, 1998, 2009)]
    assert [movie["id"] for movie in results(anyone, "/api/movies/")] == entered


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("Éclair", "éc"),
        ("Éclair", "ecl"),
        ("Éclair", "ÉCLAIR"),
        ("Eclair", "éc"),
        ("E\u0301clair", "\u00e9clair"),
        ("Ελλάς", "ελλας"),
        ("Ελλάς", "ΕΛΛΆΣ"),
        ("Straße", "strasse"),
        ("STRASSE", "ß"),
        ("Łódź", "lodz"),
        ("Æon Flux", "aeon"),
        ("Rosemary's Baby", "'"),
        ("Rosemary\u2019s Baby", "rosemary's"),
        ("ﬁlm", "film"),
        ("Йога", "иога"),
        ("İstanbul", "istanbul"),
        ("千と千尋の神隠し", "千尋"),
    ],
)
@pytest.mark.parametrize("field", ["title", "director"])
def test_a_search_ignores_case_and_accents(anyone, field, text, search):
    make_movie(**{"title": "Zodiac", "director": "Fincher", field: text})
    make_movie(title="Zodiac", director="Fincher", release_date=date(2007, 3, 2))
    found = anyone.get("/api/movies/", {"search": search}).json()["results"]
    assert [movie[field] for movie in found] == [text]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "text", "wanted"), [("language", "Français", "FRANCAIS"), ("genre", "Épopée", "épopée")]
)
def test_a_filter_ignores_case_and_accents(anyone, name, text, wanted):
    make_movie(title="A", **{name: text})
    make_movie(title="B", **{name: f"{text}s"})
    found = anyone.get("/api/movies/", {name: wanted}).json()["results"]
    assert [movie["title"] for movie in found] == ["A"]


@pytest.mark.django_db
def test_titles_are_ordered_without_case_and_accents(anyone):
    ordered = ["'Tis", "8½", "amélie", "Éclair", "Eclairs", "ß", "SSt", "Žižek", "Zodiac", "Ελλάς", "Ёлки", "映画"]
    for title in reversed(ordered):
        make_movie(title=title)
    assert titles(anyone) == ordered
    assert titles(anyone, "ordering=-title") == ordered[::-1]


# --- A movie's shows --------------------------------------------------------------------------


def test_shows_are_listed_soonest_first(anyone, show):
    later, sooner = (make_show(movie=show.movie, starts_at=STARTS_AT + days * DAY) for days in (1, -1))
    assert shows(anyone, show.movie) == [sooner.pk, show.pk, later.pk]


def test_shows_of_the_same_time_are_ordered_by_creation(anyone, show):
    others = [make_show(movie=show.movie) for _ in range(3)]
    assert shows(anyone, show.movie) == [show.pk, *(other.pk for other in others)]


@pytest.mark.parametrize("fields", [{"starts_at": PAST}, {"cancelled_at": NOW}])
def test_shows_that_are_not_on_sale_are_not_listed(anyone, show, fields):
    make_show(movie=show.movie, **fields)
    assert shows(anyone, show.movie) == [show.pk]


def test_shows_of_other_movies_are_not_listed(anyone, show):
    assert shows(anyone, make_movie(title="Zodiac")) == []
    assert shows(anyone, show.movie) == [show.pk]


@pytest.mark.parametrize(("day", "found"), [("2099-05-31", 0), ("2099-06-01", 1), ("2099-06-02", 0), ("", 1)])
def test_shows_are_filtered_by_day(anyone, show, day, found):
    assert len(shows(anyone, show.movie, f"date={day}")) == found


@pytest.mark.parametrize(
    ("zone", "day", "starts_at"),
    [
        ("Asia/Tokyo", "2099-06-02", "2099-06-02T03:00:00+09:00"),
        ("Europe/London", "2099-06-01", "2099-06-01T19:00:00+01:00"),
        ("Pacific/Kiritimati", "2099-06-02", "2099-06-02T08:00:00+14:00"),
    ],
)
def test_a_day_is_one_of_the_cinema_s_time_zone(anyone, show, settings, zone, day, starts_at):
    settings.TIME_ZONE = zone
    [found] = results(anyone, f"/api/movies/{show.movie_id}/shows/?date={day}")
    assert found["starts_at"] == starts_at


@pytest.mark.parametrize(("hour", "found"), [(14, 0), (15, 1), (16, 1)])
def test_a_day_begins_at_the_cinema_s_midnight(anyone, settings, show, hour, found):
    settings.TIME_ZONE = "Asia/Tokyo"
    midnight = make_show(starts_at=STARTS_AT.replace(hour=hour))
    assert len(shows(anyone, midnight.movie, "date=2099-06-02")) == found


PERIODS = [
    ("", "abc"),
    ("from=2099-06-01", "abc"),
    ("from=2099-06-02", "bc"),
    ("to=2099-06-02", "ab"),
    ("from=2099-06-02&to=2099-06-02", "b"),
    ("date=2099-06-02", "b"),
    ("from=2099-06-04", ""),
    ("to=2099-05-31", ""),
]


@pytest.mark.parametrize(("query", "found"), PERIODS)
def test_shows_are_filtered_by_a_period_with_both_its_days(anyone, show, query, found):
    days = {show.pk: "a"} | {make_show(movie=show.movie, starts_at=STARTS_AT + n * DAY).pk: "abc"[n] for n in (1, 2)}
    assert "".join(days[pk] for pk in shows(anyone, show.movie, query)) == found
    assert "".join(days[row["id"]] for row in results(anyone, f"/api/shows/?{query}")) == found


def test_each_show_has_the_number_of_available_seats(anyone, show):
    for seat_number, status in ((1, "booked"), (2, "booked"), (3, "cancelled")):
        make_booking(show=show, seat_number=seat_number, status=status)
    make_show(movie=show.movie, starts_at=STARTS_AT + DAY)
    available = [found["seats_available"] for found in results(anyone, f"/api/movies/{show.movie_id}/shows/")]
    assert available == [48, 50]


@pytest.mark.django_db
def test_a_sold_out_show_is_listed_with_no_seat_available(anyone):
    show = make_booking(show=make_show(total_seats=1)).show
    assert [found["seats_available"] for found in results(anyone, f"/api/movies/{show.movie_id}/shows/")] == [0]


# --- All shows --------------------------------------------------------------------------------


@pytest.fixture
def programme(db):
    """Three upcoming shows by name, and one that has started and one that is cancelled."""
    eclair, zodiac = make_movie(title="Éclair"), make_movie(title="Zodiac")
    screen = make_screen(name="Hall 1")
    made = {
        "late": make_show(movie=eclair, screen=screen, starts_at=STARTS_AT + DAY),
        "early": make_show(movie=zodiac, starts_at=STARTS_AT),
        "other": make_show(movie=zodiac, screen=screen, starts_at=STARTS_AT + timedelta(hours=3)),
    }
    make_show(movie=eclair, starts_at=PAST)
    make_show(movie=eclair, cancelled_at=NOW)
    return made


def programme_of(client, made, query=""):
    names = {show.pk: name for name, show in made.items()}
    return " ".join(names[show["id"]] for show in results(client, f"/api/shows/?{query}"))


@pytest.mark.parametrize(
    ("ordering", "found"),
    [
        ("", "early other late"),
        ("starts_at", "early other late"),
        ("-starts_at", "late other early"),
        ("title", "late early other"),
        ("-title,-starts_at", "other early late"),
    ],
)
def test_all_upcoming_shows_are_listed_in_order(anyone, programme, ordering, found):
    assert programme_of(anyone, programme, f"ordering={ordering}") == found


def test_all_shows_are_filtered_by_movie_and_screen(anyone, programme):
    movie, screen = programme["early"].movie_id, programme["late"].screen_id
    assert programme_of(anyone, programme, f"movie={movie}") == "early other"
    assert programme_of(anyone, programme, f"screen={screen}") == "other late"
    assert programme_of(anyone, programme, f"movie={movie}&screen={screen}") == "other"


def test_a_show_has_the_same_representation_in_lists_and_alone(anyone, show):
    make_booking(show=show)
    [listed] = results(anyone, "/api/shows/")
    alone = anyone.get(f"/api/shows/{show.pk}/").json()
    assert (listed | {"currency": "EUR", "prices": []}, listed["seats_available"]) == (alone, 49)


def test_each_show_is_on_one_page(anyone, programme):
    pages = [programme_of(anyone, programme, f"page_size=1&page={page}") for page in (1, 2, 3)]
    assert pages == ["early", "other", "late"]


# --- A customer's bookings --------------------------------------------------------------------


def test_bookings_are_listed_newest_first(client, user, show):
    made = [
        make_booking(user=user, show=show, seat_number=number, created_at=NOW + number * DAY).pk for number in (2, 3, 1)
    ]
    assert bookings(client) == [made[1], made[0], made[2]]


def test_bookings_of_the_same_time_are_listed_newest_first(client, user, show):
    made = [make_booking(user=user, show=show, seat_number=number).pk for number in (1, 2, 3)]
    assert bookings(client) == made[::-1]


def test_other_people_s_bookings_are_not_listed(client, user, show):
    make_booking(show=show, seat_number=1)
    mine = make_booking(user=user, show=show, seat_number=2)
    assert bookings(client) == [mine.pk]


@pytest.mark.parametrize(
    ("query", "found"), [("", "cb"), ("status=", "cb"), ("status=booked", "b"), ("status=cancelled", "c")]
)
def test_bookings_are_filtered_by_status(client, user, show, query, found):
    by_letter = {status[0]: make_booking(user=user, show=show, status=status).pk for status in ("booked", "cancelled")}
    assert bookings(client, query) == [by_letter[letter] for letter in found]


def test_bookings_are_filtered_by_show_and_reference(client, user, show):
    mine, other = make_booking(user=user, show=show, seat_number=2), make_booking(user=user)
    make_booking(show=show, reference=mine.reference, seat_number=3)
    assert bookings(client, f"show={show.pk}") == [mine.pk]
    assert bookings(client, f"reference={other.reference}") == [other.pk]
    assert bookings(client, f"reference={mine.reference}") == [mine.pk]
    assert bookings(client, f"show={show.pk}&reference={other.reference}") == []


def test_bookings_of_past_and_cancelled_shows_are_listed(client, user):
    made = [
        make_booking(user=user, show=make_show(**fields)).pk for fields in ({"starts_at": PAST}, {"cancelled_at": NOW})
    ]
    assert bookings(client) == made[::-1]


# --- What a list costs ------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_movies_takes_3_queries_and_then_1(anyone, django_assert_num_queries, rows):
    make_movies(rows)
    for queries in (3, 1):
        with django_assert_num_queries(queries):
            assert len(titles(anyone)) == rows


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_shows_takes_5_queries_and_then_2(anyone, django_assert_num_queries, rows):
    for _ in range(rows):
        make_booking(show=make_show())
    for queries in (5, 2):
        with django_assert_num_queries(queries):
            assert len(results(anyone, "/api/shows/")) == rows


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_a_movie_s_shows_takes_6_queries_and_then_2(anyone, django_assert_num_queries, rows):
    movie = make_movie()
    for _ in range(rows):
        make_booking(show=make_show(movie=movie))
    for queries in (6, 2):
        with django_assert_num_queries(queries):
            assert len(shows(anyone, movie)) == rows


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_of_bookings_takes_3_queries(client, user, django_assert_num_queries, rows):
    for _ in range(rows):
        make_booking(user=user)
    with django_assert_num_queries(3):
        assert len(bookings(client)) == rows
