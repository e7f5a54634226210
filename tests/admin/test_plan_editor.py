"""The editor of a screen's seat plan: the drawing by the server, and messages about shows with another plan."""

import pytest

from tests.factories import make_plan, make_screen, make_show, redraw
from tests.staff import page_messages, staff_with

SCREENS = "/admin/booking/screen/"
DRAW = f"{SCREENS}layout/"
STILL = "1 upcoming show still has another seat plan."
LINK = "Change upcoming shows to the new seat plan"


def draw(client, layout):
    response = client.post(DRAW, {"layout": layout})
    return response.status_code, response.json()


@pytest.fixture
def show(db):
    """A show with the seat plan of its screen."""
    show = make_show()
    redraw(show.screen, show.plan.layout)
    return show


def page_of(show):
    return f"{SCREENS}{show.screen_id}/change/"


def save(client, show, layout):
    form = {"name": show.screen.name, "layout": layout, "turnaround_minutes": 0}
    return client.post(page_of(show), form, follow=True)


# --- Drawing a text ---------------------------------------------------------------------------


def test_a_text_is_drawn_as_the_api_describes_its_plan(staff, client):
    status, drawn = draw(staff, "A .SS.WW\n\nB LL")
    plan = make_plan("A .SS.WW\n\nB LL")
    described = client.get(f"/api/seat-plans/{plan.pk}/").json()
    assert (status, drawn["total_seats"], drawn["categories"]) == (200, 6, described["categories"])
    assert [row["seats"] for row in drawn["rows"]] == [row["seats"] for row in described["rows"]]
    assert [row["label"] for row in drawn["rows"]] == ["A", "B"]


def test_a_drawn_text_has_the_positions_of_its_rows(staff, db):
    _, drawn = draw(staff, "\n..SS\n  Z  .SS")
    assert [(row["line"], row["column"]) for row in drawn["rows"]] == [(2, 1), (3, 6)]
    assert (drawn["margin"], drawn["layout"]) == (1, "A .SS\nZ SS")


@pytest.mark.parametrize(
    ("layout", "line", "column", "detail"),
    [
        ("SS\nS?", 2, 2, "'?' is neither a category's letter nor a gap ('.')."),
        ("", 1, 1, "The hall has no seat."),
        ("S\0", 1, 2, "'\\x00' is neither a category's letter nor a gap ('.')."),
        ("S" * 60_000, 1, 1, "A seat plan has at most 50000 characters."),
    ],
)
def test_an_error_has_its_line_and_column(staff, db, layout, line, column, detail):
    error = {"detail": f"Line {line}, column {column}: {detail}", "line": line, "column": column}
    assert draw(staff, layout) == (400, error)


def test_a_request_without_a_text_is_an_empty_text(staff, db):
    assert staff.post(DRAW).json()["detail"] == "Line 1, column 1: The hall has no seat."


@pytest.mark.parametrize(
    ("permission", "status"), [("view_screen", 403), ("add_screen", 200), ("change_screen", 200), ("change_show", 403)]
)
def test_staff_who_may_change_screens_may_draw(db, permission, status):
    assert draw(staff_with(permission), "SS")[0] == status


def test_drawing_needs_a_post(staff):
    assert staff.get(DRAW).status_code == 405


@pytest.mark.parametrize("rows", [1, 3])
def test_drawing_costs_the_same_queries_for_1_and_3_rows(staff, rows, django_assert_num_queries):
    # The session, the user and the categories.
    with django_assert_num_queries(3):
        draw(staff, "\n".join(["SS"] * rows))


# --- Shows with another plan ------------------------------------------------------------------


def test_the_page_reports_shows_with_another_plan(staff, show):
    assert "another seat plan" not in staff.get(page_of(show)).content.decode()
    redraw(show.screen, "SS")
    page = staff.get(page_of(show)).content.decode()
    assert f'{STILL} <a href="{SCREENS}{show.screen_id}/seat-plan/">{LINK}</a>' in page


def test_saving_a_plan_reports_shows_that_keep_theirs(staff, show):
    report, _ = page_messages(save(staff, show, "SS"))
    assert report.startswith(STILL)
    make_show(screen=show.screen, movie=show.movie, starts_at=show.ends_at)
    report, _ = page_messages(save(staff, show, "SSS"))
    assert report.startswith("2 upcoming shows still have another seat plan.")


def test_saving_other_fields_reports_no_show(staff, show):
    redraw(show.screen, "A SS")
    assert len(page_messages(save(staff, show, "A SS"))) == 1


def test_without_the_permission_to_change_shows_there_is_no_link(show):
    redraw(show.screen, "SS")
    page = staff_with("view_screen", "change_screen").get(page_of(show)).content.decode()
    assert (STILL in page, LINK in page) == (True, False)


def test_a_saved_plan_that_all_shows_have_causes_no_message(staff, db):
    screen = make_screen()
    form = {"name": screen.name, "layout": "SS", "turnaround_minutes": 0}
    response = staff.post(f"{SCREENS}{screen.pk}/change/", form, follow=True)
    assert len(page_messages(response)) == 1


def test_staff_who_may_only_view_screens_see_the_text(show):
    assert "A SSSSSSSSSS" in staff_with("view_screen").get(page_of(show)).content.decode()
