"""Drawing seat plans, and giving them to screens and shows."""

from datetime import timedelta

import pytest

from booking.models import SeatPlan, Show
from booking.services import (
    InvalidLayout,
    cancel_show,
    draw_layout,
    preview_switch,
    switch_plan,
)
from booking.services.programme.old_rows import complete_old_rows, complete_plans
from booking.services.programme.seat_plans import SeatsDiffer
from booking.services.seats.rules.sale import ShowCancelled, ShowStarted
from tests.factories import NOW, make_block, make_booking, make_movie, make_screen, make_show, redraw


def draw(show, layout):
    return redraw(show.screen, layout)


def test_changing_a_screen_s_plan_changes_no_show(show):
    screen = draw(show, "SS.SS\nWW")
    show.refresh_from_db()
    assert (screen.plan.layout, screen.total_seats, screen.rows, screen.seats_per_row) == ("A SS.SS\nB WW", 6, 2, 4)
    assert (show.total_seats, show.plan.total_seats) == (50, 50)


@pytest.mark.parametrize(("layout", "at"), [("SS\nS?", (2, 2)), ("", (1, 1)), ("SXS", (1, 2))])
def test_an_invalid_layout_is_refused(show, layout, at):
    plans = SeatPlan.objects.count()
    with pytest.raises(InvalidLayout) as caught:
        draw(show, layout)
    assert ((caught.value.extra["line"], caught.value.extra["column"]), SeatPlan.objects.count()) == (at, plans)


def test_a_text_is_drawn_without_storing_it(db):
    drawing = draw_layout(layout="\n..SS\nb .WS")
    assert [(line.number, line.column, line.label) for line in drawing.layout.rows] == [(2, 1, "A"), (3, 3, "B")]
    assert (str(drawing.layout), drawing.layout.margin) == ("A .SS\nB WS", 1)
    assert ([one.code for one in drawing.categories], drawing.hall.accessible) == (["S", "W"], {3})
    assert not SeatPlan.objects.exists()


def test_a_show_without_bookings_gets_any_plan(show):
    draw(show, "SSSSS")
    switched = switch_plan(show_id=show.pk, now=NOW)
    assert (switched.total_seats, Show.objects.get().plan.layout) == (5, "A SSSSS")


def test_a_show_with_bookings_gets_a_plan_with_the_same_labels(show):
    make_booking(show=show, seat_number=5)
    draw(show, "SSSSS..SSSS\nSSSSSSSSSS")
    switch_plan(show_id=show.pk, now=NOW)
    assert Show.objects.get().total_seats == 19


@pytest.mark.parametrize("make", [make_booking, make_block])
def test_taken_seats_with_other_labels_are_refused(show, make):
    make(show=show, seat_number=15)
    draw(show, "SSSSS\nSSSSS")
    with pytest.raises(SeatsDiffer, match="missing: B5") as caught:
        switch_plan(show_id=show.pk, now=NOW)
    assert (caught.value.extra, Show.objects.get().total_seats) == ({"seats": [15]}, 50)


def test_the_preview_lists_shows_with_another_plan(show):
    make_booking(show=show, seat_number=15)
    other = make_show(screen=show.screen, movie=make_movie(), starts_at=show.ends_at)
    screen = draw(show, "SSSSS")
    switches = preview_switch(screen=screen, now=NOW)
    assert [(one.show, one.taken, one.differing, one.is_possible) for one in switches] == [
        (show, [15], [15], False),
        (other, [], [], True),
    ]
    switch_plan(show_id=other.pk, now=NOW)
    assert [one.show for one in preview_switch(screen=screen, now=NOW)] == [show]


@pytest.mark.parametrize("shows", [1, 3])
def test_the_preview_costs_the_same_queries_for_1_and_3_shows(show, shows, django_assert_num_queries):
    for number in range(shows):
        fields = {"screen": show.screen, "starts_at": show.starts_at + timedelta(hours=3 * number)}
        make_booking(show=make_show(**fields) if number else show)
    screen = draw(show, "SSSSS")
    # The shows and their taken seats.
    with django_assert_num_queries(2):
        assert len(preview_switch(screen=screen, now=NOW)) == shows


def test_a_show_that_is_cancelled_or_has_started_keeps_its_plan(show):
    with pytest.raises(ShowStarted):
        switch_plan(show_id=show.pk, now=show.starts_at)
    cancel_show(show_id=show.pk, now=NOW)
    with pytest.raises(ShowCancelled):
        switch_plan(show_id=show.pk, now=NOW)


# --- Rows of version 1.0 ----------------------------------------------------------------------


def old_show(**fields):
    """Create a show and its screen without a seat plan, as version 1.0 does."""
    screen = make_screen(plan=None, rows=2, seats_per_row=7)
    return make_show(screen=screen, plan=None, total_seats=12, seats_per_row=7, **fields)


def test_a_show_of_version_1_0_has_full_rows(db):
    show = old_show()
    assert (show.hall.total_seats, show.seat_label(8), show.screen.hall.total_seats) == (12, "B1", 14)


def test_a_show_of_version_1_0_gets_a_plan(db):
    show = old_show()
    complete_plans(shows=[show])
    assert (show.plan.layout, show.plan.total_seats) == ("A SSSSSSS\nB SSSSS", 12)
    show.screen.refresh_from_db()
    assert show.screen.plan.total_seats == 14


def test_a_booking_of_version_1_0_gets_an_order(show, user):
    booking = make_booking(show=show, user=user, order=False, seat_label="", category="")
    make_block(show=show, seat_number=2)
    assert (booking.label, booking.category_code, sum(complete_old_rows())) == ("A1", "S", 1)
    assert sum(complete_old_rows()) == 0
