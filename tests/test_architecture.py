"""Imports go one way: from views and admin to services to models, and from booking to movieticket."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from booking import services

ROOT = Path(__file__).parent.parent
# Forbidden imports by package.
FORBIDDEN = {
    "movieticket": ["booking"],
    "booking.infrastructure": ["booking.services", "booking.serializers", "booking.views", "booking.admin"],
    "booking.models": ["booking.services", "booking.serializers", "booking.views", "booking.admin"],
    "booking.services": [
        "booking.serializers",
        "booking.views",
        "booking.admin",
        "rest_framework",
        "rest_framework_simplejwt",
        "django.http",
    ],
    "booking.serializers": ["booking.views", "booking.admin"],
    "booking.views": ["booking.admin"],
    "booking.admin": ["booking.serializers", "booking.views"],
}
# DRF's and Django's names, where their developers look for them, and the path under which the API is.
TOP_LEVEL = {
    "__init__",
    "apps",
    "authentication",
    "exception_handler",
    "filters",
    "middleware",
    "pagination",
    "parsers",
    "paths",
    "permissions",
    "renderers",
    "tasks",
    "throttling",
}


def imports(source):
    """Return the dotted names that a module imports, also within functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "Relative imports are not resolved here."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name, package):
    return f"{name}.".startswith(f"{package}.")


def wrong_imports(package):
    for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py")):
        for name in imports(path.read_text()):
            if any(is_within(name, other) for other in FORBIDDEN[package]):
                yield f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way(package):
    assert set(wrong_imports(package)) == set()


def used_services():
    """Yield the names of `booking.services` that the rest of `booking` imports or uses as attributes."""
    for path in (ROOT / "booking").rglob("*.py"):
        if ROOT / "booking" / "services" in path.parents:
            continue
        source = path.read_text()
        yield from (name for name in imports(source) if name.startswith("booking.services."))
        attributes = (ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
        yield from (f"booking.{name}" for name in attributes if re.fullmatch(r"services\.\w+", name))


def public_services():
    """Return the names that the package imports for others."""
    return {name.rpartition(".")[2] for name in imports(Path(services.__file__).read_text())}


def test_services_are_imported_from_their_package_and_each_is_used():
    assert set(used_services()) == {f"booking.services.{name}" for name in public_services()}


def test_public_services_take_keywords_only():
    keywords = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    public = [getattr(services, name) for name in public_services()]
    functions = [service for service in public if inspect.isfunction(service)]
    kinds = {one.__name__: {each.kind for each in inspect.signature(one).parameters.values()} for one in functions}
    assert [name for name in kinds if not kinds[name] <= keywords] == []


def test_numbers_with_decimals_have_the_field_of_the_admin_that_takes_a_comma():
    sources = (ROOT / "booking" / "admin").rglob("*.py")
    assert [path.name for path in sources if "forms.DecimalField" in path.read_text()] == ["amount_fields.py"]


def test_every_form_of_an_import_is_found():
    source = "import a.b\nfrom a import c, d\ndef f():\n    from a.e import g as h\n"
    assert list(imports(source)) == ["a.b", "a.c", "a.d", "a.e.g"]
    assert [is_within(name, "a.b") for name in ("a", "a.b", "a.b.c", "a.bc")] == [False, True, True, False]


def test_a_module_at_the_top_of_booking_has_a_name_of_drf_or_django():
    assert {path.stem for path in (ROOT / "booking").glob("*.py")} <= TOP_LEVEL
