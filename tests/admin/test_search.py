"""Search and order of the admin's lists of movies and shows."""

import pytest
from django.db.models import QuerySet

from booking.models import Movie
from tests.factories import make_movie, make_show
from tests.staff import SHOWS

MOVIES = "/admin/booking/movie/"


def listed(staff, path, **query):
    return list(staff.get(path, query).context["cl"].result_list)


@pytest.mark.parametrize("search", ["éclair", "ECLAIR", "etienne", "Étienne ecl"])
def test_movies_are_searched_without_case_and_accents(staff, search):
    make_movie(title="Zodiac")
    make_movie(title="Éclair", director="Étienne")
    assert [movie.title for movie in listed(staff, MOVIES, q=search)] == ["Éclair"]


def test_movies_are_listed_by_title_without_case_and_accents(staff):
    for title in ("Zodiac", "amélie", "Éclair"):
        make_movie(title=title)
    titles = [[movie.title for movie in listed(staff, MOVIES, o=order)] for order in ("", "1", "-1")]
    assert titles == [["amélie", "Éclair", "Zodiac"]] * 2 + [["Zodiac", "Éclair", "amélie"]]


def test_shows_are_searched_by_movie_without_case_and_accents(staff):
    show = make_show(movie=make_movie(title="Éclair"))
    make_show(movie=make_movie(title="Zodiac"))
    assert listed(staff, SHOWS, q="eclair") == [show]


def test_a_movie_that_is_not_folded_yet_is_found(staff):
    movie = make_movie(title="Zodiac")
    QuerySet(Movie).update(folded_title=None, folded_director=None)
    assert listed(staff, MOVIES, q="zodi") == [movie]
