"""Search and order of the admin's lists of movies and shows, and the search for bookings by their orders."""

import pytest
from django.db.models import QuerySet

from booking.models import Booking, Movie, Order, User
from tests.factories import make_booking, make_movie, make_show, make_user
from tests.staff import SHOWS

MOVIES = "/admin/booking/movie/"
BOOKINGS = "/admin/booking/booking/"


def listed(staff, path, **query):
    return list(staff.get(path, query).context["cl"].result_list)


@pytest.mark.parametrize("search", ["éclair", "ECLAIR", "etienne", "Étienne ecl"])
def test_movies_are_searched_without_case_and_accents(staff, search):
    make_movie(title="Zodiac")
    make_movie(title="Éclair", director="Étienne")
    assert [movie.title for movie in listed(staff, MOVIES, q=search)] == ["Éclair"]


def test_movies_are_listed_by_title_without_case_and_accents(staff):
    for title in ("Zodiac", "amélie", "Éclair"):
        make_movie(title=title)
    titles = [[movie.title for movie in listed(staff, MOVIES, o=order)] for order in ("", "1", "-1")]
    assert titles == [["amélie", "Éclair", "Zodiac"]] * 2 + [["Zodiac", "Éclair", "amélie"]]


def test_shows_are_searched_by_movie_without_case_and_accents(staff):
    show = make_show(movie=make_movie(title="Éclair"))
    make_show(movie=make_movie(title="Zodiac"))
    assert listed(staff, SHOWS, q="eclair") == [show]


def test_a_movie_that_is_not_folded_yet_is_found(staff):
    movie = make_movie(title="Zodiac")
    QuerySet(Movie).update(folded_title=None, folded_director=None)
    assert listed(staff, MOVIES, q="zodi") == [movie]


def walk_in(reference, **contact):
    """Create a booking without an account, whose order has this contact."""
    booking = make_booking(reference=reference)
    Booking.objects.filter(pk=booking.pk).update(user=None)
    Order.objects.filter(reference=reference).update(user=None, **contact)
    return booking


@pytest.mark.parametrize("search", ["bakker", "JO bak", "jo@", "0612345678", "06 12 34", "(061)23", "bakker 0612-34"])
def test_bookings_are_searched_by_the_contact_of_their_order(staff, search):
    booking = walk_in("ACDEFGHJ", name="Jo Bakker", email="jo@cinema.example", phone="06-123 456 78")
    walk_in("ACDEFGHK", name="Ann Vos", phone="0699999999")
    assert listed(staff, BOOKINGS, q=search) == [booking]


def test_bookings_of_another_show_with_the_same_reference_are_not_found(staff):
    booking = walk_in("ACDEFGHJ", name="Jo Bakker")
    other = make_booking(reference="ACDEFGHJ")
    Booking.objects.filter(pk=other.pk).update(user=None)
    assert listed(staff, BOOKINGS, q="bakker") == [booking]


# --- People -----------------------------------------------------------------------------------

ORDERS, USERS, CUSTOMERS = "/admin/booking/order/", "/admin/booking/user/", "/admin/booking/show/hall/customers/"
SPELLINGS = ["eva", "ÉVA", "Éva kovacs", "kovács ev", "E\u0301va"]


@pytest.mark.parametrize("search", SPELLINGS)
def test_walk_ins_are_found_by_name_without_accents(staff, search):
    booking = walk_in("ACDEFGHJ", name="Éva Kovács")
    walk_in("ACDEFGHK", name="Ann Vos")
    order = Order.objects.get(reference="ACDEFGHJ")
    assert [listed(staff, path, q=search) for path in (ORDERS, BOOKINGS)] == [[order], [booking]]


@pytest.mark.parametrize("search", SPELLINGS)
def test_users_are_found_by_name_without_accents(staff, search):
    user = make_user(username="kov", first_name="Éva", last_name="Kovács")
    booking = make_booking(user=user)
    make_user(username="ann", first_name="Ann", last_name="Vos")
    [found] = staff.get(CUSTOMERS, {"q": search}).json()["customers"]
    assert found["username"] == "kov"
    assert [listed(staff, path, q=search) for path in (USERS, BOOKINGS)] == [[user], [booking]]


def test_a_single_accent_finds_no_user(staff):
    walk_in("ACDEFGHJ", name="Éva Kovács")
    assert listed(staff, ORDERS, q="\u0301") == []


def test_all_users_are_listed_without_a_search(staff):
    make_user(username="ann")
    assert [user.username for user in listed(staff, USERS)][:1] == ["ann"]


def test_people_that_are_not_folded_yet_are_found(staff):
    walk_in("ACDEFGHJ", name="Jo Bakker")
    make_user(username="ann", last_name="Bakker")
    QuerySet(Order).update(folded_name=None)
    QuerySet(User).update(folded_first_name=None, folded_last_name=None)
    assert [len(listed(staff, path, q="bakk")) for path in (ORDERS, USERS)] == [1, 1]


def test_a_walk_in_is_found_as_soon_as_the_seat_is_sold(staff):
    show = make_show()
    sold = {"customer": "", "name": "Éva Kovács", "email": "", "phone": "", "seats": "1"}
    staff.post(f"{SHOWS}{show.pk}/hall/sell/", sold)
    assert [order.name for order in listed(staff, ORDERS, q="eva kovacs")] == ["Éva Kovács"]
