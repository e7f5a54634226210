"""Strategies for hostile requests, and checks of their responses.

FUZZ_EXAMPLES sets the number of examples of a test; by default there are few, the same ones on each run.
"""

import json
import os
from dataclasses import dataclass, field
from io import BytesIO
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from movieticket.wsgi import application

LONG_RUN = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def bounded(examples, **more):
    """Limit a short run to `examples`, and a long one to FUZZ_EXAMPLES; a long run shrinks what it finds."""
    phases = [Phase.generate, Phase.shrink] if LONG_RUN else [Phase.generate]
    return settings(
        max_examples=LONG_RUN or examples,
        derandomize=not LONG_RUN,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        **more,
    )


# --- JSON -------------------------------------------------------------------------------------

# Raw text of a body, because a JSON library can't write much of it.
RAW_VALUES = [
    "null", "true", "false", "0", "-0", "-1", "1", "5", "51", "2147483648", "9223372036854775808", "1" * 40,
    "-" + "9" * 30, "1.0", "5.5", "1e3", "1e999", "-1e-999", "0.1e-5", "NaN", "Infinity", "-Infinity", "05", "0x5",
    '""', '" "', '"5"', '" 5"', '"5\\n"', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"',
    '"\\uD83D\\uDE00"',
    '"٤"', '"\\u202e"', '"\'; DROP TABLE booking_booking; --"', '"{{7*7}}"', '"%s%n"', '"../../etc/passwd"',
    '"a\\r\\nSet-Cookie: a=b"', '"<script>"', "[]", "[[]]", "[1,1]", "[true]", "[null]", "{}", '{"a":1}',
    '{"$ne":null}',
    "[" * 30 + "]" * 30, '{"a":' * 30 + "1" + "}" * 30, "[" * 20_000, "[" * 20_000 + "]" * 20_000, f'"{"x" * 70_000}"',
    "[" + "1," * 5_000 + "1]", "1" * 5_000, "", "undefined", "'5'", '"\t"', '"unended', "\ufeff1",
]  # fmt: skip
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=8,
)
VALUES = st.sampled_from(RAW_VALUES) | JSON_VALUES.map(json.dumps)
BAD_BYTES = [b"", b"\0", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf{}", b"{}{}", b"[", b'{"', b"nul", b"a=b"]


@st.composite
def objects(draw, good, names):
    """Generate an object with valid and invalid members and duplicate keys, as bytes."""
    members = [(name, json.dumps(value)) for name, value in draw(good).items() if draw(st.integers(0, 3))]
    strange = st.sampled_from([*names, "id", "user", "status", "__proto__", "\ud800", ""]) | st.text(max_size=5)
    members += draw(st.lists(st.tuples(strange, VALUES), max_size=3))
    text = ",".join(f"{json.dumps(name)}:{value}" for name, value in draw(st.permutations(members)))
    return f"{{{text}}}".encode(errors="surrogatepass")


def bodies(good, names):
    rubbish = st.sampled_from(BAD_BYTES) | st.binary(max_size=40) | VALUES.map(lambda value: value.encode())
    return st.one_of(good.map(json.dumps).map(str.encode), *[objects(good, names)] * 4, rubbish)


# --- Everything else of a request -------------------------------------------------------------

SEGMENTS = [
    b"0", b"-1", b"007", b"1e3", b"9223372036854775807", b"9223372036854775808", b"9" * 40, b"9" * 3000,
    b"%00", b"1%00",
    b"%FF", b"%C0%AF", b"%E0%80%AF", b"%ED%A0%80", b"%F8%80%80%80%AF", b"%0d%0aSet-Cookie:%20a=b", b"%0A", b"%2F",
    b"..", b"%2e%2e%2f", b".", b"", b"%25", b"%", b"%2", b"%zz", b"%u0031", b";a=b", b"\xc3\xa9", b"\xff", b"%D9%A4",
    b"null", b"1 OR 1=1", b"<script>", b"*", b"{id}", b"ACDEFGHJ", b"acdefghj", b"%20", b"+", b"\\",
]  # fmt: skip
QUERY_VALUES = [
    b"", b"0", b"-1", b"1", b"2", b"last", b"1e9", b"1.5", b"9" * 40, b"9" * 2000, b"%00", b"a%00b", b"%FF",
    b"%ED%A0%80",
    b"%C0%80", b"%D9%A4", b"%F0%9F%8E%AC", b"null", b"NaN", b"true", b"2099-13-01", b"0000-00-00", b"0001-01-01",
    b"9999-12-31", b"10000-01-01", b"2099-06-01T00:00:00Z", b"%25%25", b"_", b"%5C", b"'", b"%22", b"(", b"-title",
    b"title,-title", b"password", b"user__password", b"booked", b"blocked", b"a" * 3000, b"a+" * 200, b"%0D%0A", b"[]",
    b"1;2", b"cD0yMDA=",
]  # fmt: skip
QUERY_NAMES = [
    b"page", b"page_size", b"date", b"status", b"search", b"language", b"genre", b"ordering", b"cursor", b"format",
    b"page[]", b"", b"%00", b"%FF", b"user", b"_method",
]  # fmt: skip
# The text of a header in WSGI: Latin-1 without CR and LF, which servers refuse.
HEADER_VALUES = [
    "", " ", "a" * 256, "a" * 5000, "key-1", "\x00", "a\x00b", "a\r\nX-Injected: yes", "a\nb", "a\rb", "\x7f", "é",
    "\xff\xfe", "\u00ed\u00a0\u0080", '"', "*", 'W/"', '"a", *', "W/W/", "Bearer", "Bearer ", "Bearer a b",
    "Bearer \x00",
    "Bearer é", "Basic YTpi", "Bearer " + "a." * 3000, "Bearer eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoiMSJ9.", "Token x",
    "1", "-1", "1e9", "0, 1", "chunked", "%0d%0a", "text/html", "application/xml;q=x", "en;q=999", "bytes=0-", "null",
    "gzip", "Thu, 99 Foo 2099", "a=b; sessionid=x", "127.0.0.1, ::1, x", "[::1", "::ffff:1.2.3.4%25",
]  # fmt: skip
HEADERS = [
    "HTTP_IDEMPOTENCY_KEY", "HTTP_X_REQUEST_ID", "HTTP_IF_NONE_MATCH", "HTTP_ACCEPT", "HTTP_ACCEPT_LANGUAGE",
    "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE",
    "HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_ACCESS_CONTROL_REQUEST_METHOD",
]  # fmt: skip
CONTENT_TYPES = [
    "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x",
    "application/json; charset=utf-16", "application/json; charset=\x00", "application/json; charset*=utf-8''%00",
    "application/json; charset*=bogus''utf-8", "application/json; x*0*=rot13''%ff",
    "multipart/form-data; boundary*=''x",
    "application/xml", "application/problem+json",
    "é", ";", "/", "application/json, text/html", "a" * 3000,
]  # fmt: skip
HOSTS = ["testserver", "testserver"] * 8 + [
    "evil.example",
    "",
    "a b",
    "testserver\r\nX: y",
    "[::1",
    "é",
    "testserver:99999",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get", "\xe9"]


# With them, the fields of the form are validated.
COOKIES = f"csrftoken={'a' * 32}; sessionid={'b' * 32}"
FORM_NAMES = [b"username", b"password", b"next", b"csrfmiddlewaretoken=" + b"a" * 32 + b"&x", b"%00", b"", b"uid", b"q"]
# Stands for the header of the user who is signed in when the request is sent.
SIGNED_IN = "Bearer of-the-user"


@dataclass
class Hostile:
    """A request as bytes of its path and query, the method, headers under WSGI's names, and a body."""

    method: str
    path: bytes
    query: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def often(good, bad):
    """Generate the valid value three times out of four."""
    return st.integers(0, 3).flatmap(lambda n: bad if n == 0 else good)


def segments_of(template, ids):
    """Return the parts of a path, with ids of existing objects."""
    return [ids[name] if (name := part.strip("{}")) in ids else part.encode() for part in template.split("/")]


@st.composite
def paths(draw, template, ids):
    """Generate a path of the API, or one with invalid parts."""
    segments = segments_of(template, ids)
    if draw(st.integers(0, 2)) == 0:
        strange = st.sampled_from(SEGMENTS) | st.binary(max_size=8).map(lambda raw: quote_from_bytes(raw).encode())
        segments[draw(st.integers(1, len(segments) - 1))] = draw(strange)
    return b"/api" + b"/".join(segments)


@st.composite
def requests(draw, template, method, ids, good, names):
    usual = {"CONTENT_TYPE": "application/json", "HTTP_HOST": "testserver", "HTTP_AUTHORIZATION": SIGNED_IN}
    if draw(st.integers(0, 7)) == 0:
        # A valid request, so that the data change between the others.
        path = b"/api" + b"/".join(segments_of(template, ids))
        return Hostile(method, path, b"", usual, json.dumps(draw(good)).encode())
    pairs = st.tuples(st.sampled_from(QUERY_NAMES), st.sampled_from(QUERY_VALUES))
    query = b"&".join(b"=".join(pair) for pair in draw(st.lists(pairs, max_size=3)))
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(HEADER_VALUES), max_size=3))
    headers["CONTENT_TYPE"] = draw(often(st.just("application/json"), st.sampled_from(CONTENT_TYPES)))
    headers["HTTP_HOST"] = draw(st.sampled_from(HOSTS))
    if draw(st.integers(0, 4)):
        headers["HTTP_AUTHORIZATION"] = usual["HTTP_AUTHORIZATION"]
    wanted = draw(often(st.just(method), st.sampled_from(METHODS)))
    return Hostile(wanted, draw(paths(template, ids)), query, headers, draw(bodies(good, names)))


@st.composite
def page_requests(draw, path):
    """Generate requests for a page outside the API: its path or one below it, and a form."""
    request = draw(requests(path, draw(st.sampled_from(["GET", "POST"])), {}, st.just({}), ["username"]))
    below = draw(often(st.just(b""), st.sampled_from(SEGMENTS)))
    pairs = st.tuples(st.sampled_from(FORM_NAMES), st.sampled_from([*SEGMENTS, *QUERY_VALUES]))
    request.path, request.body = path.encode() + below, b"&".join(b"=".join(pair) for pair in draw(st.lists(pairs)))
    request.headers |= {"HTTP_HOST": "testserver", "CONTENT_TYPE": "application/x-www-form-urlencoded"}
    request.headers["HTTP_COOKIE"] = draw(st.sampled_from([COOKIES, *HEADER_VALUES]))
    return request


# --- Asking, and what comes back --------------------------------------------------------------


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(request, token):
    """Send the request to the WSGI application as a server does, and return its response."""
    headers = {name: text.replace(SIGNED_IN, f"Bearer {token}") for name, text in request.headers.items()}
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query.decode("latin-1"),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": BytesIO(),
        **headers,
    }
    started = []
    answer = application(environ, lambda status, headers, *_: started.append((status, headers)))
    body = b"".join(answer)
    answer.close()
    [(status, headers)] = started
    return Reply(int(status.split()[0]), dict(headers), body)


def check_headers(reply):
    assert not any("\r" in text or "\n" in text for item in reply.headers.items() for text in item), reply
    assert "X-Injected" not in reply.headers, reply


# The media types of tickets.
FILES = ("image/svg+xml", "application/pdf", "text/calendar")


def check(reply):
    """Raises AssertionError unless the response follows the contract of the API."""
    assert reply.status < 500, reply
    check_headers(reply)
    if reply.body:
        files = FILES if reply.status == 200 else ()
        assert reply.headers["Content-Type"].partition(";")[0] in ("application/json", *files), reply
    if reply.status >= 400 and reply.body:
        check_refusal(json.loads(reply.body))


# The codes of errors in the input, which name their fields.
OF_FIELDS = {"invalid", "no_such_seat", "unknown_ticket_type"}


def check_refusal(body):
    """{"code": …, "detail": …}, and for an error in the input the errors of its fields."""
    assert list(body)[:2] == ["code", "detail"], body
    assert {type(body["code"]), type(body["detail"])} == {str}, body
    assert ("errors" in body) == (body["code"] in OF_FIELDS), body
    for error in body.get("errors", []):
        assert list(error) == ["field", "code", "detail"], body
        assert {type(text) for text in error.values()} == {str}, body
