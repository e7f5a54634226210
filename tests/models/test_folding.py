"""Folded texts: what they are, and that they follow their source however it is saved."""

import importlib

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.models import Value
from django.db.models.functions import Concat

from booking.models import Movie, Order, User
from booking.models.folding import MAX_FOLDED_LENGTH, fold
from tests.factories import make_booking, make_movie, make_user

migration = importlib.import_module("booking.migrations.0005_fold_titles")
names = importlib.import_module("booking.migrations.0014_fold_names")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        ("Éclair", "eclair"),
        ("E\u0301clair", "eclair"),
        ("Straße STRASSE ẞ", "strasse strasse ss"),
        ("Ελλάς ΕΛΛΆΣ", "ελλασ ελλασ"),
        ("İstanbul ISPARTA \u0131", "istanbul isparta i"),
        ("Łódź Æon Øresund Þór Œuvre", "lodz aeon oresund thor oeuvre"),
        ("ﬁlm №9 Ⅷ", "film no9 viii"),
        ("  two \u00a0 words\n", "two words"),
        ("Rosemary\u2019s", "rosemary's"),
        ("\u0301", ""),
        ("ΐ ᾳ", "\u03b9 \u03b1\u03b9"),
        ("が", "か"),
        ("🎬", "🎬"),
    ],
)
def test_a_text_is_folded(text, folded):
    assert fold(text) == folded


@pytest.mark.parametrize("code", range(0, 0x3000, 0x400))
def test_folding_twice_changes_nothing_more(code):
    for character in map(chr, range(code, code + 0x400)):
        assert fold(fold(f"a{character}b")) == fold(f"a{character}b")


pytestmark = pytest.mark.django_db


def folds(movie):
    return Movie.objects.values_list("folded_title", "folded_director").get(pk=movie.pk)


@pytest.fixture
def movie():
    return make_movie(title="Éclair", director="Ångström")


def test_a_movie_is_saved_with_its_folds(movie):
    assert folds(movie) == ("eclair", "angstrom")


@pytest.mark.parametrize("update_fields", [None, ["title"], ["title", "duration_minutes"]])
def test_a_changed_title_is_folded(movie, update_fields):
    movie.title = "Über"
    movie.save(update_fields=update_fields)
    assert folds(movie) == ("uber", "angstrom")


def test_another_field_does_not_change_the_folds(movie):
    models.QuerySet(Movie).update(folded_title="old")
    movie.duration_minutes = 5
    movie.save(update_fields=["duration_minutes"])
    assert folds(movie) == ("old", "angstrom")


def test_many_movies_are_folded(movie):
    Movie.objects.bulk_create([Movie(title="Ā", director="Ē")])
    assert folds(Movie.objects.get(title="Ā")) == ("a", "e")
    movie.title, movie.director = "Ī", "Ō"
    Movie.objects.bulk_update([movie], ["title", "director"])
    assert folds(movie) == ("i", "o")


def test_an_update_is_folded(movie):
    Movie.objects.update(title="Ū")
    assert folds(movie) == ("u", "angstrom")


def test_an_update_by_an_expression_is_folded_by_the_cleanup(movie):
    Movie.objects.update(title=Concat("title", Value("s")))
    assert folds(movie) == (None, "angstrom")
    assert Movie.objects.get().has_stale_folds()


def test_a_movie_that_is_not_folded_yet_is_found_and_listed_last(movie):
    models.QuerySet(Movie).update(folded_title=None, folded_director=None)
    make_movie(title="Zodiac", director="Fincher")
    assert [movie.title for movie in Movie.objects.matching("clair ngstr")] == ["Éclair"]
    by_title = Movie.objects.order_by(models.F("folded_title").asc(nulls_last=True))
    assert [movie.title for movie in by_title] == ["Zodiac", "Éclair"]


@pytest.mark.parametrize("letter", ["a", "é", "\ufdfa", "\U0001f3ac"])
def test_the_longest_title_is_saved_and_found(letter):
    title = letter * 200
    movie = make_movie(title=title)
    assert len(folds(movie)[0]) <= MAX_FOLDED_LENGTH
    assert list(Movie.objects.matching(letter * 20)) == [movie]


def test_the_migration_folds_existing_movies(monkeypatch):
    monkeypatch.setattr(migration, "BATCH_SIZE", 2)
    made = [make_movie(title=title, director="Ç") for title in "ÀÈÌÒÙ"]
    models.QuerySet(Movie).update(folded_title=None, folded_director=None)
    migration.fold_movies(apps, None)
    assert [folds(movie) for movie in made] == [(letter, "c") for letter in "aeiou"]


def test_the_migration_folds_existing_names(monkeypatch):
    monkeypatch.setattr(names, "BATCH_SIZE", 2)
    made = [make_user(username=letter, first_name=letter, last_name="") for letter in ["a", "b", "c"]]
    make_booking(user=made[0])
    models.QuerySet(User).filter(pk=made[2].pk).update(first_name="")
    models.QuerySet(User).update(folded_first_name=None, folded_last_name=None)
    models.QuerySet(Order).update(name="Éva", folded_name=None)
    names.fold_names(apps, None)
    assert [User.objects.get(pk=user.pk).folded_first_name for user in made] == ["a", "b", None]
    assert Order.objects.get().folded_name == "eva"


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite compares by code point by default")
def test_a_title_is_compared_by_code_point():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT collation_name FROM information_schema.columns"
            " WHERE table_name = 'booking_movie' AND column_name LIKE 'folded%'"
        )
        assert cursor.fetchall() == [("C",), ("C",)]
