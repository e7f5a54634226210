"""Invalid input is refused in JSON, and causes no server error."""

import json

import pytest

from booking.models import Booking, User
from tests.bodies import NO_WHOLE_NUMBERS, each_of_both, field_errors, no_such_seat, reasons, send
from tests.factories import PASSWORD, make_movie

DEEP = "[" * 20_000 + "]" * 20_000
TOO_LARGE = json.dumps({"seat_number": "1" * 1_000_000})


def book_path(show):
    return f"/api/shows/{show.pk}/book/"


# --- Seat numbers -----------------------------------------------------------------------------


def test_a_seat_number_that_is_not_an_integer_is_refused(client, show):
    answers = {text: send(client, book_path(show), f'{{"seat_number": {text}}}') for text in NO_WHOLE_NUMBERS}
    errors = {text: field_errors(answer) for text, answer in answers.items()}
    assert errors == {text: {"seat_number": ["A whole number is required."]} for text in NO_WHOLE_NUMBERS}
    assert Booking.objects.count() == 0


@pytest.mark.parametrize("seat_number", ["0", "-1", "51", '"0"', '"51"', "2147483648", "9223372036854775808", "1" * 31])
def test_a_seat_number_outside_the_hall_is_refused(client, show, seat_number):
    answer = send(client, book_path(show), f'{{"seat_number": {seat_number}}}')
    assert reasons(answer, 400) == no_such_seat()
    assert Booking.objects.count() == 0


@pytest.mark.parametrize(
    "seat_number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000, "05", "+5", "0x5", "5,", "'5'"]
)
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
def test_a_missing_seat_number_is_refused_with_its_field(client, show, body, reason):
    assert field_errors(send(client, book_path(show), body)) == {"seat_number": [reason]}


@pytest.mark.parametrize("seat_number", ["5", '"5"', '"05"'])
def test_integers_and_digits_are_accepted(client, show, seat_number):
    answer = send(client, book_path(show), f'{{"seat_number": {seat_number}}}')
    assert reasons(answer, 201)["seat_number"] == 5


def test_unknown_fields_change_nothing(client, show, user):
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
    ("GET", "/api/seat-plans/{}/"),
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
def test_an_invalid_id_is_not_found(client, pk, method, path):
    answer = client.generic(method, path.format(pk), '{"seat_number": 1}', content_type="application/json")
    assert reasons(answer, 404)["code"] == "not_found"


@pytest.mark.parametrize(("method", "path"), PATHS_WITH_IDS)
def test_the_largest_possible_id_is_not_found(client, method, path):
    answer = client.generic(method, path.format(2**63 - 1), '{"seat_number": 1}', content_type="application/json")
    assert reasons(answer, 404) == {"code": "not_found", "detail": "Not found."}


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
# These require one of two fields; test_seats_input.py tests bodies without both.
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
    "a surrogate in a key": b'{"seat_number": 5, "\\ud800": 1}',
    "a surrogate in a key within": b'{"seat_number": 5, "ticket_types": {"\\udfff": 1}}',
    "deep": DEEP.encode(),
    "deep object": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "deep value": f'{{"seat_number": {DEEP}}}'.encode(),
}
NO_OBJECTS = ["[]", "null", '"text"', "5", "2.5", "true", '[{"seat_number": 5}]', '""', "[1, 2]"]


@pytest.fixture
def post_to(client, show):
    """A function that sends a raw body to one of POSTS or POSTS_OF_SEATS."""

    def post(path, body, content_type="application/json"):
        return send(client, path.format(show.pk), body, content_type)

    return post


@pytest.mark.parametrize(("name", "path"), each_of_both(NO_JSON, [*POSTS, *POSTS_OF_SEATS]))
def test_a_body_that_is_not_json_is_refused(post_to, path, name):
    assert reasons(post_to(path, NO_JSON[name]), 400)["code"] == "parse_error"


def test_a_duplicate_key_is_reported(client, show):
    answer = send(client, book_path(show), '{"seat_number": 5, "seat_number": 6}')
    assert reasons(answer, 400) == {
        "detail": "JSON parse error - A key occurs twice in one object.",
        "code": "parse_error",
    }


def test_the_error_for_bytes_that_are_not_utf_8_names_the_first_one(client, show):
    answer = send(client, book_path(show), b'{"seat_number": "\xff"}')
    assert reasons(answer, 400)["detail"] == "JSON parse error - Byte 17 is not UTF-8."


@pytest.mark.parametrize("path", POSTS)
def test_an_empty_body_is_refused_with_each_required_field(post_to, path):
    assert set(map(tuple, field_errors(post_to(path, "")).values())) == {("This field is required.",)}


@pytest.mark.parametrize(("path", "body"), each_of_both([*POSTS, *POSTS_OF_SEATS], NO_OBJECTS))
def test_a_body_that_is_not_an_object_is_refused(post_to, path, body):
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
def test_json_is_accepted_in_each_spelling_of_its_media_type(client, show, content_type):
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
def test_json_is_utf_8_with_any_charset_parameter(client, show, charset):
    answer = send(client, book_path(show), '{"seat_number": 5}', f"application/json; charset={charset}")
    assert reasons(answer, 201)["seat_number"] == 5


@pytest.mark.django_db
def test_a_list_is_returned_for_any_charset_parameter(anyone):
    make_movie(title="Amélie")
    for charset in CHARSETS:
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
    """Return the fields as JSON, with the value of `name` replaced by raw text."""
    return json.dumps(fields | {name: "RAW"}).replace('"RAW"', raw)


@pytest.mark.parametrize(("path", "field"), TEXT_FIELDS)
def test_a_value_that_is_not_a_string_is_refused(post_to, path, field):
    bodies = {text: with_raw(GOOD_TEXTS.get(path, {}), field, text) for text in BAD_TEXTS}
    refused = {text: list(field_errors(post_to(path, body))) for text, body in bodies.items()}
    assert refused == {text: [field] for text in BAD_TEXTS}


@pytest.mark.parametrize(("path", "field"), TEXT_FIELDS)
def test_text_that_is_too_long_is_refused_with_its_field(post_to, path, field):
    answer = post_to(path, with_raw(GOOD_TEXTS.get(path, {}), field, json.dumps("x" * 100_000)))
    assert list(field_errors(answer)) == [field]


def test_a_number_that_is_too_large_becomes_no_text(post_to):
    answer = post_to("/api/signup/", with_raw(GOOD_TEXTS["/api/signup/"], "username", "1e999"))
    assert reasons(answer, 400) == {"code": "parse_error", "detail": "JSON parse error - 1e999 is too large."}


def test_an_invalid_email_address_changes_nothing(client, user):
    for email in [*BAD_TEXTS, '"nobody"', '"a@b"', '"é@é"', "5", json.dumps("x" * 999)]:
        answer = client.generic("PATCH", "/api/me/", f'{{"email": {email}}}', content_type="application/json")
        assert list(field_errors(answer)) == ["email"]
    user.refresh_from_db()
    assert user.email == ""


@pytest.mark.django_db
def test_a_username_of_other_characters_is_refused(anyone):
    for username in ("a b", "é", "\uff45sha", "\u0430", "a/b", "a\tb", "😀", "a'b", "x" * 151, "", " "):
        answer = anyone.post("/api/signup/", {"username": username, "password": PASSWORD})
        assert list(field_errors(answer)) == ["username"]
    assert User.objects.count() == 0
