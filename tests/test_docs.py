"""The tables of README.md and docs/operations.md equal the code, and the tests that docs/security.md names exist."""

import ast
import re

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.urls import URLResolver, get_resolver, resolve
from django.utils import timezone
from django.views.generic.edit import ProcessFormView

from booking import services
from booking.models import REFERENCE_ALPHABET, REFERENCE_LENGTH
from movieticket.probes import PROBES

ROOT = settings.BASE_DIR
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(test_\w+)`", SECURITY)))


# --- The README's tables ----------------------------------------------------------------------


def table(*header, page=README):
    """Return the rows of the page's table with these headings, as lists of cells."""
    head = f"| {' | '.join(header)} |"
    [rows] = re.findall(rf"^{re.escape(head)}\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()]


def in_code(cell):
    return re.findall("`([^`]+)`", cell)


def documented_endpoints():
    """Return each path of the table of endpoints with its methods; without methods, those of the path before."""
    for cell, *_ in table("method and path", "who", "does"):
        methods = []
        for own, path in re.findall(r"((?:[A-Z]+(?:, )?)*) ?`([^`]+)`", cell):
            methods = own.split(", ") if own else methods
            yield path, methods


def route_of(path):
    """Return the route of a path of the table."""
    reference = REFERENCE_ALPHABET[0] * REFERENCE_LENGTH
    return resolve(path.replace("<reference>", reference).replace("<id>", "1").replace("<provider>", "demo")).route


def methods_of(view):
    if hasattr(view, "actions"):
        return {method.upper() for method in view.actions} - {"HEAD"}
    methods = {name for name in ("get", "post", "put", "patch", "delete") if hasattr(view.view_class, name)}
    # No browser sends a form by PUT.
    return {name.upper() for name in methods} - ({"PUT"} if issubclass(view.view_class, ProcessFormView) else set())


def endpoints(patterns, prefix=""):
    """Return each named route with its methods; the admin is one route."""
    for pattern in patterns:
        own = str(pattern.pattern)
        route = prefix + own.removeprefix("^") if prefix else own
        if isinstance(pattern, URLResolver):
            yield from [(route, None)] if pattern.app_name == "admin" else endpoints(pattern.url_patterns, route)
        elif pattern.name:
            yield from ((route, method) for method in methods_of(pattern.callback))


def test_the_table_of_endpoints_equals_the_url_configuration():
    rows = [(path, methods) for path, methods in documented_endpoints() if path not in PROBES]
    documented = {(route_of(path), method) for path, methods in rows for method in methods or [None]}
    assert documented == set(endpoints(get_resolver().url_patterns))


def test_the_table_of_endpoints_has_the_probes():
    assert [path for path, _ in documented_endpoints() if path in PROBES] == list(PROBES)


def test_no_path_is_in_the_table_of_endpoints_twice():
    paths = [path for path, _ in documented_endpoints()]
    assert sorted(paths) == sorted(set(paths))


# The OpenAPI document is for customers' clients and leaves these out.
ANSWERS_TO_PROVIDERS = {"event_rejected", "unknown_payment"}


def documented_codes():
    """Return each code of the table of errors with its status."""
    for codes, statuses, _ in table("code", "status", "when"):
        names, numbers = in_code(codes), statuses.split(", ")
        yield from zip(names, numbers if len(numbers) == len(names) else numbers * len(names), strict=True)


def codes_in(path):
    """Return the codes in a module: its strings of words joined by underscores."""
    texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and re.fullmatch("[a-z]+(_[a-z]+)+", text)}


def codes_of_document(client):
    """Return each code of the OpenAPI document with its status."""
    document = client.get("/swagger.json").json()
    paths, shared = document["paths"], document["responses"]
    operations = [operation for path in paths.values() for operation in path.values() if "responses" in operation]
    for operation in operations:
        for status, response in operation["responses"].items():
            described = response.get("description") or shared[response["$ref"].rpartition("/")[2]]["description"]
            codes = set(in_code(described)) - {"detail"}
            yield from ((code, status) for code in codes if int(status) >= 400)


def code_of_other_methods(client):
    """Return the code and the status for a method that the OpenAPI document lacks."""
    answer = client.put("/api/signup/")
    return answer.json()["code"], str(answer.status_code)


@pytest.mark.django_db
def test_the_table_of_codes_has_exactly_the_returned_codes(client):
    answered = {*codes_of_document(client), code_of_other_methods(client)}
    own = codes_in(ROOT / "booking" / "middleware.py") | codes_in(ROOT / "booking" / "exception_handler.py")
    documented = list(documented_codes())
    codes = {code for code, _ in answered} | own | ANSWERS_TO_PROVIDERS
    assert sorted(code for code, _ in documented) == sorted(codes)
    assert answered - set(documented) == set()


def test_the_table_of_settings_equals_what_the_settings_read():
    source = (ROOT / "movieticket" / "settings.py").read_text()
    read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"([A-Z_]+)"', source))
    documented = [name for cell, *_ in table("variable", "default", "meaning") for name in in_code(cell)]
    assert sorted(documented) == sorted(read)


# --- docs/security.md -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tests():
    """The names of all tests."""
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    return {name for source in sources for name in re.findall(r"^ *def (test_\w+)\(", source, re.MULTILINE)}


@pytest.mark.parametrize("name", NAMED)
def test_the_tests_that_the_security_page_names_exist(tests, name):
    assert name in tests


def test_each_claim_of_the_security_page_names_a_test():
    rows = re.findall(r"^\| (?!promise|risk|item).*", SECURITY, re.MULTILINE)
    without = [row for row in rows if "`test_" not in row and "**Not met**" not in row and "There " not in row]
    assert without == []


# --- The daily cleanup ------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_table_of_the_cleanup_has_its_kinds_in_their_order():
    documented = [kind for kind, _ in table("kind", "what is done", page=OPERATIONS)]
    assert documented == [kind for kind, _ in services.clean_up(now=timezone.now())]


# --- The box office ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_box_office_has_the_permissions_of_the_readme():
    [sentence] = re.findall(r"\*\*Box office\.\*\*(?:.*\n)+?.*`cancel_booking`\.", README)
    group = Group.objects.get(name="Box office")
    assert sorted(group.permissions.values_list("codename", flat=True)) == sorted(in_code(sentence))
