"""The import of movies in the admin: upload, preview, import and result."""

import csv
from datetime import date, timedelta

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from booking.models import Movie, MovieUpload, User
from tests.factories import make_movie, make_upload
from tests.races import at_once
from tests.staff import page_messages, signed_in_as

IMPORT = "/admin/booking/movie/import/"
HEADER = "title;duration_minutes;certificate;release_date;genre;director\n"
FILE = HEADER + "Alien;116;R;22.06.1979;;Ridley Scott\nAmélie;122;;25.04.2001;;\nUp;96;;;;\n;90;;;;\n"


@pytest.fixture
def alien(db):
    return make_movie(title="Alien", release_date=date(1979, 6, 22), duration_minutes=117, genre="Horror", director="")


@pytest.fixture
def up(db):
    return make_movie(title="Up", duration_minutes=96)


def upload(client, text, name="movies.csv", encoding="cp1252"):
    return client.post(IMPORT, {"file": SimpleUploadedFile(name, text.encode(encoding))})


def uploaded(client, text, **options):
    """Upload a file, and return the path of its page."""
    return upload(client, text, **options).url


def report_of(client, path, **query):
    return client.get(path, query).context["report"]


# --- The preview ------------------------------------------------------------------------------


def test_a_preview_lists_the_changes_and_makes_none(staff, alien, up):
    path = uploaded(staff, FILE)
    before = list(Movie.objects.values())
    response = staff.get(path)
    report = response.context["report"]
    assert (report.added, report.unchanged) == (["Amélie (2001)"], 1)
    assert report.changed == [
        ("Alien (1979)", "duration minutes: 117 → 116; certificate: empty → R; director: empty → Ridley Scott")
    ]
    assert report.refused == [(5, "title: This field cannot be blank.")]
    assert "Nothing has been changed yet." in response.content.decode()
    assert (list(Movie.objects.values()), LogEntry.objects.count()) == (before, 0)


def test_a_preview_reports_how_the_file_was_read(staff):
    page = staff.get(uploaded(staff, FILE)).content.decode()
    assert "movies.csv: read as Windows-1252, separated by semicolons, dates with the day first." in page


def test_a_file_without_changes_is_not_offered_for_import(staff, up):
    path = uploaded(staff, f"{HEADER}Up;96;;;;\n")
    assert 'value="Import"' not in staff.get(path).content.decode()


def test_a_workbook_named_csv_is_reported_as_a_workbook(staff):
    file = SimpleUploadedFile("movies.csv", b"PK\x03\x04 xl/workbook.xml")
    [sentence] = staff.post(IMPORT, {"file": file}).context["form"].errors["file"]
    assert sentence.startswith("This is an Excel workbook (.xlsx), whatever its name is.")
    assert not MovieUpload.objects.exists()


@pytest.mark.parametrize(("name", "stored"), [("a\u202eb.csv", "ab.csv"), ("x" * 300 + ".csv", "x" * 96 + ".csv")])
def test_a_file_keeps_a_readable_name(staff, name, stored):
    uploaded(staff, FILE, name=name)
    assert MovieUpload.objects.get().name == stored


# --- Dates ------------------------------------------------------------------------------------

UNCLEAR = f"{HEADER}Up;96;;04/05/2009;;\n"


def test_an_unclear_order_of_dates_has_to_be_chosen(staff):
    page = staff.get(uploaded(staff, UNCLEAR)).content.decode()
    assert "“04/05/2009” on line 2 is 4 May 2009 with the day first" in page
    assert ('name="dates" value="day"' in page, 'name="dates" value="month"' in page) == (True, True)
    assert 'value="Import"' not in page


@pytest.mark.parametrize(("order", "expected"), [("day", date(2009, 5, 4)), ("month", date(2009, 4, 5))])
def test_a_chosen_order_is_previewed_and_imported(staff, order, expected):
    path = uploaded(staff, UNCLEAR)
    assert f'type="hidden" name="dates" value="{order}"' in staff.get(path, {"dates": order}).content.decode()
    staff.post(path, {"dates": order})
    assert Movie.objects.get().release_date == expected


@pytest.mark.parametrize("order", ["", "x", "DAY"])
def test_nothing_is_imported_without_a_chosen_order(staff, order):
    response = staff.post(uploaded(staff, UNCLEAR), {"dates": order})
    assert "with the day first" in response.context["question"]
    assert not Movie.objects.exists()


def test_there_is_no_csv_file_of_an_unclear_upload(staff):
    assert staff.get(f"{uploaded(staff, UNCLEAR)}refused.csv").status_code == 404


# --- The import -------------------------------------------------------------------------------


def test_an_import_makes_the_changes_of_the_preview_and_shows_the_result(staff, alien, up):
    path = uploaded(staff, FILE)
    preview = report_of(staff, path)
    response = staff.post(path, follow=True)
    assert (response.redirect_chain, response.context["report"]) == ([(path, 302)], preview)
    assert "<strong>movies.csv was imported:</strong>" in response.content.decode()
    alien.refresh_from_db()
    assert (alien.duration_minutes, alien.genre, alien.director) == (116, "Horror", "Ridley Scott")
    assert Movie.objects.count() == 3


def test_each_added_and_each_changed_movie_has_an_entry_in_its_history(staff, alien, up):
    staff.post(uploaded(staff, FILE))
    entries = LogEntry.objects.order_by("action_flag").values_list("object_repr", "action_flag", "change_message")
    change = "duration minutes: 117 → 116; certificate: empty → R; director: empty → Ridley Scott"
    assert list(entries) == [
        ("Amélie (2001)", ADDITION, "Imported from movies.csv."),
        ("Alien (1979)", CHANGE, f"Imported from movies.csv: {change}."),
    ]
    history = staff.get(f"/admin/booking/movie/{alien.pk}/history/").content.decode()
    assert ("117 → 116" in history, "boss" in history) == (True, True)


def test_a_second_click_imports_nothing_more(staff, alien, up):
    path = uploaded(staff, FILE)
    results = [staff.post(path, follow=True).context["report"] for _ in range(2)]
    assert results[0] == results[1]
    assert LogEntry.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_time_import_once(staff):
    path = uploaded(staff, FILE)
    boss = User.objects.get(username="boss")
    answers = at_once([lambda: signed_in_as(boss).post(path).status_code] * 4)
    assert (answers, Movie.objects.count(), LogEntry.objects.count()) == ([302] * 4, 3, 3)


def test_a_movie_that_is_added_at_the_same_time_is_reported(staff, monkeypatch):
    bulk_create = Movie.objects.bulk_create

    def with_rival(movies):
        Movie.objects.create(title="Up")
        return bulk_create(movies)

    path = uploaded(staff, f"{HEADER}Up;96;;;;\n")
    monkeypatch.setattr(Movie.objects, "bulk_create", with_rival)
    response = staff.post(path, follow=True)
    assert page_messages(response) == [
        "Somebody else changed the same movies at the same time; please try again. Nothing was changed."
    ]
    assert (Movie.objects.count(), response.context["upload"].outcome) == (0, None)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time and locks no rows")
@pytest.mark.django_db(transaction=True)
def test_an_import_keeps_concurrent_changes_of_staff(staff, alien):
    path = uploaded(staff, FILE)
    pending = [lambda: Movie.objects.filter(pk=alien.pk).update(genre="Thriller")]

    def change_first(execute, sql, params, many, context):
        if "FOR NO KEY UPDATE" in sql and '"booking_movie"' in sql and pending:
            at_once([pending.pop()])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(change_first):
        staff.post(path)
    alien.refresh_from_db()
    assert (alien.duration_minutes, alien.genre) == (116, "Thriller")


# --- Uploads ----------------------------------------------------------------------------------


def test_the_users_expired_uploads_are_removed_with_the_next_one(staff):
    boss = User.objects.get(username="boss")
    make_upload(user=boss, created_at=timezone.now() - timedelta(days=1, minutes=1))
    of_other_user = make_upload(created_at=timezone.now() - timedelta(days=2))
    path = uploaded(staff, FILE)
    assert [row.pk for row in MovieUpload.objects.order_by("pk")] == [of_other_user.pk, int(path.split("/")[-2])]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("upload_id", ["1", "9" * 18])
def test_a_removed_upload_is_not_found(staff, method, upload_id):
    assert getattr(staff, method)(f"{IMPORT}{upload_id}/").status_code == 404


@pytest.mark.parametrize("number", [2, 3])
def test_an_upload_that_is_removed_at_the_same_time_is_not_imported(staff, number):
    path = uploaded(staff, FILE)
    reads = []

    def delete_first(execute, sql, params, many, context):
        if sql.startswith("SELECT") and "booking_movieupload" in sql:
            reads.append(sql)
            if len(reads) == number:
                MovieUpload.objects.all().delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_first):
        response = staff.post(path)
    assert (response.status_code, Movie.objects.count()) == (302, 0)


# --- Long results -----------------------------------------------------------------------------


def long_file(rows):
    return (
        HEADER + "".join(f"Movie {n};x;;;;\n" for n in range(rows)) + "".join(f"=Film {n};;;;;\n" for n in range(rows))
    )


def rows_of(client, path):
    text = client.get(path).content.decode("utf-8-sig")
    return list(csv.reader(text.splitlines()))


@pytest.mark.parametrize("done", [False, True])
def test_at_most_100_lines_are_on_the_page_and_all_in_a_csv_file(staff, done):
    path = uploaded(staff, long_file(150))
    if done:
        staff.post(path)
    page = staff.get(path).content.decode()
    assert (page.count("is not a whole number of minutes"), page.count("<li>=Film")) == (100, 100)
    assert "Refused lines (150)" in page
    refused = rows_of(staff, f"{path}refused.csv")
    assert (len(refused), refused[:2]) == (
        151,
        [["line", "reason"], ["2", "duration_minutes: “x” is not a whole number of minutes"]],
    )
    assert rows_of(staff, f"{path}added.csv")[:2] == [["title"], ["'=Film 0"]]


def test_changes_can_be_downloaded_as_a_csv_file(staff, alien):
    path = uploaded(staff, f"{HEADER}Alien;116;;22.06.1979;;\n")
    assert rows_of(staff, f"{path}changed.csv") == [
        ["title", "change"],
        ["Alien (1979)", "duration minutes: 117 → 116"],
    ]


def test_an_unknown_table_of_an_import_is_not_found(staff):
    assert staff.get(f"{uploaded(staff, FILE)}unchanged.csv").status_code == 404
