import json
import re
from collections import Counter
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.urls import reverse
from django.utils import timezone

from booking.exception_handler import STATUS_OF_KIND
from booking.services import Refusal
from booking.views.errors import FRAMEWORK_REFUSALS
from booking.views.openapi import JOURNEY, SchemaGenerator
from tests.factories import make_booking, make_show, make_user

PUBLIC, EITHER, SIGNED_IN = [], [{}, {"Bearer": []}], [{"Bearer": []}]
BODY = [408, 413, 415]
FILE = {"type": "file"}
OPERATIONS = {
    ("get", "/"): (PUBLIC, [200, 400, 503]),
    ("post", "/signup/"): (PUBLIC, [201, 400, *BODY, 429, 503]),
    ("post", "/token/"): (PUBLIC, [200, 400, 401, *BODY, 429, 503]),
    ("post", "/token/refresh/"): (PUBLIC, [200, 400, 401, *BODY, 429, 503]),
    ("post", "/token/blacklist/"): (PUBLIC, [200, 400, 401, *BODY, 429, 503]),
    ("get", "/me/"): (SIGNED_IN, [200, 401, 503]),
    ("patch", "/me/"): (SIGNED_IN, [200, 400, 401, *BODY, 503]),
    ("delete", "/me/"): (SIGNED_IN, [204, 400, 401, 404, 409, *BODY, 429, 503]),
    ("get", "/me/export/"): (SIGNED_IN, [200, 401, 429, 503]),
    ("post", "/me/logout-everywhere/"): (SIGNED_IN, [204, 401, 503]),
    ("post", "/password-reset/"): (PUBLIC, [202, 400, *BODY, 429, 503]),
    ("post", "/password-reset/confirm/"): (PUBLIC, [204, 400, *BODY, 429, 503]),
    ("post", "/me/password/"): (SIGNED_IN, [204, 400, 401, 404, *BODY, 429, 503]),
    ("get", "/movies/"): (PUBLIC, [200, 304, 400, 404, 503]),
    ("get", "/movies/{id}/"): (PUBLIC, [200, 304, 404, 503]),
    ("get", "/movies/{id}/shows/"): (PUBLIC, [200, 304, 400, 404, 503]),
    ("get", "/shows/"): (PUBLIC, [200, 304, 400, 404, 503]),
    ("get", "/shows/{id}/"): (PUBLIC, [200, 404, 503]),
    ("get", "/shows/{id}/seats/"): (EITHER, [200, 304, 401, 404, 503]),
    ("post", "/shows/{id}/book/"): (SIGNED_IN, [201, 400, 401, 402, 404, 409, *BODY, 422, 429, 503]),
    ("post", "/shows/{id}/book-seats/"): (SIGNED_IN, [201, 400, 401, 402, 404, 409, *BODY, 422, 429, 503]),
    ("post", "/shows/{id}/hold/"): (SIGNED_IN, [201, 400, 401, 404, 409, *BODY, 422, 429, 503]),
    ("get", "/my-bookings/"): (SIGNED_IN, [200, 400, 401, 404, 503]),
    ("get", "/bookings/{id}/"): (SIGNED_IN, [200, 401, 404, 503]),
    ("post", "/bookings/{id}/move/"): (SIGNED_IN, [200, 400, 401, 402, 404, 409, *BODY, 422, 429, 503]),
    ("post", "/bookings/{id}/cancel/"): (SIGNED_IN, [200, 401, 404, 409, 429, 503]),
    ("get", "/seat-plans/{id}/"): (PUBLIC, [200, 404, 503]),
    ("get", "/orders/"): (SIGNED_IN, [200, 400, 401, 404, 503]),
    ("get", "/orders/{reference}/"): (SIGNED_IN, [200, 401, 404, 503]),
    ("post", "/orders/{reference}/pay/"): (SIGNED_IN, [201, 400, 401, 404, 409, *BODY, 429, 503]),
    ("post", "/orders/{reference}/cancel/"): (SIGNED_IN, [200, 401, 404, 409, 429, 503]),
    ("get", "/bookings/{id}/ticket/"): (SIGNED_IN, [200, 401, 404, 409, 429, 503]),
    ("get", "/bookings/{id}/ticket.svg"): (SIGNED_IN, [200, 401, 404, 409, 429, 503]),
    ("get", "/bookings/{id}/ticket.pdf"): (SIGNED_IN, [200, 401, 404, 409, 429, 503]),
    ("get", "/bookings/{id}/ticket.ics"): (SIGNED_IN, [200, 401, 404, 409, 429, 503]),
    ("get", "/orders/{reference}/tickets/"): (SIGNED_IN, [200, 401, 404, 409, 429, 503]),
    ("get", "/orders/{reference}/tickets.pdf"): (SIGNED_IN, [200, 401, 404, 409, 429, 503]),
    ("get", "/tickets/keys/"): (PUBLIC, [200, 400, 503]),
    ("get", "/shows/{id}/check-ins/"): (SIGNED_IN, [200, 304, 401, 403, 404, 429, 503]),
    ("post", "/shows/{id}/check-ins/"): (SIGNED_IN, [201, 400, 401, 403, 404, 409, *BODY, 422, 429, 503]),
    ("post", "/shows/{id}/check-ins/undo/"): (SIGNED_IN, [201, 400, 401, 403, 404, 409, *BODY, 422, 429, 503]),
}


@pytest.fixture(scope="module")
def schema(django_db_setup, django_db_blocker):
    """The document, in which references to errors of files are replaced by the errors."""
    from rest_framework.test import APIClient

    with django_db_blocker.unblock():
        document = APIClient().get("/swagger.json").json()
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            operation["responses"][status] = resolved(response, document)
    return document


def resolved(response, schema):
    return schema["responses"][response["$ref"].rpartition("/")[2]] if "$ref" in response else response


def operations(schema):
    return {
        (method, path): operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }


@pytest.mark.django_db
def test_generating_the_document_logs_nothing(anyone, caplog):
    assert anyone.get("/swagger.json").status_code == 200
    assert caplog.records == []


def test_every_operation_has_its_statuses_and_security(schema):
    found = {
        key: (operation.get("security", schema["security"]), sorted(map(int, operation["responses"])))
        for key, operation in operations(schema).items()
    }
    assert found == {key: (lock, sorted(statuses)) for key, (lock, statuses) in OPERATIONS.items()}


def test_every_operation_has_a_summary_and_a_name_of_its_own(schema):
    found = operations(schema).values()
    assert all(operation["summary"] for operation in found)
    assert len({operation["operationId"] for operation in found}) == len(OPERATIONS)


def test_every_body_has_an_example(schema):
    bodies = [
        parameter["schema"]["$ref"].rpartition("/")[2]
        for operation in operations(schema).values()
        for parameter in operation["parameters"]
        if parameter["in"] == "body"
    ]
    assert len(bodies) == 16
    assert all("example" in schema["definitions"][name] for name in bodies)


def refusals(kind=Refusal):
    """Return the classes of refusals with a code of their own."""
    own = [kind] if "code" in vars(kind) else []
    return own + [refusal for below in kind.__subclasses__() for refusal in refusals(below)]


def documented(schema):
    """Yield the statuses of refusals with their responses."""
    for operation in operations(schema).values():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                yield int(status), response


def own_properties(response):
    """Return the members of an operation's error in addition to the common ones."""
    shared, own = response["schema"]["allOf"]
    assert shared == {"$ref": "#/definitions/Error"}
    return own["properties"]


def test_every_refusal_has_an_example_with_one_of_its_codes(schema):
    for _, response in documented(schema):
        codes = own_properties(response)["code"]["enum"]
        assert response["examples"]["application/json"]["code"] in codes


def test_every_code_is_documented_under_its_status(schema):
    status_of_code = {code: status for code, (status, _) in FRAMEWORK_REFUSALS.items()}
    status_of_code |= {refusal.code: STATUS_OF_KIND[refusal.kind] for refusal in refusals()}
    for status, response in documented(schema):
        codes = own_properties(response)["code"]["enum"]
        assert {status_of_code[code] for code in codes} == {status}


def test_each_code_belongs_to_one_refusal():
    codes = Counter([refusal.code for refusal in refusals()] + list(FRAMEWORK_REFUSALS))
    assert [code for code, number in codes.items() if number > 1] == []


def test_path_ids_are_integers_and_references_are_text(schema):
    shared = [parameter for path in schema["paths"].values() for parameter in path["parameters"]]
    kinds = {(parameter["name"], parameter["type"]) for parameter in shared}
    assert kinds == {("id", "integer"), ("reference", "string")}


def test_repeatable_operations_document_the_key(schema):
    repeatable = {
        path
        for (_, path), operation in operations(schema).items()
        if "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]
    }
    assert repeatable == {"/shows/{id}/book/", "/shows/{id}/book-seats/", "/shows/{id}/hold/", "/bookings/{id}/move/"}


def test_the_key_s_description_has_its_lifetime(schema):
    parameters = operations(schema)["post", "/shows/{id}/hold/"]["parameters"]
    [key] = [parameter for parameter in parameters if parameter["name"] == "Idempotency-Key"]
    assert "A key works for 24 hours" in key["description"]


def test_members_of_a_refusal_are_in_its_schema(schema):
    conflict = own_properties(operations(schema)["post", "/shows/{id}/hold/"]["responses"]["409"])
    types = {name: value["type"] for name, value in conflict.items()}
    lists = dict.fromkeys(("seats", "alternatives", "bookings"), "array")
    own = {"mine": "boolean", "booking": "integer", "total": "string"}
    assert types == {"code": "string", "largest_block": "integer", **lists, **own}


# --- What clients are generated from ----------------------------------------------------------


def names_in(part, schema):
    """Return the definitions that a part of the document refers to, directly or indirectly."""
    for name in re.findall('"#/definitions/(\\w+)"', json.dumps(part)):
        yield name
        yield from names_in(schema["definitions"][name], schema)


def of_responses(schema):
    return set(names_in([operation["responses"] for operation in operations(schema).values()], schema))


# Optional members of responses.
OPTIONAL = {"UnavailableSeat": {"mine"}, "Error": {"errors"}}


def test_fields_of_every_response_are_required(schema):
    definitions = {name: schema["definitions"][name] for name in of_responses(schema)}
    optional = {name: one["properties"].keys() - one["required"] for name, one in definitions.items()}
    assert {name: names for name, names in optional.items() if names} == OPTIONAL


def test_no_definition_is_for_a_request_and_a_response(schema):
    bodies = [p for operation in operations(schema).values() for p in operation["parameters"] if p["in"] == "body"]
    assert set(names_in(bodies, schema)) & of_responses(schema) == set()


def test_responses_have_no_defaults_and_no_read_only_fields(schema):
    properties = [one["properties"].values() for one in schema["definitions"].values()]
    assert [one for of_one in properties for one in of_one if one.keys() & {"default", "readOnly"}] == []


def test_nullable_fields_are_documented(schema):
    booking = schema["definitions"]["Booking"]["properties"]
    nullable = {name for name, one in booking.items() if one.get("x-nullable")}
    assert nullable == {"cancelled_at", "cancelled_by", "expires_at", "ticket_type"}
    assert booking["cancelled_by"]["pattern"] == "^(customer|cinema)$"


def test_pages_have_names(schema):
    pages = {name for name in schema["definitions"] if name.endswith("Page")}
    assert pages == {"BookingPage", "MoviePage", "OrderPage", "ShowPage"}
    page = schema["definitions"]["MoviePage"]
    assert page["required"] == ["count", "next", "previous", "results"]
    assert page["properties"]["results"] == {"type": "array", "items": {"$ref": "#/definitions/Movie"}}


def test_every_success_with_a_body_has_an_example_of_all_of_it(schema):
    for operation in operations(schema).values():
        for status, response in operation["responses"].items():
            if response.get("schema", FILE) != FILE and int(status) < 400:
                [name] = re.findall("^#/definitions/(\\w+)$", response["schema"]["$ref"])
                example = response["examples"]["application/json"]
                assert example.keys() >= set(schema["definitions"][name]["required"])


def test_files_are_documented_by_their_media_types(schema):
    found = {
        path: operation["produces"]
        for (_, path), operation in operations(schema).items()
        if operation["responses"].get("200", {}).get("schema") == FILE
    }
    ticket = "/bookings/{id}/ticket"
    assert found == {
        f"{ticket}.svg": ["image/svg+xml", "application/json"],
        f"{ticket}.pdf": ["application/pdf", "application/json"],
        f"{ticket}.ics": ["text/calendar", "application/json"],
        "/orders/{reference}/tickets.pdf": ["application/pdf", "application/json"],
    }


def test_the_example_of_an_error_in_the_input_has_its_field(schema):
    error = schema["definitions"]["Error"]
    assert error["required"] == ["code", "detail"]
    assert error["properties"]["errors"]["items"] == {"$ref": "#/definitions/FieldError"}
    assert schema["definitions"]["FieldError"]["required"] == ["field", "code", "detail"]


NAMES = {
    *("get_links", "sign_up", "sign_in", "refresh_token", "sign_out", "sign_out_everywhere"),
    *("get_account", "update_account", "delete_account", "change_password", "request_password_reset", "reset_password"),
    *("list_movies", "get_movie", "list_movie_shows", "list_shows", "get_show", "get_seat_map"),
    *("book_seat", "book_seats", "hold_seats", "list_bookings", "get_booking", "move_booking", "cancel_booking"),
    *("export_account", "list_orders", "get_order", "pay_order", "cancel_order", "get_seat_plan"),
    *("admit_ticket", "list_admissions", "undo_admission", "list_ticket_keys"),
    *("get_ticket", "get_ticket_picture", "get_ticket_file", "get_calendar_entry"),
    *("list_order_tickets", "get_order_tickets_file"),
}


def test_operations_are_named_by_a_verb_and_a_noun(schema):
    assert {operation["operationId"] for operation in operations(schema).values()} == NAMES


def headers_of(schema, method, path, status):
    return operations(schema)[method, path]["responses"][status]["headers"].keys()


def test_the_headers_of_a_booking_are_documented(schema):
    assert headers_of(schema, "post", "/shows/{id}/book/", "201") >= {"Location", "Idempotency-Replayed"}
    assert headers_of(schema, "post", "/bookings/{id}/move/", "200") >= {"Idempotency-Replayed"}
    assert headers_of(schema, "get", "/me/", "401") == {"WWW-Authenticate"}


def test_every_response_201_has_its_location_documented(schema):
    created = [op["responses"]["201"] for op in operations(schema).values() if "201" in op["responses"]]
    assert ["Location" in response["headers"] for response in created] == [True] * 7


def parameter(schema, method, path, name):
    [one] = [one for one in operations(schema)[method, path]["parameters"] if one["name"] == name]
    return {key: value for key, value in one.items() if key not in ("name", "in", "description", "required")}


@pytest.mark.parametrize(
    ("method", "path", "name", "expected"),
    [
        ("get", "/movies/{id}/shows/", "date", {"type": "string", "format": "date"}),
        ("get", "/my-bookings/", "status", {"type": "string", "enum": ["booked", "held", "cancelled"]}),
        ("get", "/movies/", "page", {"type": "integer", "minimum": 1}),
        ("get", "/movies/", "page_size", {"type": "integer", "minimum": 1, "maximum": 100}),
        ("post", "/shows/{id}/book/", "Idempotency-Key", {"type": "string", "pattern": "^[ -~]{1,255}$"}),
    ],
)
def test_parameters_have_their_types_and_bounds(schema, method, path, name, expected):
    assert parameter(schema, method, path, name) == expected


def test_references_have_their_pattern(schema):
    [path] = schema["paths"]["/orders/{reference}/cancel/"]["parameters"]
    reference = schema["definitions"]["Booking"]["properties"]["reference"]
    assert path["pattern"] == reference["pattern"] == "^[ACDEFGHJKMNPQRTUVWXY34679]{8}$"
    assert "minimum" not in path


def test_requests_have_no_unused_parameters(schema):
    assert list(schema["definitions"]["Refresh"]["properties"]) == ["refresh"]
    assert schema["definitions"]["Signup"]["required"] == ["username", "password"]


def test_the_number_of_seats_is_bounded(schema):
    seats = schema["definitions"]["Seats"]["properties"]
    assert (seats["count"]["minimum"], seats["count"]["maximum"], seats["seat_numbers"]["maxItems"]) == (1, 50, 50)


def test_the_document_has_a_contact_and_a_licence(schema):
    assert (schema["info"]["contact"]["name"], schema["info"]["license"]["name"]) == ("Movie ticket booking", "CC0-1.0")


# --- Order ------------------------------------------------------------------------------------


def test_tags_and_operations_follow_the_journey(schema):
    tags = ["Start", "Account", "Movies", "Shows", "Bookings", "Tickets", "Orders", "Door"]
    assert [tag["name"] for tag in schema["tags"]] == tags
    assert list(schema["paths"]) == JOURNEY


def query_of(schema, path):
    """Return the query parameters of a list by name, without their descriptions."""
    parameters = [one for one in operations(schema)["get", path]["parameters"] if one["in"] == "query"]
    assert all(one.pop("description") and not one.pop("required") for one in parameters)
    return {one.pop("name"): one for one in parameters if one.pop("in")}


PAGED = {
    "page": {"type": "integer", "minimum": 1},
    "page_size": {"type": "integer", "minimum": 1, "maximum": 100},
}
TEXT, DAY, ID = {"type": "string", "maxLength": 100}, {"type": "string", "format": "date"}, PAGED["page"]


def order(*names):
    signed = [f"{sign}{name}" for name in names for sign in ("", "-")]
    return {"type": "array", "items": {"type": "string", "enum": signed}}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (
            "/movies/",
            {"search": TEXT, "language": TEXT, "genre": TEXT}
            | {"ordering": order("title", "release_date", "duration_minutes")},
        ),
        ("/movies/{id}/shows/", {"date": DAY, "from": DAY, "to": DAY}),
        (
            "/shows/",
            {"date": DAY, "from": DAY, "to": DAY, "movie": ID, "screen": ID, "ordering": order("starts_at", "title")},
        ),
        (
            "/my-bookings/",
            {
                "status": {"type": "string", "enum": ["booked", "held", "cancelled"]},
                "show": ID,
                "reference": {"type": "string", "pattern": "^[ACDEFGHJKMNPQRTUVWXY34679]{8}$", "minLength": 1},
            },
        ),
    ],
)
def test_the_query_parameters_of_lists_have_types(schema, path, query):
    assert query_of(schema, path) == query | PAGED


def test_conditional_operations_document_the_etag(schema):
    tagged = {
        path: ["ETag" in operation["responses"][status].get("headers", {}) for status in ("200", "304")]
        for (_, path), operation in operations(schema).items()
        if "304" in operation["responses"]
    }
    paths = ["/movies/", "/movies/{id}/", "/movies/{id}/shows/", "/shows/", "/shows/{id}/seats/"]
    paths.append("/shows/{id}/check-ins/")
    assert tagged == {path: [True, True] for path in paths}


def test_limited_operations_document_the_headers(schema):
    of_booking = operations(schema)["post", "/shows/{id}/book/"]["responses"]
    limited = [status for status, response in of_booking.items() if "RateLimit-Reset" in response.get("headers", {})]
    assert limited == ["201", "400", "402", "404", "409", "422", "429"]


# --- Examples that work -----------------------------------------------------------------------


def examples(anyone):
    """Return the ids and the fields of bodies in the examples, by their place."""
    schema = anyone.get("/swagger.json").json()
    ids = {path: item["parameters"][0].get("x-example") for path, item in schema["paths"].items() if "{" in path}
    return ids, {name: definition.get("example") for name, definition in schema["definitions"].items()}


def test_examples_use_the_next_show_with_free_seats(anyone, db):
    soon = timezone.now() + timedelta(minutes=59)
    make_show(starts_at=soon)
    make_booking(show=make_show(starts_at=soon + timedelta(hours=1), total_seats=2))
    show = make_show(starts_at=soon + timedelta(hours=2))
    ids, _ = examples(anyone)
    assert (ids["/movies/{id}/"], ids["/movies/{id}/shows/"]) == (show.movie_id, show.movie_id)
    assert {ids[f"/shows/{{id}}/{end}"] for end in ("", "seats/", "book/", "book-seats/", "hold/")} == {show.pk}


def test_examples_use_free_seats(anyone, show):
    for seat_number in (1, 3):
        make_booking(show=show, seat_number=seat_number)
    _, bodies = examples(anyone)
    assert (bodies["Seat"], bodies["Move"]) == ({"seat_number": 2}, {"seat_number": 4})


def test_examples_use_a_free_username(anyone, db):
    make_user(username="Esha")
    make_user(username="esha2")
    _, bodies = examples(anyone)
    assert [bodies[name]["username"] for name in ("Signup", "Token")] == ["esha3", "esha3"]


def test_the_example_of_a_sign_up_is_valid_in_production(anyone, db, settings):
    settings.AUTH_PASSWORD_VALIDATORS = [
        *settings.AUTH_PASSWORD_VALIDATORS,
        {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    ]
    _, bodies = examples(anyone)
    assert anyone.post("/api/signup/", bodies["Signup"]).status_code == 201


def test_without_the_database_the_examples_are_fixed(anyone, db):
    def fail(*_):
        raise DatabaseError

    with connection.execute_wrapper(fail):
        ids, bodies = examples(anyone)
    assert (ids["/shows/{id}/"], bodies["Signup"]["username"], bodies["Seat"]) == (1, "esha", {"seat_number": 5})


# --- Pages ------------------------------------------------------------------------------------


def test_the_yaml_document_equals_the_json_document(schema, anyone, db):
    import yaml

    # The loader in Python takes longer than all other tests of this file.
    document = yaml.load(anyone.get("/swagger.yaml").content, Loader=yaml.CSafeLoader)
    assert document["paths"].keys() == schema["paths"].keys()


@pytest.mark.parametrize("name", ["swagger", "redoc"])
def test_the_pages_load_nothing_from_another_host(db, anyone, name):
    page = anyone.get(reverse(name), HTTP_ACCEPT="text/html").content.decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    assert all(source.startswith("/") for source in sources)


@pytest.fixture(scope="module")
def _made_once():
    """Makes the document at the first request only, because that takes longer than a test of its format."""
    documents, make = [], SchemaGenerator.get_schema

    def get_schema(*args, **kwargs):
        documents[:] = documents or [make(*args, **kwargs)]
        return documents[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SchemaGenerator, "get_schema", get_schema)
        yield


ACCEPTED = ["text/html", "application/json", "image/png", "*/*", "", "x"]


@pytest.mark.usefixtures("_made_once")
@pytest.mark.parametrize("accept", ACCEPTED)
@pytest.mark.parametrize(("path", "kind"), [("/swagger.json", "json"), ("/swagger.yaml", "yaml")])
def test_the_path_of_a_document_decides_its_format(db, anyone, path, kind, accept):
    answer = anyone.get(path, HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, f"application/{kind}")


@pytest.mark.parametrize("path", ["/swagger/", "/redoc/"])
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html"),
        ("image/png", "text/html"),
        ("", "text/html"),
        ("application/json", "application/json"),
    ],
)
def test_a_page_is_html_unless_the_document_is_requested(db, anyone, path, accept, kind):
    answer = anyone.get(path, HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, kind)


@pytest.mark.parametrize("path", ["/swagger/", "/redoc/", "/swagger.json", "/swagger.yaml"])
@pytest.mark.parametrize("accept", ["text/html", "application/json", "application/yaml"])
def test_another_method_of_a_document_is_refused_in_json(anyone, path, accept):
    answer = anyone.post(path, HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"], answer["Allow"]) == (
        405,
        "application/json",
        "GET, HEAD, OPTIONS",
    )
    assert answer.json() == {"code": "method_not_allowed", "detail": 'Method "POST" not allowed.'}


def test_the_json_document_does_not_mention_swagger_ui(schema):
    assert "Execute" not in schema["info"]["description"]


def test_the_start_page_links_to_the_admin_and_the_documents(anyone, db):
    page = anyone.get("/").content.decode()
    links = re.findall(r'href="([^"]+)"', page[page.index("<main") :])
    assert links == ["/admin/", "/swagger/", "/redoc/", "/swagger.json", "/swagger.yaml", "/api/"]
