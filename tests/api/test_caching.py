"""Lists of the catalogue: conditional requests and compression."""

import gzip

import pytest

from booking.views.caching import GZIP
from tests.factories import make_booking, make_movie, make_show

LISTS = ["/api/movies/", "/api/movies/{}/shows/", "/api/shows/"]


@pytest.fixture(params=LISTS)
def path(request, show):
    """The path of a list that is long enough to be compressed."""
    for number in range(5):
        make_show(movie=show.movie)
        make_movie(title=f"Long {number}", description="Long. " * 20)
    return request.param.format(show.movie_id)


@pytest.fixture(params=["first answer", "cached answer"])
def ask(request, anyone, path):
    """Request the list, with headers under WSGI's names."""
    if request.param == "cached answer":
        anyone.get(path)
    return lambda method="get", **headers: getattr(anyone, method)(path, **headers)


def test_a_list_may_be_stored_and_is_revalidated(ask):
    answer = ask()
    assert (answer.status_code, answer["Cache-Control"], answer["Vary"]) == (200, "public, no-cache", "Accept-Encoding")
    assert answer["ETag"].startswith('W/"')


@pytest.mark.parametrize("known", ["{etag}", "{strong}", '"other", {etag}', "*"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_list_with_a_matching_etag_is_not_sent_again(ask, method, known):
    etag = ask()["ETag"]
    tags = known.format(etag=etag, strong=etag.removeprefix("W/"))
    answer = ask(method, HTTP_IF_NONE_MATCH=tags)
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    assert (answer["Cache-Control"], answer["Vary"]) == ("public, no-cache", "Accept-Encoding")
    assert "Content-Length" not in answer


@pytest.mark.parametrize("known", ["", '"other"', "other", "é", 'W/"'])
def test_a_list_with_another_etag_is_sent(ask, known):
    assert ask(HTTP_IF_NONE_MATCH=known).json()["count"] > 1


def test_head_has_the_headers_of_get(ask):
    get, head = ask(), ask("head")
    assert [head[name] for name in ("ETag", "Content-Length")] == [get[name] for name in ("ETag", "Content-Length")]


def test_a_list_is_compressed_for_a_client_that_accepts_it(ask):
    plain, small = ask(), ask(HTTP_ACCEPT_ENCODING="gzip, deflate, br")
    assert (small["Content-Encoding"], small["Content-Type"]) == ("gzip", "application/json")
    assert gzip.decompress(small.content) == plain.content
    assert int(small["Content-Length"]) == len(small.content) < len(plain.content)
    assert small["ETag"] == plain["ETag"]


@pytest.mark.parametrize("accept", ["gzip", "GZIP", "br, gzip", "gzip;q=0.5", "gzip; q=1.0, br", "deflate , gzip ,br"])
def test_gzip_is_accepted(accept):
    assert GZIP.search(accept)


@pytest.mark.parametrize(
    "accept", ["", "br", "identity", "*", "gzip;q=0", "gzip; q=0.000", "gzip ;q=0, br", "xgzip", "gzip-9", "é"]
)
def test_gzip_is_not_accepted(accept):
    assert not GZIP.search(accept)


def test_a_list_is_not_compressed_for_other_clients(ask):
    answer = ask(HTTP_ACCEPT_ENCODING="gzip;q=0, br")
    assert ("Content-Encoding" in answer, answer.json()["previous"]) == (False, None)


@pytest.mark.django_db
def test_a_short_list_is_not_compressed(anyone):
    answer = anyone.get("/api/movies/", HTTP_ACCEPT_ENCODING="gzip")
    assert ("Content-Encoding" in answer, answer.json()["count"]) == (False, 0)


@pytest.mark.parametrize("path", ["/api/me/", "/api/my-bookings/", "/api/shows/{}/seats/"])
def test_personal_responses_are_not_compressed(client, user, path):
    show = make_show()
    for seat_number in range(1, 30):
        make_booking(user=user, show=show, seat_number=seat_number)
    answer = client.get(path.format(show.pk), HTTP_ACCEPT_ENCODING="gzip")
    assert (answer.status_code, "Content-Encoding" in answer) == (200, False)


@pytest.mark.parametrize("path", ["/api/movies/{}/shows/", "/api/shows/"])
def test_a_booking_changes_the_tag_of_a_list_of_shows(anyone, show, path):
    path = path.format(show.movie_id)
    etag = anyone.get(path)["ETag"]
    make_booking(show=show)
    answer = anyone.get(path, HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, answer.json()["results"][0]["seats_available"]) == (200, 49)


def test_a_changed_movie_changes_the_tag_of_the_movies(anyone, show):
    etag = anyone.get("/api/movies/")["ETag"]
    make_movie(title="Zodiac")
    assert anyone.get("/api/movies/", HTTP_IF_NONE_MATCH=etag).status_code == 200


def test_a_movie_is_revalidated(anyone, show):
    path = f"/api/movies/{show.movie_id}/"
    assert anyone.get(path, HTTP_IF_NONE_MATCH=anyone.get(path)["ETag"]).status_code == 304


@pytest.mark.parametrize("query", ["page=x", "page=9"])
def test_refusals_are_not_stored_as_the_list(anyone, show, query):
    answer = anyone.get(f"/api/movies/?{query}")
    assert [name for name in ("ETag", "Cache-Control") if name in answer] == []
