"""Whatever a client sends is understood or refused, in JSON, and never breaks the service."""

import json

import pytest

from booking.models import Booking, User
from tests.bodies import NO_WHOLE_NUMBERS, each_of_both, field_errors, reasons, send
from tests.factories import PASSWORD, make_movie

DEEP = "[" * 20_000 + "]" * 20_000
TOO_LARGE = json.dumps({"seat_number": "1" * 1_000_000})


def book_path(show):
    return f"/api/shows/{show.pk}/book/"


# --- Seat numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("seat_number", NO_WHOLE_NUMBERS, ids=lambda text: text[:20])
def test_a_seat_number_that_is_no_whole_number_is_refused(client, show, seat_number):
    answer = send(client, book_path(show), f'{{"seat_number": {seat_number}}}')
    assert field_errors(answer) == {"seat_number": ["A whole number is required."]}
    assert Booking.objects.count() == 0


@pytest.mark.parametrize("seat_number", ["0", "-1", "51", '"0"', '"51"', "2147483648", "9223372036854775808", "1" * 31])
def test_a_whole_number_outside_the_hall_is_no_seat(client, show, seat_number):
    answer = send(client, book_path(show), f'{{"seat_number": {seat_number}}}')
    assert reasons(answer, 400) == {"detail": "This show has seats 1 to 50.", "code": "no_such_seat"}
    assert Booking.objects.count() == 0


@pytest.mark.parametrize("seat_number", ["NaN", "Infinity", "-Infinity", "1" * 5000, "05", "+5", "0x5", "5,", "'5'"])
def test_a_seat_number_that_is_not_json_is_refused(client, show, seat_number):
    answer = send(client, book_path(show), f'{{"seat_number": {seat_number}}}')
    assert reasons(answer, 400)["code"] == "parse_error"
    assert Booking.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{}", "This field is required."),
        ('{"seat": 5}', "This field is required."),
        ('{"seat_number": null}', "This field may not be null."),
    ],
)
def test_a_seat_number_that_is_missing_is_asked_for(client, show, body, reason):
    assert field_errors(send(client, book_path(show), body)) == {"seat_number": [reason]}


@pytest.mark.parametrize("seat_number", ["5", '"5"', '"05"'])
def test_a_whole_number_and_plain_digits_are_taken(client, show, seat_number):
    answer = send(client, book_path(show), f'{{"seat_number": {seat_number}}}')
    assert reasons(answer, 201)["seat_number"] == 5


def test_fields_that_nobody_asked_for_change_nothing(client, show, user):
    body = {"seat_number": 5, "status": "cancelled", "user": 10**9, "reference": "MINE", "id": 77}
    answer = reasons(client.post(book_path(show), body), 201)
    assert (answer["seat_number"], answer["status"]) == (5, "booked")
    assert Booking.objects.get().user == user


# --- Path ids ---------------------------------------------------------------------------------

NO_IDS = [
    "0",
    "-1",
    "007",
    "+1",
    "1.0",
    "1e3",
    "1_0",
    "9223372036854775808",
    "9999999999999999999",
    "1" + "0" * 30,
    "9" * 5000,
    "abc",
    "null",
    "٤",
    "%D9%A4",
    "1%00",
    "%00",
    "1%0A",
    "%0A",
    "%FF",
    "%ED%A0%80",
    "%20 1",
    "1%2F",
    "..%2F..",
    "%25",
    "%",
    "1;",
    "<script>",
]
PATHS_WITH_IDS = [
    ("GET", "/api/movies/{}/"),
    ("GET", "/api/movies/{}/shows/"),
    ("GET", "/api/shows/{}/"),
    ("GET", "/api/shows/{}/seats/"),
    ("POST", "/api/shows/{}/book/"),
    ("POST", "/api/shows/{}/book-seats/"),
    ("POST", "/api/shows/{}/hold/"),
    ("GET", "/api/bookings/{}/"),
    ("POST", "/api/bookings/{}/cancel/"),
    ("POST", "/api/bookings/{}/move/"),
]


@pytest.mark.parametrize(
    ("pk", "method", "path"),
    [(pk, *one) for pk, one in each_of_both(NO_IDS, PATHS_WITH_IDS)],
    ids=lambda text: text[:20],
)
def test_an_id_that_is_none_is_not_found(client, pk, method, path):
    answer = client.generic(method, path.format(pk), '{"seat_number": 1}', content_type="application/json")
    assert reasons(answer, 404)["code"] == "not_found"


@pytest.mark.parametrize(("method", "path"), PATHS_WITH_IDS)
def test_the_largest_possible_id_is_looked_up(client, method, path):
    answer = client.generic(method, path.format(2**63 - 1), '{"seat_number": 1}', content_type="application/json")
    assert reasons(answer, 404)["code"] == "not_found"


# --- Bodies -----------------------------------------------------------------------------------

POSTS = [
    "/api/signup/",
    "/api/token/",
    "/api/token/refresh/",
    "/api/token/blacklist/",
    "/api/me/password/",
    "/api/password-reset/",
    "/api/password-reset/confirm/",
    "/api/shows/{}/book/",
    "/api/bookings/{}/move/",
]
# These want one of two fields; test_seats_input.py asks what is said where both are missing.
POSTS_OF_SEATS = ["/api/shows/{}/book-seats/", "/api/shows/{}/hold/"]
NO_JSON = {
    "blank": b" ",
    "truncated": b'{"seat_number": 5',
    "no quotes": b"{seat_number: 5}",
    "comma": b'{"seat_number": 5,}',
    "two": b"{}{}",
    "comment": b"{} // 5",
    "form": b"seat_number=5",
    "xml": b"<seat>5</seat>",
    "nul": b"\0",
    "invalid utf-8": b'{"seat_number": "\xff"}',
    "utf-8 surrogate": b'{"seat_number": "\xed\xa0\x80"}',
    "utf-16": '{"seat_number": 5}'.encode("utf-16"),
    "nan": b"NaN",
    "a key twice": b'{"seat_number": 5, "seat_number": 6}',
    "a key twice, once escaped": b'{"seat_number": 5, "seat\\u005fnumber": 5}',
    "a key twice within": b'{"seat_number": {"a": 1, "a": 1}}',
    "deep": DEEP.encode(),
    "deep object": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "deep value": f'{{"seat_number": {DEEP}}}'.encode(),
}
NO_OBJECTS = ["[]", "null", '"text"', "5", "2.5", "true", '[{"seat_number": 5}]', '""', "[1, 2]"]


@pytest.fixture
def post_to(client, show):
    """Sends a raw body to one of POSTS or POSTS_OF_SEATS."""

    def post(path, body, content_type="application/json"):
        return send(client, path.format(show.pk), body, content_type)

    return post


@pytest.mark.parametrize(("name", "path"), each_of_both(NO_JSON, [*POSTS, *POSTS_OF_SEATS]))
def test_a_body_that_is_not_json_is_refused(post_to, path, name):
    assert reasons(post_to(path, NO_JSON[name]), 400)["code"] == "parse_error"


def test_a_key_that_occurs_twice_is_named_as_the_reason(client, show):
    answer = send(client, book_path(show), '{"seat_number": 5, "seat_number": 6}')
    assert reasons(answer, 400) == {
        "detail": "JSON parse error - A key occurs twice in one object.",
        "code": "parse_error",
    }


@pytest.mark.parametrize("path", POSTS)
def test_an_empty_body_lacks_each_field(post_to, path):
    assert set(map(tuple, field_errors(post_to(path, "")).values())) == {("This field is required.",)}


@pytest.mark.parametrize(("path", "body"), each_of_both([*POSTS, *POSTS_OF_SEATS], NO_OBJECTS))
def test_a_body_that_is_no_object_is_refused(post_to, path, body):
    assert list(field_errors(post_to(path, body))) == [""]


@pytest.mark.parametrize("path", [*POSTS, *POSTS_OF_SEATS])
def test_a_body_over_1_mb_is_refused(post_to, path):
    assert reasons(post_to(path, TOO_LARGE), 413)["code"] == "body_too_large"


def test_a_body_of_1_mb_is_read(client, show):
    body = '{"seat_number": 5}'.ljust(1_000_000)
    assert reasons(send(client, book_path(show), body), 201)["seat_number"] == 5


OTHER_TYPES = [
    "",
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "json",
    "*/*",
    "application/xml",
    "application/json-patch+json",
    "application",
    "/",
    ";",
    "é",
    "application/json, text/plain",
]


@pytest.mark.parametrize(("content_type", "path"), each_of_both(OTHER_TYPES, [*POSTS, *POSTS_OF_SEATS]))
def test_a_body_of_another_type_is_refused(post_to, path, content_type):
    answer = post_to(path, '{"seat_number": 5}', content_type)
    assert reasons(answer, 415)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y"]
)
def test_json_is_taken_however_its_type_is_written(client, show, content_type):
    assert reasons(send(client, book_path(show), '{"seat_number": 5}', content_type), 201)["seat_number"] == 5


CHARSETS = [
    "utf-16",
    "latin-1",
    "utf-7",
    "idna",
    "punycode",
    "rot13",
    "hex",
    "base64",
    "zlib",
    "undefined",
    "unicode_escape",
    "nonsense",
    "",
    '"',
    "%00",
]


@pytest.mark.parametrize("charset", CHARSETS)
def test_json_is_utf_8_whatever_charset_is_named(client, show, charset):
    answer = send(client, book_path(show), '{"seat_number": 5}', f"application/json; charset={charset}")
    assert reasons(answer, 201)["seat_number"] == 5


@pytest.mark.django_db
@pytest.mark.parametrize("charset", CHARSETS)
def test_a_list_is_given_whatever_charset_is_named(anyone, charset):
    make_movie(title="Amélie")
    answer = anyone.get("/api/movies/?search=am%C3%A9lie", CONTENT_TYPE=f"text/plain; charset={charset}")
    assert reasons(answer, 200)["count"] in (0, 1)


# --- Text -------------------------------------------------------------------------------------

BAD_TEXTS = ['"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"a\\udfff"', "[]", "{}", "true", "null", '["a"]', '{"a": 1}']
TEXT_FIELDS = [
    ("/api/signup/", "username"),
    ("/api/signup/", "password"),
    ("/api/signup/", "email"),
    ("/api/token/", "username"),
    ("/api/token/", "password"),
    ("/api/token/refresh/", "refresh"),
    ("/api/token/blacklist/", "refresh"),
    ("/api/me/password/", "current_password"),
    ("/api/me/password/", "new_password"),
    ("/api/password-reset/", "email"),
    ("/api/password-reset/confirm/", "uid"),
    ("/api/password-reset/confirm/", "token"),
    ("/api/password-reset/confirm/", "new_password"),
]
GOOD_TEXTS = {
    "/api/signup/": {"username": "asha", "password": PASSWORD},
    "/api/token/": {"username": "esha", "password": PASSWORD},
    "/api/password-reset/confirm/": {"uid": "MQ", "token": "a-b", "new_password": "another fine phrase"},
    "/api/me/password/": {"current_password": PASSWORD, "new_password": "another fine phrase"},
}


def with_raw(fields, name, raw):
    """The fields as JSON, with the one named replaced by raw text."""
    return json.dumps(fields | {name: "RAW"}).replace('"RAW"', raw)


@pytest.mark.parametrize(("path", "field"), TEXT_FIELDS)
@pytest.mark.parametrize("text", BAD_TEXTS)
def test_text_that_is_none_is_refused_by_its_field(post_to, path, field, text):
    answer = post_to(path, with_raw(GOOD_TEXTS.get(path, {}), field, text))
    assert list(field_errors(answer)) == [field]


@pytest.mark.parametrize(("path", "field"), TEXT_FIELDS)
def test_text_that_is_too_long_is_refused_by_its_field(post_to, path, field):
    answer = post_to(path, with_raw(GOOD_TEXTS.get(path, {}), field, json.dumps("x" * 100_000)))
    assert list(field_errors(answer)) == [field]


@pytest.mark.parametrize("email", [*BAD_TEXTS, '"nobody"', '"a@b"', '"é@é"', "5", json.dumps("x" * 999)])
def test_an_address_that_is_none_changes_nothing(client, user, email):
    answer = client.generic("PATCH", "/api/me/", f'{{"email": {email}}}', content_type="application/json")
    assert list(field_errors(answer)) == ["email"]
    user.refresh_from_db()
    assert user.email == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    "username", ["a b", "é", "\uff45sha", "\u0430", "a/b", "a\tb", "😀", "a'b", "x" * 151, "", " "]
)
def test_a_user_name_of_other_characters_is_refused(anyone, username):
    answer = anyone.post("/api/signup/", {"username": username, "password": PASSWORD})
    assert list(field_errors(answer)) == ["username"]
    assert User.objects.count() == 0


# --- Query parameters -------------------------------------------------------------------------


@pytest.fixture
def lists(client, show):
    """Paths of all lists."""
    return ["/api/movies/", f"/api/movies/{show.movie_id}/shows/", "/api/my-bookings/"]


@pytest.mark.parametrize(
    "page",
    [
        "0",
        "-1",
        "2",
        "x",
        "1.5",
        "1e3",
        "%00",
        "%FF",
        "%D9%A4",
        "null",
        "9223372036854775808",
        "1" + "0" * 30,
        "9" * 5000,
    ],
    ids=lambda page: page[:20],
)
def test_a_page_that_there_is_not_is_not_found(client, lists, page):
    answers = [client.get(f"{path}?page={page}") for path in lists]
    assert [reasons(answer, 404) for answer in answers] == [{"detail": "Invalid page.", "code": "not_found"}] * 3


@pytest.mark.parametrize(
    "size", ["0", "-1", "1000", "x", "", "%00", "%FF", "1.5", "1" + "0" * 30, "9" * 5000], ids=lambda size: size[:20]
)
def test_a_page_size_out_of_bounds_does_no_harm(client, lists, size):
    answers = [client.get(f"{path}?page_size={size}") for path in lists]
    assert [reasons(answer, 200)["count"] for answer in answers] == [1, 1, 0]


@pytest.mark.parametrize(
    "date",
    [
        "x",
        "2099",
        "2099-13-01",
        "2099-02-29",
        "0000-01-01",
        "0000-00-00",
        "10000-01-01",
        "-1",
        "2099-06-01T18:00:00Z",
        "%00",
        "2099-06-01%00",
        "%FF",
        "1" * 5000,
    ],
    ids=lambda date: date[:20],
)
def test_a_date_that_there_is_not_is_refused(anyone, show, date):
    answer = anyone.get(f"/api/movies/{show.movie_id}/shows/?date={date}")
    assert list(field_errors(answer)) == ["date"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Adak"])
@pytest.mark.parametrize("date", ["0001-01-01", "0001-01-02", "1582-10-10", "9999-12-30", "9999-12-31"])
def test_a_date_at_the_end_of_time_has_no_shows(anyone, show, settings, zone, date):
    settings.TIME_ZONE = zone
    answer = anyone.get(f"/api/movies/{show.movie_id}/shows/?date={date}")
    assert reasons(answer, 200)["results"] == []


@pytest.mark.parametrize("parameter", ["search", "language", "genre"])
def test_nul_in_a_filter_is_refused(anyone, show, parameter):
    assert reasons(anyone.get(f"/api/movies/?{parameter}=a%00b"), 400)


@pytest.mark.parametrize("parameter", ["search", "language", "genre"])
@pytest.mark.parametrize(
    "text",
    ["%FF", "%ED%A0%80", "%25", "_", "%5C", "'", '"', "%22a", "';--", "%F0%9F%8E%AC", "(", "%2A", "%0A"],
)
def test_rubbish_in_a_filter_finds_nothing(anyone, show, parameter, text):
    assert reasons(anyone.get(f"/api/movies/?{parameter}={text}zzz"), 200)["results"] == []


@pytest.mark.parametrize("parameter", ["search", "language", "genre"])
@pytest.mark.parametrize("text", ["zzz+" * 1_900, "z" * 7_900, "%25" * 2_600], ids=["words", "long", "wildcards"])
def test_a_filter_s_size_breaks_nothing(anyone, show, parameter, text):
    answer = anyone.get(f"/api/movies/?{parameter}={text}")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "ordering",
    ["x", "-", "--title", "password", "shows__id", "%00", "%FF", "title;", "?", "", "pk", "id", "title," * 1_300],
    ids=lambda ordering: ordering[:20],
)
def test_an_unknown_ordering_changes_nothing(anyone, show, ordering):
    make_movie(title="Zodiac")
    titles = [movie["title"] for movie in reasons(anyone.get(f"/api/movies/?ordering={ordering}"), 200)["results"]]
    assert titles == [show.movie.title, "Zodiac"]


@pytest.mark.parametrize("status", ["x", "BOOKED", "blocked", "booked,cancelled", "%00", "%FF", "booked%00", "0"])
def test_an_unknown_status_is_refused(client, status):
    assert list(field_errors(client.get(f"/api/my-bookings/?status={status}"))) == ["status"]


@pytest.mark.parametrize("query", ["nonsense=1", "=", "&&&", "%", "%00=%00", "page[]=1", "format=xml", "format=%00"])
def test_unknown_parameters_change_nothing(client, lists, query):
    answers = [client.get(f"{path}?{query}") for path in lists]
    assert [reasons(answer, 200)["count"] for answer in answers] == [1, 1, 0]


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "*/*", "", "é", ";", "x" * 5000, "application/json;q=0"]
)
def test_the_answer_is_json_whatever_a_client_accepts(client, lists, accept):
    answers = [client.get(path, HTTP_ACCEPT=accept) for path in lists]
    assert [reasons(answer, 200)["count"] for answer in answers] == [1, 1, 0]
