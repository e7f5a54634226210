"""The contract of the seat map: whole bodies, ETags, and the marks of the caller's own seats."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from booking import services
from booking.infrastructure.tokens import AccessToken
from booking.models import Booking, full_rows
from booking.services.seats.holds import release_expired_holds
from tests.conftest import signed_in
from tests.factories import NOW, PASSWORD, STARTS_AT, make_block, make_booking, make_hold, make_show, make_user, redraw

MINUTE = timedelta(minutes=1)


def seats_of(client, show, **headers):
    return client.get(f"/api/shows/{show.pk}/seats/", headers=headers)


def with_token(token):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=token)
    return client


def map_body(show, *unavailable, **more):
    return {
        "show": show.pk,
        "starts_at": show.starts_at.isoformat().replace("+00:00", "Z"),
        "cancelled_at": None,
        "plan": show.plan_id,
        "total_seats": 50,
        "seats_available": 50 - len(unavailable),
        "unavailable": list(unavailable),
        **more,
    }


def seat(number, label, state, **mine):
    return {"seat_number": number, "seat_label": label, "category": "S", "state": state, **mine}


@pytest.fixture
def sold(show, user):
    """A show with seats booked, held and blocked, two of them the user's."""
    make_booking(show=show, user=user, seat_number=12)
    make_booking(show=show, seat_number=11)
    make_hold(show=show, user=user, seat_number=3)
    make_hold(show=show, seat_number=2)
    make_hold(show=show, user=user, seat_number=4, expires_at=timezone.now() - MINUTE)
    make_booking(show=show, user=user, seat_number=5, status="cancelled")
    make_block(show=show, seat_number=50)
    make_booking(user=user, seat_number=6)
    return show


STRANGER_S = [
    seat(2, "A2", "held"),
    seat(3, "A3", "held"),
    seat(11, "B1", "booked"),
    seat(12, "B2", "booked"),
    seat(50, "E10", "blocked"),
]
OWN = [
    seat(2, "A2", "held"),
    seat(3, "A3", "held", mine=True),
    seat(11, "B1", "booked"),
    seat(12, "B2", "booked", mine=True),
    seat(50, "E10", "blocked"),
]


def test_a_seat_outside_the_plan_has_no_category(anyone, show):
    make_booking(show=show, seat_number=51)
    [unavailable] = seats_of(anyone, show).json()["unavailable"]
    assert (unavailable["seat_label"], unavailable["category"]) == ("number 51", "")


# --- The body ---------------------------------------------------------------------------------


def test_the_map_of_an_empty_hall_lists_no_seats(anyone, show):
    answer = seats_of(anyone, show)
    assert (answer.status_code, answer.json()) == (200, map_body(show))


def test_unavailable_seats_are_listed_by_number(anyone, sold):
    answer = seats_of(anyone, sold)
    assert (answer.status_code, answer.json()) == (200, map_body(sold, *STRANGER_S))


def test_a_customer_s_own_seats_are_marked(client, sold):
    answer = seats_of(client, sold)
    assert (answer.status_code, answer.json()) == (200, map_body(sold, *OWN))


def token_of(user, **claims):
    token = AccessToken.for_user(user)
    for name, value in claims.items():
        token[name] = value
    return f"Bearer {token}"


def expired(user):
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=-timedelta(seconds=10))
    return f"Bearer {token}"


@pytest.mark.parametrize(
    "token",
    [
        expired,
        lambda user: token_of(user, user_id="x"),
        lambda user: token_of(user, user_id=10**9),
        lambda user: token_of(user, key="another"),
        lambda user: token_of(user)[:-4],
        lambda user: f"Bearer {'x' * 5000}",
        lambda user: "Bearer",
        lambda user: "Bearer a b",
        lambda user: "Bearer \x00",
    ],
)
def test_a_token_that_is_not_valid_is_refused(user, sold, token):
    answer = seats_of(with_token(token(user)), sold)
    assert (answer.status_code, answer["WWW-Authenticate"].split()[0]) == (401, "Bearer")


def test_a_token_of_before_a_password_change_is_refused(client, user, sold):
    services.change_password(user=user, current_password=PASSWORD, new_password="another fine phrase")
    answer = seats_of(client, sold)
    assert (answer.status_code, answer.json()["code"]) == (401, "password_changed")


def test_the_token_of_a_deactivated_account_is_refused(client, user, sold):
    user.is_active = False
    user.save()
    answer = seats_of(client, sold)
    assert (answer.status_code, answer.json()["code"]) == (401, "user_inactive")


@pytest.mark.django_db
def test_a_started_show_has_a_map(anyone):
    show = make_show(starts_at=STARTS_AT.replace(year=2020))
    assert seats_of(anyone, show).json() == map_body(show)


@pytest.mark.django_db
def test_a_cancelled_show_has_no_available_seats(anyone):
    show = make_show(cancelled_at=NOW)
    body = map_body(show, cancelled_at="2099-05-31T18:00:00Z", seats_available=0)
    assert seats_of(anyone, show).json() == body


@pytest.mark.django_db
def test_the_map_of_a_missing_show_is_not_found(anyone):
    answer = anyone.get("/api/shows/77/seats/")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found.", "code": "not_found"})


def test_the_map_can_be_read_without_a_slash_and_without_a_limit(anyone, show):
    answers = [anyone.get(f"/api/shows/{show.pk}/seats") for _ in range(70)]
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("rows", [1, 3])
def test_the_map_takes_2_queries_and_1_more_with_a_token(anyone, client, user, show, rows, django_assert_num_queries):
    for seat_number in range(1, rows + 1):
        make_hold(user=user, show=show, seat_number=seat_number)
    # Reads the seat plan, which never changes.
    seats_of(anyone, show)
    for asker, queries in ((anyone, 2), (client, 3)):
        with django_assert_num_queries(queries):
            assert seats_of(asker, show).json()["seats_available"] == 50 - rows


# --- Headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("unchanged", [False, True])
def test_the_map_is_cached_only_privately_and_revalidated(client, sold, unchanged):
    headers = {"if_none_match": seats_of(client, sold)["ETag"]} if unchanged else {}
    answer = seats_of(client, sold, **headers)
    assert answer.status_code == (304 if unchanged else 200)
    assert answer["Cache-Control"] == "private, no-cache"
    assert sorted(answer["Vary"].split(", ")) == ["Authorization"]


def test_an_unchanged_map_has_no_body(client, sold):
    answer = seats_of(client, sold, if_none_match=seats_of(client, sold)["ETag"])
    assert (answer.status_code, answer.content) == (304, b"")


def test_an_unchanged_map_has_its_etag(client, sold):
    tag = seats_of(client, sold)["ETag"]
    assert seats_of(client, sold, if_none_match=tag).get("ETag") == tag


@pytest.mark.parametrize(
    ("condition", "status"),
    [("{tag}", 304), ('"x", {tag}', 304), ("W/{tag}", 304), ("*", 304), ('"x"', 200), ("rubbish", 200), ("", 200)],
)
def test_etags_are_compared_according_to_http(client, sold, condition, status):
    tag = seats_of(client, sold)["ETag"]
    assert seats_of(client, sold, if_none_match=condition.format(tag=tag)).status_code == status


def test_a_head_request_gets_only_the_etag(client, sold):
    answer = client.head(f"/api/shows/{sold.pk}/seats/")
    assert (answer.status_code, answer.content, answer["ETag"]) == (200, b"", seats_of(client, sold)["ETag"])


def test_only_customers_with_seats_get_an_etag_of_their_own(anyone, client, sold):
    tags = [seats_of(asker, sold)["ETag"] for asker in (anyone, signed_in(make_user()), client)]
    assert (tags[0] == tags[1], tags[0] == tags[2]) == (True, False)


def test_two_shows_have_different_etags(anyone, show):
    assert seats_of(anyone, show)["ETag"] != seats_of(anyone, make_show())["ETag"]


def booked(show, user, seat_number=9):
    return services.book_seat(user=user, show_id=show.pk, seat_number=seat_number, now=timezone.now())


def held(show, user):
    return services.hold_seats(user=user, show_id=show.pk, seat_numbers=[9], now=timezone.now())[0]


def block(show, *seats):
    return services.block_seats(show_id=show.pk, seat_numbers=seats, reason="Broken", now=timezone.now())


def cancel(booking):
    return services.cancel_booking(booking_id=booking.pk, now=timezone.now())


def move(booking, seat_number):
    return services.move_booking(user=booking.user, booking_id=booking.pk, seat_number=seat_number, now=timezone.now())


CHANGES = {
    "booked": (lambda show, user: None, lambda show, user, before: booked(show, user)),
    "held": (lambda show, user: None, lambda show, user, before: held(show, user)),
    "held and booked": (held, lambda show, user, before: booked(show, user)),
    "held and given back": (held, lambda show, user, before: cancel(before)),
    "booked and cancelled": (booked, lambda show, user, before: cancel(before)),
    "moved": (booked, lambda show, user, before: move(before, 10)),
    "moved where one's hold was": (
        lambda show, user: held(show, user) and booked(show, user, 10),
        lambda show, user, before: move(before, 9),
    ),
    "blocked": (lambda show, user: None, lambda show, user, before: block(show, 9)),
    "put back on sale": (
        lambda show, user: block(show, 9),
        lambda show, user, before: services.unblock_seats(show_id=show.pk, seat_numbers=[9]),
    ),
    "at another time": (
        lambda show, user: None,
        lambda show, user, before: services.change_show(
            show_id=show.pk, changed_by=make_user(), now=timezone.now(), starts_at=show.starts_at - MINUTE
        ),
    ),
    "in a show that is cancelled": (
        lambda show, user: None,
        lambda show, user, before: services.cancel_show(show_id=show.pk, now=timezone.now()),
    ),
    "in a larger hall": (
        lambda show, user: redraw(show.screen, full_rows(60, 10, "S")),
        lambda show, user, before: services.switch_plan(show_id=show.pk, now=timezone.now()),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_etag_changes_with_each_change_of_a_seat(anyone, show, user, change):
    prepare, alter = CHANGES[change]
    before = prepare(show, user)
    tag = seats_of(anyone, show)["ETag"]
    assert seats_of(anyone, show, if_none_match=tag).status_code == 304
    alter(show, user, before)
    after = seats_of(anyone, show, if_none_match=tag)
    assert (after.status_code, after["ETag"] == tag) == (200, False)


def test_the_etag_changes_when_a_hold_expires(anyone, show, monkeypatch):
    hold = make_hold(show=show, seat_number=9)
    tag = seats_of(anyone, show)["ETag"]
    monkeypatch.setattr(timezone, "now", lambda: hold.expires_at - timedelta(microseconds=1))
    assert seats_of(anyone, show, if_none_match=tag).status_code == 304
    monkeypatch.setattr(timezone, "now", lambda: hold.expires_at)
    assert seats_of(anyone, show, if_none_match=tag).json() == map_body(show)


def test_the_etag_does_not_change_when_expired_holds_are_released(anyone, show):
    make_hold(show=show, seat_number=9, expires_at=timezone.now() - MINUTE)
    tag = seats_of(anyone, show)["ETag"]
    release_expired_holds(expired_by=timezone.now())
    assert (seats_of(anyone, show)["ETag"], Booking.objects.get().status) == (tag, "cancelled")


def test_the_etag_is_the_same_for_the_same_seats(anyone, show, user):
    tag = seats_of(anyone, show)["ETag"]
    cancel(booked(show, user))
    assert seats_of(anyone, show)["ETag"] == tag
