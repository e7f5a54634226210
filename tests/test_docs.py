"""What docs/security.md says of tests is so."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SECURITY = (TESTS.parent / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"([a-z_/]+\.py)::(\w+)", SECURITY)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_security_page_names_is_there(file, name):
    assert f"\ndef {name}(" in (TESTS / file).read_text()


def test_each_promise_and_each_item_that_is_met_names_a_test():
    rows = [line for line in SECURITY.splitlines() if re.match(r"\| (API|\d|Nothing|Whatever|No|A |Fields)", line)]
    without = [row for row in rows if "::" not in row and "**Not met**" not in row and "There " not in row]
    assert without == []
