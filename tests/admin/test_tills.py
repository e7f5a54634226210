"""Tills in the admin: a clerk opens one, sees what it took, and closes it with the counted cash."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from booking import services
from booking.models import Till
from booking.services import close_till
from booking.services.money.tills import OtherClerksTill
from tests.admin.orders import links_of, text_of
from tests.factories import make_price_list, make_ticket_type, make_user
from tests.staff import page_messages, signed_in_as, staff_with
from tests.tills import TILLS, make_clerk, make_priced_show, sell, take, till_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk():
    return make_clerk()


@pytest.fixture
def desk(clerk):
    """A client that is signed in as the clerk."""
    return signed_in_as(clerk)


def page_of(till):
    return f"{TILLS}{till.pk}/change/"


def close(client, till, **form):
    return client.post(page_of(till), {"counted_cash": "50", "note": ""} | form)


def test_a_clerk_opens_a_till_with_a_float(desk, clerk):
    response = desk.post(f"{TILLS}add/", {"opening_float": "50.50"})
    till = Till.objects.get()
    assert (till.clerk, till.opening_float, page_messages(response)) == (clerk, Decimal("50.5"), ["Your till is open."])
    assert response.url == page_of(till)


def test_float_and_count_take_a_decimal_comma(desk, clerk):
    desk.post(f"{TILLS}add/", {"opening_float": "100,50"})
    response = close(desk, Till.objects.get(), counted_cash="100,50")
    till = Till.objects.get()
    assert (till.opening_float, till.counted_cash) == (Decimal("100.5"), Decimal("100.5"))
    assert page_messages(response)[-1] == "Your till is closed. Difference: none."


def test_a_clerk_has_one_open_till(desk, clerk):
    till = till_of(clerk)
    assert f'Your till is already open. <a href="{page_of(till)}">' in desk.get(f"{TILLS}add/").content.decode()
    response = desk.post(f"{TILLS}add/", {"opening_float": "1"})
    assert "Your till is already open." in text_of(response)
    assert Till.objects.count() == 1


@pytest.mark.parametrize("value", ["", "-1", "x", "0.001", "1000000000000.01", "9" * 20])
def test_an_invalid_float_is_refused(desk, value):
    assert desk.post(f"{TILLS}add/", {"opening_float": value}).context["adminform"].form.errors.keys() == {
        "opening_float"
    }
    assert not Till.objects.exists()


def test_an_invalid_count_does_not_close_the_till(desk, clerk):
    till = till_of(clerk)
    response = close(desk, till, counted_cash="1000000000000.01")
    till.refresh_from_db()
    assert (response.context["adminform"].form.errors.keys(), till.closed_at) == ({"counted_cash"}, None)


def test_the_largest_float_leaves_room_for_sales(desk, clerk):
    till = till_of(clerk, services.MAX_CASH)
    take(sell(make_priced_show(), 1), clerk)
    close(desk, till, counted_cash="12")
    till.refresh_from_db()
    assert (till.expected_cash, desk.get(TILLS).status_code) == (services.MAX_CASH + 12, 200)


def test_a_till_takes_the_highest_prices(desk, clerk):
    till, highest = till_of(clerk), 999_999_999
    prices = make_price_list({("S", make_ticket_type()): highest})
    take(sell(make_priced_show(price_list=prices), 1, 2, 3), clerk)
    close(desk, till, counted_cash=str(50 + 3 * highest), asked=str(50 + 3 * highest))
    till.refresh_from_db()
    assert (till.expected_cash, till.difference) == (50 + 3 * highest, 0)
    pages = [TILLS, "/admin/booking/order/", "/admin/booking/payment/", page_of(till)]
    assert [desk.get(page).status_code for page in pages] == [200] * 4


@pytest.mark.parametrize("amount", ["-0.01", "1000000000000.01"])
def test_the_services_refuse_too_much_cash(clerk, amount):
    till, now = till_of(clerk), timezone.now()
    with pytest.raises(services.InvalidInput) as opened:
        services.open_till(clerk=clerk, opening_float=Decimal(amount), now=now)
    with pytest.raises(services.InvalidInput) as closed:
        close_till(till_id=till.pk, clerk=clerk, counted_cash=Decimal(amount), note="", now=now)
    assert [one.value.field for one in (opened, closed)] == ["opening_float", "counted_cash"]


def test_the_page_counts_by_kind_of_payment(desk, clerk):
    till, show = till_of(clerk), make_priced_show()
    take(sell(show, 1), clerk)
    take(sell(show, 2, 3), clerk, "card")
    text = text_of(desk.get(page_of(till)))
    assert "Cash 12.00 1 payment 0.00 0 refunds 12.00 Card 24.00 1 payment 0.00 0 refunds 24.00 Total 36.00" in text
    assert "Expected cash in EUR 62.00" in text


def test_a_till_is_closed_with_the_counted_cash(desk, clerk):
    till = till_of(clerk)
    response = close(desk, till, counted_cash="48", note="Change given twice")
    till.refresh_from_db()
    assert (till.counted_cash, till.expected_cash, till.note) == (48, 50, "Change given twice")
    assert page_messages(response) == ["Your till is closed. Difference: 2.00 short."]
    assert "Note: Change given twice" in text_of(desk.get(response.url))


@pytest.mark.parametrize(("counted", "difference"), [("50", "none"), ("50.01", "0.01 over")])
def test_the_difference_has_words(desk, clerk, counted, difference):
    response = close(desk, till_of(clerk), counted_cash=counted)
    assert page_messages(response) == [f"Your till is closed. Difference: {difference}."]


@pytest.mark.parametrize(
    ("counted", "asked", "closed"),
    [("112.01", "50.01 more", "50.01 over"), ("11.99", "50.01 less", "50.01 short")],
)
def test_a_difference_larger_than_the_float_is_asked_about_first(desk, clerk, counted, asked, closed):
    till = till_of(clerk)
    take(sell(make_priced_show(), 1), clerk)
    form = close(desk, till, counted_cash=counted).context["adminform"].form
    message = f"This is {asked} than expected. If the count is right, close the till again."
    assert (form.errors, Till.objects.get().closed_at) == ({"counted_cash": [message]}, None)
    response = close(desk, till, counted_cash=counted, asked=form["asked"].value())
    assert page_messages(response) == [f"Your till is closed. Difference: {closed}."]


def test_another_count_is_asked_about_again(desk, clerk):
    response = close(desk, till_of(clerk), counted_cash="5000", asked="500")
    assert (response.context["adminform"].form["asked"].value(), Till.objects.get().closed_at) == ("5000", None)


def test_a_difference_of_the_float_is_not_asked_about(desk, clerk):
    assert page_messages(close(desk, till_of(clerk), counted_cash="100")) == [
        "Your till is closed. Difference: 50.00 over."
    ]


def test_a_missing_count_does_not_close_the_till(desk, clerk):
    response = close(desk, till_of(clerk), counted_cash="")
    assert response.context["adminform"].form.errors.keys() == {"counted_cash"}
    assert Till.objects.get().closed_at is None


def test_a_closed_till_is_read_only(desk, clerk):
    till = till_of(clerk)
    close(desk, till)
    assert close(desk, till, counted_cash="1").status_code == 403
    assert "Close the till" not in desk.get(page_of(till)).content.decode()
    till.refresh_from_db()
    assert till.counted_cash == 50


def test_a_clerk_sees_no_till_of_another_clerk(desk):
    other = till_of(make_clerk("other"))
    assert desk.get(TILLS).context["cl"].result_count == 0
    assert close(desk, other).url == "/admin/"
    other.refresh_from_db()
    assert other.closed_at is None


def test_a_manager_closes_a_till_that_its_clerk_left_open(clerk):
    till, manager = till_of(clerk), staff_with("change_till")
    assert manager.get(f"{TILLS}?state=open").context["cl"].result_count == 1
    response = close(manager, till, counted_cash="49", note="Ann has left")
    till.refresh_from_db()
    assert (till.clerk, till.counted_cash, till.note) == (clerk, 49, "Ann has left")
    assert till.closed_by_id == int(manager.session["_auth_user_id"])
    assert page_messages(response) == ["The till of clerk is closed. Difference: 1.00 short."]
    [entry] = manager.get(f"{TILLS}{till.pk}/history/").context["action_list"]
    assert entry.get_change_message() == "Closed for clerk, who left it open."
    assert f"<dt>Closed by</dt><dd>{till.closed_by}</dd>" in manager.get(f"{TILLS}{till.pk}/print/").content.decode()
    assert close(manager, till, note="Again").status_code == 403


def test_a_till_is_not_closed_for_its_clerk_without_a_note(clerk):
    till, manager = till_of(clerk), staff_with("change_till")
    response = close(manager, till, note=" ")
    till.refresh_from_db()
    assert (response.context["adminform"].form.errors.keys(), till.closed_at) == ({"note"}, None)
    with pytest.raises(services.InvalidInput) as refused:
        services.close_left_till(till_id=till.pk, by=till.clerk, counted_cash=Decimal(50), note=" ", now=timezone.now())
    assert refused.value.field == "note"


def test_a_clerk_can_not_close_the_till_of_another_clerk(clerk):
    till, second = till_of(clerk), staff_with("close_till")
    close(second, till, note="Not mine")
    with pytest.raises(OtherClerksTill):
        close_till(till_id=till.pk, clerk=make_clerk("second"), counted_cash=Decimal(50), note="", now=timezone.now())
    till.refresh_from_db()
    assert till.closed_at is None


def test_staff_who_see_all_tills_close_none(clerk):
    till, manager = till_of(clerk), staff_with("view_till", "close_till")
    assert manager.get(TILLS).context["cl"].result_count == 1
    assert "Close the till" not in manager.get(page_of(till)).content.decode()
    assert close(manager, till).status_code == 403


def test_tills_need_a_permission(clerk):
    till, viewer = till_of(clerk), staff_with("view_show", "take_payment")
    paths = [TILLS, f"{TILLS}add/", page_of(till), f"{TILLS}{till.pk}/print/"]
    assert [viewer.get(path).status_code for path in paths] == [403] * 4


def test_staff_who_may_only_see_tills_open_none(clerk):
    assert staff_with("view_till").get(f"{TILLS}add/").status_code == 403


def test_a_till_is_never_deleted(staff, clerk):
    till = till_of(clerk)
    assert staff.post(f"{TILLS}{till.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Till.objects.exists()


@pytest.mark.parametrize("is_open", [False, True])
def test_the_list_links_to_the_clerk_s_own_till(desk, clerk, is_open):
    till = till_of(clerk) if is_open else None
    links = links_of(desk.get(TILLS))
    assert links == ({"Your till": page_of(till)} if till else {"Open a till": f"{TILLS}add/"})


def test_the_print_has_the_counts(desk, clerk):
    till = till_of(clerk)
    take(sell(make_priced_show(), 1), clerk)
    assert "Closed still open" in text_of(desk.get(f"{TILLS}{till.pk}/print/"))
    close(desk, till, counted_cash="62", note="All right")
    text = text_of(desk.get(f"{TILLS}{till.pk}/print/"))
    for part in ("Clerk clerk", "Expected cash 62.00 EUR", "Counted cash 62.00 EUR", "Difference none", "All right"):
        assert part in text


def test_a_missing_till_is_not_printed(desk):
    assert desk.get(f"{TILLS}999/print/").status_code == 404


def test_the_history_has_the_opening_and_closing_of_a_till(desk, clerk):
    desk.post(f"{TILLS}add/", {"opening_float": "50"})
    till = Till.objects.get()
    close(desk, till)
    history = desk.get(f"{TILLS}{till.pk}/history/").context["action_list"]
    assert [entry.get_change_message() for entry in history] == ["Opened.", "Closed."]


@pytest.mark.parametrize(("state", "expected"), [("open", [None]), ("closed", [3]), ("", [None, 3]), ("x", [None, 3])])
def test_the_list_is_filtered_by_state(staff, clerk, state, expected):
    till_of(clerk)
    closed = till_of(make_clerk("other"), 5)
    now = timezone.now() + timedelta(hours=1)
    close_till(till_id=closed.pk, clerk=closed.clerk, counted_cash=Decimal(3), note="", now=now)
    rows = staff.get(TILLS, {"state": state}).context["cl"].result_list
    assert sorted((row.counted_cash for row in rows), key=lambda count: count is not None) == expected


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_costs_the_same_queries_for_1_and_3_rows(staff, rows, django_assert_num_queries):
    for _ in range(rows):
        till_of(make_user(is_staff=True))
    with django_assert_num_queries(6):
        assert staff.get(TILLS).context["cl"].result_count == rows
