"""The query parameters of lists: invalid ones are refused with their names."""

import pytest

from tests.bodies import field_errors, reasons
from tests.factories import STARTS_AT, make_booking, make_movie, make_show

LISTS = ["/api/movies/", "/api/movies/{movie}/shows/", "/api/shows/", "/api/my-bookings/"]
NUMBERS = ["0", "-1", "+1", "x", "1.5", "1.0", "1e3", "0x1", "1_0", "%00", "1%00", "%FF", "%D9%A4", "%EF%BC%91",
           "%C2%B9", "null", "last", " 1", "1,2", "9223372036854775808", "9" * 5000]  # fmt: skip


@pytest.fixture(params=LISTS)
def path(request, show):
    """The path of a list with at most one row."""
    return request.param.format(movie=show.movie_id)


# --- Pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", ["page", "page_size"])
def test_an_invalid_number_is_refused(client, path, parameter):
    refused = {number: list(field_errors(client.get(f"{path}?{parameter}={number}"))) for number in NUMBERS}
    assert refused == {number: [parameter] for number in NUMBERS}


@pytest.mark.parametrize("size", ["101", "1000"])
def test_a_page_of_more_than_100_rows_is_refused(client, path, size):
    answer = client.get(f"{path}?page_size={size}")
    assert field_errors(answer) == {"page_size": ["Ensure this value is less than or equal to 100."]}


@pytest.mark.parametrize("page", ["2", "999999999999999999"])
def test_a_page_past_the_end_is_not_found(client, path, page):
    assert reasons(client.get(f"{path}?page={page}"), 404)["code"] == "not_found"


def test_a_page_is_a_number_of_ascii_digits(client, path):
    assert reasons(client.get(f"{path}?page=01&page_size=100"), 200)["previous"] is None


# --- Names ------------------------------------------------------------------------------------


def test_an_unknown_parameter_is_refused(client, path):
    names = ["nonsense", "Page", "page[]", "format", "cursor", "show__id", "é", "non_field"]
    errors = field_errors(client.get(path, dict.fromkeys(names, "1")))
    assert list(errors) == names
    for [sentence] in errors.values():
        assert sentence.startswith("Unknown parameter. This list has ")
        assert sentence.endswith("page, page_size.")


def test_an_unusual_parameter_name_is_refused(client, path):
    names = {"=": [""], "%": ["%"], "%00=1": ["\0"], "%FF=1": ["\ufffd"]}
    assert {query: list(field_errors(client.get(f"{path}?{query}"))) for query in names} == names


def test_every_invalid_parameter_is_reported(client, path):
    errors = field_errors(client.get(f"{path}?page=x&size=1&page_size=0"))
    assert sorted(errors) == ["page", "page_size", "size"]


def test_a_parameter_that_occurs_twice_is_refused(client, path):
    assert field_errors(client.get(f"{path}?page=1&page=1")) == {"page": ["The parameter occurs twice."]}


def test_a_thousand_parameters_are_refused(client, path):
    answer = client.get(f"{path}?{'&' * 1500}")
    assert list(field_errors(answer).values()) == [["The query has too many parameters."]]


def test_an_empty_parameter_counts_as_absent(client, path):
    queries = ["", "&&&", "page=", "page_size=", "page=&page_size="]
    assert [reasons(client.get(f"{path}?{query}"), 200)["previous"] for query in queries] == [None] * 5


def test_empty_filters_do_not_filter(anyone, show):
    assert reasons(anyone.get("/api/movies/?search=&language=&genre=&ordering="), 200)["count"] == 1
    assert reasons(anyone.get("/api/shows/?date=&from=&to=&movie=&screen=&ordering="), 200)["count"] == 1


@pytest.mark.parametrize(
    "path", ["/api/movies/{movie}/", "/api/shows/{show}/", "/api/shows/{show}/seats/", "/api/bookings/{booking}/"]
)
def test_a_path_without_parameters_ignores_a_query(client, user, show, path):
    ids = {"movie": show.movie_id, "show": show.pk, "booking": make_booking(user=user, show=show).pk}
    reasons(client.get(f"{path.format(**ids)}?search=nothing&page=x"), 200)


# --- Days -------------------------------------------------------------------------------------

NO_DAYS = [
    "x", "2099", "2099-06", "2099-6-1", "2099-06-1", "20990601", "2099-152", "2099-W23-1", "2099-13-01", "2099-02-29",
    "0000-01-01", "10000-01-01", "-1", "01/06/2099", "02/12/2026", "1 June 2099", "2099-06-01T18:00:00Z", " 2099-06-01",
    "%00", "2099-06-01%00", "%FF", "%D9%A2%D9%A0%D9%A9%D9%A9-06-01", "2099-06-01,2099-06-02", "today", "1" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("parameter", ["date", "from", "to"])
@pytest.mark.parametrize("path", ["/api/shows/", "/api/movies/{}/shows/"])
def test_an_invalid_day_is_refused(anyone, show, path, parameter):
    path = path.format(show.movie_id)
    errors = {day: field_errors(anyone.get(f"{path}?{parameter}={day}")) for day in NO_DAYS}
    assert errors == {day: {parameter: ["Enter a day as YYYY-MM-DD."]} for day in NO_DAYS}


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Adak"])
def test_the_first_and_the_last_days_of_the_calendar_have_no_shows(anyone, show, settings, zone):
    settings.TIME_ZONE = zone
    path, days = f"/api/movies/{show.movie_id}/shows/", ["0001-01-01", "0001-01-02", "1582-10-10", "9999-12-30"]
    for day in [*days, "9999-12-31"]:
        assert reasons(anyone.get(f"{path}?date={day}"), 200)["results"] == []


@pytest.mark.parametrize("day", ["from=0001-01-01", "to=9999-12-31"])
def test_all_days_have_all_shows(anyone, show, day):
    assert reasons(anyone.get(f"/api/shows/?{day}"), 200)["count"] == 1


@pytest.mark.parametrize("other", ["from=2099-06-01", "to=2099-06-01"])
def test_a_day_and_a_period_are_refused_together(anyone, show, other):
    answer = anyone.get(f"/api/shows/?date=2099-06-01&{other}")
    assert field_errors(answer) == {"date": ["Not allowed with from and to."]}


def test_a_period_that_ends_before_it_begins_is_refused(anyone, show):
    answer = anyone.get("/api/shows/?from=2099-06-02&to=2099-06-01")
    assert field_errors(answer) == {"to": ["The last day must not be before the first."]}


# --- Order ------------------------------------------------------------------------------------

NO_ORDERS = ["x", "titel", "-", "--title", "+title", "Title", "password", "movie__title", "%00", "title%00", "%FF",
             "title;", "%3F", "pk", "id", ",", "title,", " title", "title, -title", "folded_title"]  # fmt: skip


@pytest.mark.parametrize("path", ["/api/movies/", "/api/shows/"])
def test_an_unknown_order_is_refused(anyone, show, path):
    for ordering in NO_ORDERS:
        [sentence] = field_errors(anyone.get(f"{path}?ordering={ordering}"))["ordering"]
        assert " is not one of " in sentence


@pytest.mark.parametrize("path", ["/api/movies/", "/api/shows/"])
def test_a_name_that_occurs_twice_in_an_order_is_refused(anyone, show, path):
    for ordering in ("title,title", "title,-title", "-title,title", "title," * 1_000 + "title"):
        assert field_errors(anyone.get(f"{path}?ordering={ordering}")) == {"ordering": ["A name occurs twice."]}


@pytest.mark.parametrize("path", ["/api/my-bookings/", "/api/movies/{}/shows/"])
def test_a_list_without_orderings_refuses_the_parameter(client, show, path):
    assert list(field_errors(client.get(f"{path.format(show.movie_id)}?ordering=starts_at"))) == ["ordering"]


# --- Text -------------------------------------------------------------------------------------

TEXTS = ["search", "language", "genre"]


@pytest.mark.django_db
@pytest.mark.parametrize("parameter", TEXTS)
def test_nul_in_a_text_is_refused(anyone, parameter):
    answer = anyone.get(f"/api/movies/?{parameter}=a%00b")
    assert field_errors(answer) == {parameter: ["Null characters are not allowed."]}


@pytest.mark.django_db
@pytest.mark.parametrize("parameter", TEXTS)
def test_a_text_that_is_not_utf_8_is_refused(anyone, parameter):
    expected = {parameter: ["Enter the text in UTF-8, without the character U+FFFD."]}
    for text in ("%FF", "a%FFb", "%ED%A0%80", "%C0%AF", "%F0%9F", "%EF%BF%BD"):
        assert field_errors(anyone.get(f"/api/movies/?{parameter}={text}")) == expected


@pytest.mark.parametrize("parameter", TEXTS)
def test_a_search_for_special_characters_finds_nothing(anyone, show, parameter):
    texts = ["%25", "_", "%5C", "'", '"', "%22a", "';--", "%F0%9F%8E%AC", "(", "%2A", "%0A"]
    found = {text: reasons(anyone.get(f"/api/movies/?{parameter}={text}zzz"), 200)["count"] for text in texts}
    assert found == dict.fromkeys(texts, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("parameter", TEXTS)
def test_a_text_of_more_than_100_characters_is_refused(anyone, parameter):
    for text in ("zzz+" * 1_900, "z" * 101, "z" * 7_900, "%25" * 2_600):
        answer = anyone.get(f"/api/movies/?{parameter}={text}")
        assert field_errors(answer) == {parameter: ["Ensure this field has no more than 100 characters."]}


# --- Ids, statuses and references -------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "parameter"), [("/api/shows/", "movie"), ("/api/shows/", "screen"), ("/api/my-bookings/", "show")]
)
def test_an_invalid_id_is_refused(client, show, path, parameter):
    refused = {number: list(field_errors(client.get(f"{path}?{parameter}={number}"))) for number in NUMBERS}
    assert refused == {number: [parameter] for number in NUMBERS}


@pytest.mark.parametrize(
    "query", ["shows/?movie=999999999999999999", "shows/?screen=999999999999999999", "my-bookings/?show=999999999"]
)
def test_a_filter_by_a_missing_id_has_no_rows(client, show, query):
    assert reasons(client.get(f"/api/{query}"), 200)["results"] == []


def test_an_unknown_status_is_refused(client):
    for status in ("x", "BOOKED", "blocked", "booked,cancelled", "%00", "%FF", "booked%00", "0"):
        assert list(field_errors(client.get(f"/api/my-bookings/?status={status}"))) == ["status"]


def test_an_invalid_reference_is_refused(client):
    for reference in ("x", "acdefghj", "ACDEFGH", "ACDEFGHJK", "ACDEFGH0", "ACDEFGH%00", "1" * 5000):
        assert list(field_errors(client.get(f"/api/my-bookings/?reference={reference}"))) == ["reference"]


# --- What a client accepts --------------------------------------------------------------------


def test_the_response_is_json_for_every_accept_header(client, path):
    for accept in ("text/html", "application/xml", "*/*", "", "é", ";", "x" * 5000, "application/json;q=0"):
        assert reasons(client.get(path, HTTP_ACCEPT=accept), 200)["previous"] is None


@pytest.mark.parametrize("day", ["2099-06-01", "2099-06-02"])
def test_parameters_can_be_combined(anyone, show, day):
    make_show(movie=show.movie, starts_at=STARTS_AT.replace(hour=20))
    make_show(movie=make_movie(title="Zodiac"))
    query = f"date={day}&movie={show.movie_id}&screen={show.screen_id}&ordering=-starts_at,title&page_size=1"
    assert reasons(anyone.get(f"/api/shows/?{query}"), 200)["count"] == (day == "2099-06-01")
