"""The search for the customer of a sale in the hall."""

import pytest
from django.test import Client

from tests.admin.hall import CUSTOMERS, detail
from tests.factories import make_user
from tests.staff import staff_with


def usernames(client: Client, typed: str) -> list[str]:
    return [customer["username"] for customer in client.get(CUSTOMERS, {"q": typed}).json()["customers"]]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("an", ["anna", "Annika", "joan"]),
        ("ANNI", ["Annika"]),
        ("oan", ["joan"]),
        ("bakker", ["joan"]),
        ("jo ba", ["joan"]),
        ("JO@cinema", ["joan"]),
        ("joan annika", []),
        ("", []),
        ("%", []),
    ],
)
def test_customers_are_found_by_any_part_of_name_or_address(box_office, typed, found):
    for name in ("Annika", "anna", "bruno"):
        make_user(username=name)
    make_user(username="joan", first_name="Jo", last_name="Bakker", email="jo@cinema.example")
    make_user(username="ann", is_active=False)
    assert usernames(box_office, typed) == found


def test_a_customer_is_listed_with_name_and_address(box_office):
    make_user(username="joan", first_name="Jo", last_name="Bakker", email="jo@cinema.example")
    joan = {"username": "joan", "name": "Jo Bakker", "email": "jo@cinema.example"}
    assert box_office.get(CUSTOMERS, {"q": "joan"}).json() == {"customers": [joan]}


def test_a_name_with_invalid_characters_finds_no_customer(box_office):
    assert box_office.get(CUSTOMERS, {"q": "\x00"}).status_code == 400


def test_at_most_ten_customers_are_listed(box_office):
    for number in range(11):
        make_user(username=f"anna{number:02}")
    assert usernames(box_office, "anna") == [f"anna{number:02}" for number in range(10)]


@pytest.mark.parametrize("permissions", [["view_show"], ["add_booking"], ["view_show", "view_booking", "view_user"]])
def test_staff_who_may_not_sell_see_no_customers(db, permissions):
    answer = staff_with(*permissions).get(CUSTOMERS, {"q": "a"})
    assert detail(answer) == (403, "You may not do this.")
