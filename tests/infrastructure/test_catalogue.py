"""Cached responses are never out of date: each change in the database is in the next response."""

from datetime import timedelta

import pytest
from django.db import DataError, InternalError, connection
from django.utils import timezone

from booking import services
from booking.models import Movie, Show
from tests.factories import make_booking, make_movie, make_show
from tests.races import at_once

pytestmark = pytest.mark.django_db


def titles(anyone):
    return [movie["title"] for movie in anyone.get("/api/movies/").json()["results"]]


def listed(anyone, show):
    return anyone.get(f"/api/movies/{show.movie_id}/shows/").json()["results"]


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (lambda movie: Movie.objects.create(title="B"), ["A", "B"]),
        (lambda movie: Movie.objects.filter(pk=movie.pk).update(title="Z"), ["Z"]),
        (lambda movie: movie.delete(), []),
        (lambda movie: Movie.objects.bulk_create([Movie(title="B"), Movie(title="C")]), ["A", "B", "C"]),
        (lambda movie: connection.cursor().execute("UPDATE booking_movie SET title = 'Y'"), ["Y"]),
    ],
)
def test_a_changed_movie_is_in_the_next_list(anyone, change, after):
    movie = make_movie(title="A")
    assert titles(anyone) == ["A"]
    change(movie)
    assert titles(anyone) == after


def test_a_changed_movie_is_in_its_next_page(anyone):
    movie = make_movie(title="A")
    assert anyone.get(f"/api/movies/{movie.pk}/").json()["title"] == "A"
    Movie.objects.update(title="B")
    assert anyone.get(f"/api/movies/{movie.pk}/").json()["title"] == "B"


@pytest.mark.django_db(transaction=True)
def test_a_change_on_another_connection_is_in_the_next_list(anyone):
    make_movie(title="A")
    assert titles(anyone) == ["A"]
    at_once([lambda: Movie.objects.update(title="B")])
    assert titles(anyone) == ["B"]


def test_a_booking_is_in_the_next_list_of_shows(anyone, show):
    assert listed(anyone, show)[0]["seats_available"] == 50
    make_booking(show=show)
    assert listed(anyone, show)[0]["seats_available"] == 49


def test_a_cancelled_show_is_not_in_the_next_list(anyone, show):
    assert len(listed(anyone, show)) == 1
    services.cancel_show(show_id=show.pk, now=timezone.now())
    assert listed(anyone, show) == []


def test_a_renamed_screen_is_in_the_next_list_of_shows(anyone, show):
    assert listed(anyone, show)
    show.screen.name = "Renamed"
    show.screen.save()
    assert listed(anyone, show)[0]["screen"]["name"] == "Renamed"


def test_a_started_show_is_not_in_the_next_list(anyone, show, monkeypatch):
    later = make_show(movie=show.movie, starts_at=show.starts_at + timedelta(days=1))
    assert len(listed(anyone, show)) == 2
    monkeypatch.setattr("booking.views.catalogue.timezone.now", lambda: show.starts_at)
    assert [row["id"] for row in listed(anyone, show)] == [later.pk]


def test_refusals_and_other_methods_are_not_cached(anyone):
    assert anyone.get("/api/movies/1/").status_code == 404
    Movie.objects.create(pk=1, title="A")
    assert anyone.get("/api/movies/1/").status_code == 200
    assert anyone.head("/api/movies/1/").status_code == 200
    assert anyone.delete("/api/movies/1/").status_code == 405


def test_cached_pages_depend_on_their_host(anyone):
    for number in range(21):
        Movie.objects.create(title=f"Movie {number}")
    first = anyone.get("/api/movies/").json()["next"]
    other = anyone.get("/api/movies/", SERVER_NAME="localhost").json()["next"]
    assert (first, other) == ("http://testserver/api/movies/?page=2", "http://localhost/api/movies/?page=2")


def test_a_booking_does_not_change_the_catalogue(show, django_assert_num_queries):
    assert Show.objects.count() == 1
    from booking.infrastructure.catalogue_cache import catalogue_version

    before = catalogue_version()
    make_booking(show=show)
    assert catalogue_version() == before


@pytest.mark.django_db(transaction=True)
def test_a_read_only_server_makes_the_service_busy(anyone):
    def say_goodbye(*_):
        raise InternalError

    with connection.execute_wrapper(say_goodbye):
        answer = anyone.get("/api/movies/")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


@pytest.mark.django_db
def test_a_programming_error_is_not_reported_as_an_unavailable_database(anyone):
    def fail(*_):
        raise DataError

    anyone.raise_request_exception = False
    with connection.execute_wrapper(fail):
        answer = anyone.get("/api/movies/")
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
