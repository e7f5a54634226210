"""Seat plans, and the labels of their seats."""

import pytest

from tests.factories import make_block, make_plan, make_show

LAYOUT = "S.W\n\nLL"


@pytest.fixture
def drawn(db):
    """Seats 1 (standard) and 2 (for wheelchairs) with an aisle between, and 3 and 4, a sofa, behind a gap."""
    return make_show(layout=LAYOUT)


def seats(answer):
    names = ("seat_number", "label", "row", "x", "y", "category", "accessible")
    rows = answer.json()["rows"]
    return [(row["label"], [tuple(seat[name] for name in names) for seat in row["seats"]]) for row in rows]


def test_a_seat_plan_lists_every_seat(anyone, drawn):
    assert seats(anyone.get(f"/api/seat-plans/{drawn.plan_id}/")) == [
        ("A", [(1, "A1", "A", 0, 0, "S", False), (2, "A2", "A", 2, 0, "W", True)]),
        ("B", [(3, "B1", "B", 0, 2, "L", False), (4, "B2", "B", 1, 2, "L", False)]),
    ]


def test_a_seat_plan_has_its_own_labels(anyone, db):
    plan = make_plan("F SS\nE1 S")
    labels = [[seat[1] for seat in row] for _, row in seats(anyone.get(f"/api/seat-plans/{plan.pk}/"))]
    assert labels == [["F1", "F2"], ["E1-1"]]


def test_a_seat_plan_has_the_categories_of_its_seats(anyone, drawn):
    body = anyone.get(f"/api/seat-plans/{drawn.plan_id}/").json()
    assert [(category["code"], sorted(category)) for category in body["categories"]] == [
        (code, ["code", "colour", "name"]) for code in ("L", "S", "W")
    ]
    assert (list(body), body["id"], body["total_seats"]) == (
        ["id", "total_seats", "categories", "rows"],
        drawn.plan_id,
        4,
    )


@pytest.mark.parametrize("asker", ["anyone", "client"])
def test_a_seat_plan_is_cacheable_for_ever(request, drawn, asker):
    answer = request.getfixturevalue(asker).get(f"/api/seat-plans/{drawn.plan_id}/")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "public, max-age=31536000, immutable")


@pytest.mark.parametrize("pk", ["0", "77", "x", "007", "9" * 30])
def test_a_missing_seat_plan_is_not_found(anyone, drawn, pk):
    answer = anyone.get(f"/api/seat-plans/{pk}/")
    assert (answer.status_code, answer.json()) == (404, {"code": "not_found", "detail": "Not found."})
    assert "immutable" not in answer.get("Cache-Control", "")


def test_a_show_is_listed_with_its_plan(anyone, drawn):
    [listed] = anyone.get("/api/shows/").json()["results"]
    assert (listed["plan"], listed["total_seats"]) == (drawn.plan_id, 4)


def test_the_seat_map_has_labels_and_categories(anyone, client, drawn):
    client.post(f"/api/shows/{drawn.pk}/book-seats/", {"seat_numbers": [3, 4]})
    make_block(show=drawn, seat_number=2)
    body = anyone.get(f"/api/shows/{drawn.pk}/seats/").json()
    rows = [(seat["seat_number"], seat["seat_label"], seat["category"]) for seat in body["unavailable"]]
    assert (body["plan"], rows) == (drawn.plan_id, [(2, "A2", "W"), (3, "B1", "L"), (4, "B2", "L")])


def test_a_booking_has_the_label_and_category_of_its_seat(client, drawn):
    booking = client.post(f"/api/shows/{drawn.pk}/book/", {"seat_number": 2}).json()
    assert (booking["seat_label"], booking["category"]) == ("A2", "W")
    moved = client.post(f"/api/bookings/{booking['id']}/move/", {"seat_number": 1}).json()
    assert (moved["seat_label"], moved["category"]) == ("A1", "S")


# --- Accessible seats and sofas ---------------------------------------------------------------


def chosen(answer):
    assert answer.status_code == 201, answer.content
    return [row["seat_number"] for row in answer.json()["bookings"]]


@pytest.mark.parametrize(("body", "seat"), [({}, 1), ({"accessible": False}, 1), ({"accessible": True}, 2)])
@pytest.mark.parametrize("action", ["book-seats", "hold"])
def test_an_accessible_seat_is_chosen_on_request(client, drawn, action, body, seat):
    assert chosen(client.post(f"/api/shows/{drawn.pk}/{action}/", {"count": 1} | body)) == [seat]


def test_a_request_without_free_accessible_seats_is_refused(client, drawn):
    make_block(show=drawn, seat_number=2)
    answer = client.post(f"/api/shows/{drawn.pk}/book-seats/", {"count": 1, "accessible": True})
    refusal = {"code": "no_accessible_seat", "detail": "No accessible seat is available."}
    assert (answer.status_code, answer.json()) == (409, refusal)


def test_half_a_sofa_is_refused(client, drawn):
    answer = client.post(f"/api/shows/{drawn.pk}/book/", {"seat_number": 3})
    detail = "Seat B1 is half of a sofa for two; take both seats or another one."
    assert (answer.status_code, answer.json()) == (409, {"code": "sofa_for_two", "detail": detail, "seats": [3]})
