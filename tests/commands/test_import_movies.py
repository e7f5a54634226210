from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from booking import services
from booking.models import Movie
from tests.factories import make_movie

SAMPLE = Path(__file__).parents[1] / "data" / "movies.csv"
HEADER = "title,duration_minutes,certificate,release_date,genre,director"

pytestmark = pytest.mark.django_db


def run(path, *options):
    out, err = StringIO(), StringIO()
    call_command("import_movies", path, *options, stdout=out, stderr=err)
    return out.getvalue().splitlines()[-1], err.getvalue().splitlines()


def load(*lines, header=HEADER):
    return services.import_movies(content="\n".join([header, *lines]).encode())


def test_the_sample_is_loaded_and_its_one_empty_title_refused():
    last_line, refused = run(SAMPLE)
    assert last_line == "59 added, 0 changed, 0 unchanged, 1 refused"
    assert refused == ["line 58: title: This field cannot be blank."]
    assert Movie.objects.count() == 59


def test_running_it_twice_changes_nothing():
    run(SAMPLE)
    before = list(Movie.objects.values())
    assert run(SAMPLE)[0] == "0 added, 0 changed, 59 unchanged, 1 refused"
    assert list(Movie.objects.values()) == before


@pytest.mark.parametrize(
    ("title", "release_date", "duration_minutes"),
    [
        ("1776", date(1972, 11, 9), None),
        ("2046", date(2005, 8, 5), None),
        ("300", date(2007, 3, 9), 117),
        ("AstÈrix aux Jeux Olympiques", date(2008, 7, 4), None),
        ("Duel in the Sun", date(2046, 12, 31), None),
        ("The Helix...  Loaded", date(2005, 3, 18), None),
    ],
)
def test_unusual_rows_are_imported_unchanged(title, release_date, duration_minutes):
    run(SAMPLE)
    movie = Movie.objects.get(title=title)
    assert (movie.release_date, movie.duration_minutes) == (release_date, duration_minutes)


def test_a_title_with_two_release_dates_is_two_movies():
    load("Casino Royale,,,Apr 28 1967,,John Huston", "Casino Royale,144,PG-13,Nov 17 2006,,Martin Campbell")
    assert Movie.objects.filter(title="Casino Royale").count() == 2


def test_a_changed_line_changes_only_its_movie():
    load("Alien,117,R,Jun 22 1979,Horror,", "Heat,170,R,Dec 15 1995,,")
    assert str(load("Alien,116,R,Jun 22 1979,Horror,", "Heat,170,R,Dec 15 1995,,")) == (
        "0 added, 1 changed, 1 unchanged, 0 refused"
    )
    assert Movie.objects.get(title="Alien").duration_minutes == 116


def test_an_empty_cell_keeps_what_staff_entered():
    make_movie(title="Alien", release_date=date(1979, 6, 22), duration_minutes=117, description="In space.")
    assert load("Alien,,,Jun 22 1979,,").unchanged == 1
    assert Movie.objects.get().duration_minutes == 117


def test_a_movie_without_release_date_is_identified_by_its_title():
    load("Alien,117,,,,")
    assert load("Alien,118,,,,").changed == [("Alien", "duration minutes: 117 → 118")]


def test_optional_columns_are_imported():
    load("Up,96,PG,2009-05-29,,Pete Docter,English,A house flies.", header=f"{HEADER},language,description")
    movie = Movie.objects.get()
    assert (movie.language, movie.description) == ("English", "A house flies.")


def test_a_byte_order_mark_blank_lines_and_the_order_of_columns_do_not_matter(tmp_path):
    path = tmp_path / "movies.csv"
    path.write_text("\ufeffDirector,title,genre,release_date,certificate,duration_minutes\n\nA,B,C,,G,90\n", "utf-8")
    assert run(path) == ("1 added, 0 changed, 0 unchanged, 0 refused", [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",90,,,,", "title: This field cannot be blank."),
        ("A,ninety,,,,", "duration_minutes: “ninety” is not a whole number of minutes"),
        ("A,0,,,,", "duration_minutes: Ensure this value is greater than or equal to 1."),
        ("A,99999,,,,", "duration_minutes: Ensure this value is less than or equal to 1440."),
        ("A,,,Juno 12,,", "release_date: “Juno 12” is not a date such as Jun 12 1998 or 1998-06-12"),
        ("A,,,Feb 30 1998,,", "release_date: “Feb 30 1998” is not a date such as Jun 12 1998 or 1998-06-12"),
        ("A,90", "2 values for 6 columns"),
        ("A,90,,,,,extra", "7 values for 6 columns"),
        ("A,90,,12/6/98,,", "release_date: “12/6/98” has a year of two digits; write four"),
        ("A\0,90,,,,", "a NUL character"),
        (f"{'A' * 201},90,,,,", "title: Ensure this value has at most 200 characters (it has 201)."),
    ],
)
def test_an_invalid_line_is_refused_with_its_number_and_reason(line, reason):
    report = load("Good,90,,,,", line, "Better,91,,,,")
    assert report.refused == [(3, reason)]
    assert report.added == ["Good", "Better"]


def test_the_second_of_two_lines_on_one_movie_is_refused():
    assert load("A,90,,,,", "A,91,,,,").refused == [(3, "the same title and release date as line 2")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lacks the columns title, duration_minutes, certificate, release_date, genre, director"),
        (HEADER.replace("genre,", "").encode(), "lacks the column genre."),
        (f"{HEADER},genre\n".encode(), "names genre twice"),
        (f'{HEADER}\nGood,90,,,,\n"Bad,90,,,,\n'.encode(), "is not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_completely_changes_nothing(tmp_path, content, message):
    path = tmp_path / "movies.csv"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        run(path)
    assert not Movie.objects.exists()


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(CommandError, match=r"nowhere\.csv can't be read: No such file or directory"):
        run(tmp_path / "nowhere.csv")


def test_more_lines_than_a_batch_holds_are_loaded(monkeypatch):
    monkeypatch.setattr("booking.services.programme.movies.BATCH_SIZE", 2)
    assert len(load(*[f"Movie {n},90,,,," for n in range(5)]).added) == 5


def test_a_movie_added_at_the_same_time_changes_nothing(monkeypatch):
    # The other row is inserted between the import's query and its insert.
    looked_up = Movie.objects.bulk_create

    def with_rival(movies):
        Movie.objects.create(title="A")
        return looked_up(movies)

    monkeypatch.setattr(Movie.objects, "bulk_create", with_rival)
    with pytest.raises(services.Refusal, match="Somebody else changed the same movies"):
        load("A,90,,,,")
    assert not Movie.objects.exists()


# --- What the command prints ------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "movies.csv"


def test_the_command_reports_how_it_read_the_file_and_its_changes(path):
    make_movie(title="Alien", release_date=date(1979, 6, 22), duration_minutes=117)
    path.write_text(f"{HEADER}\nAlien,116,,22.06.1979,,\nUp,,,29.05.2009,,\n")
    out = StringIO()
    call_command("import_movies", path, stdout=out)
    assert out.getvalue().splitlines() == [
        f"{path}: read as UTF-8, separated by commas, dates with the day first",
        "added Up (2009)",
        "changed Alien (1979): duration minutes: 117 → 116",
        "1 added, 1 changed, 0 unchanged, 0 refused",
    ]


def test_a_dry_run_changes_nothing(path):
    path.write_text(f"{HEADER}\nUp,,,,,\n")
    assert run(path, "--dry-run")[0] == "1 added, 0 changed, 0 unchanged, 0 refused"
    assert not Movie.objects.exists()


@pytest.mark.parametrize(("order", "expected"), [("day", date(2009, 5, 4)), ("month", date(2009, 4, 5))])
def test_an_option_sets_the_order_of_ambiguous_dates(path, order, expected):
    path.write_text(f"{HEADER}\nUp,,,04/05/2009,,\n")
    with pytest.raises(CommandError, match=r"4 May 2009 with the day first .* Add --dates day or --dates month\.$"):
        run(path)
    run(path, "--dates", order)
    assert Movie.objects.get().release_date == expected
