"""Forms of the admin on rows that other requests change or delete at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client

from booking.admin.common import LockedRowAdmin
from booking.models import Movie, Screen, User
from tests.factories import PASSWORD, make_movie, make_screen, make_show, make_user
from tests.races import parallel_writers, start, wait_for_waiters
from tests.staff import form_errors

pytestmark = [parallel_writers, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]

NEW_PASSWORD = "velvet-seats-in-red"


@contextmanager
def uncommitted(sql, *values):
    """Run a statement on another connection, which commits at the end of the block."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            # Foreign keys lock the referenced rows immediately, and not at the commit.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(sql, values)
        yield
        other.commit()
    finally:
        other.close()


def post_during(sql, *values, client, path, data):
    """Send a form before the statement is committed, and return the response."""
    with ThreadPoolExecutor(1) as pool:
        with uncommitted(sql, *values):
            answer = start(pool, lambda: client.post(path, data, follow=True))
            wait_for_waiters(1)
        return answer.result()


@pytest.fixture
def alice():
    return make_user(username="alice")


def form_of(user, **changes):
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"}
    return {"username": user.username, "email": "", "is_active": "on", **joined, **changes}


def change_path(user):
    return f"/admin/booking/user/{user.pk}/change/"


CHANGE_PASSWORD = "UPDATE booking_user SET password = %s, session_key = 'new' WHERE id = %s"
DELETE = "DELETE FROM booking_user WHERE id = %s"


def change_name_during(sql, *values, staff, user):
    data = form_of(user, first_name="Alice")
    return post_during(sql, *values, client=staff, path=change_path(user), data=data)


def test_a_form_keeps_a_concurrently_changed_password(staff, alice):
    change_name_during(CHANGE_PASSWORD, "hash", alice.pk, staff=staff, user=alice)
    alice.refresh_from_db()
    assert (alice.password, alice.session_key, alice.first_name) == ("hash", "new", "Alice")


def test_a_form_does_not_recreate_a_deleted_account(staff, alice):
    answer = change_name_during(DELETE, alice.pk, staff=staff, user=alice)
    assert not User.objects.filter(pk=alice.pk).exists()
    assert "Perhaps it was deleted?" in answer.content.decode()


@pytest.fixture
def no_guards(monkeypatch):
    """Removes this project's guards, so that the forms are Django's own."""
    monkeypatch.delattr(LockedRowAdmin, "get_object")
    monkeypatch.delattr(LockedRowAdmin, "save_model")


def test_without_the_guards_a_form_undoes_a_change(no_guards, staff, alice):
    old = alice.password
    change_name_during(CHANGE_PASSWORD, "hash", alice.pk, staff=staff, user=alice)
    alice.refresh_from_db()
    assert alice.password == old


def test_without_the_guards_a_form_recreates_a_deleted_account(no_guards, staff, alice):
    change_name_during(DELETE, alice.pk, staff=staff, user=alice)
    assert User.objects.filter(pk=alice.pk).exists()


def test_a_form_writes_only_what_it_changed(staff, alice):
    with connection.execute_wrapper(_no_password):
        staff.post(change_path(alice), form_of(alice, first_name="Alice"))
    alice.refresh_from_db()
    assert alice.first_name == "Alice"


def _no_password(execute, sql, *arguments):
    assert not (sql.startswith("UPDATE") and "password" in sql)
    return execute(sql, *arguments)


def test_a_form_without_changes_writes_nothing(staff):
    screen = make_screen()
    data = {"name": screen.name, "layout": screen.plan.layout, "turnaround_minutes": 0}
    with connection.execute_wrapper(_no_update):
        answer = staff.post(f"/admin/booking/screen/{screen.pk}/change/", data)
    assert answer.status_code == 302


def _no_update(execute, sql, *arguments):
    assert not sql.startswith('UPDATE "booking_screen"')
    return execute(sql, *arguments)


def test_a_name_of_a_group_that_is_taken_at_the_same_time_is_reported(staff):
    sql = "INSERT INTO auth_group (name) VALUES (%s)"
    answer = post_during(sql, "Ushers", client=staff, path="/admin/auth/group/add/", data={"name": "Ushers"})
    assert form_errors(answer) == {"name": ["Group with this Name already exists."]}


# --- Passwords --------------------------------------------------------------------------------


def test_a_password_set_by_staff_keeps_a_concurrently_changed_address(staff, alice):
    data = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    sql = "UPDATE booking_user SET email = 'new@example.com' WHERE id = %s"
    path = f"/admin/booking/user/{alice.pk}/password/"
    post_during(sql, alice.pk, client=staff, path=path, data=data)
    alice.refresh_from_db()
    assert (alice.email, alice.check_password(NEW_PASSWORD)) == ("new@example.com", True)


def change_own_password_during(sql):
    user = User.objects.create_superuser("clerk", password=PASSWORD)
    client = Client()
    client.force_login(user)
    data = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    answer = post_during(sql, user.pk, client=client, path="/admin/password_change/", data=data)
    return user, answer


def test_changing_the_own_password_keeps_a_concurrent_change_of_the_address():
    user, _ = change_own_password_during("UPDATE booking_user SET email = 'new@example.com' WHERE id = %s")
    user.refresh_from_db()
    assert (user.email, user.check_password(NEW_PASSWORD)) == ("new@example.com", True)


def test_a_deleted_account_gets_no_new_password():
    user, answer = change_own_password_during(DELETE)
    assert not User.objects.filter(pk=user.pk).exists()
    assert answer.redirect_chain[-1] == ("/admin/login/", 302)


# --- Deletions --------------------------------------------------------------------------------

SENTENCE = "Nothing was deleted, because it was used at the same time. Please try again."
BOOK = """
    INSERT INTO booking_booking (show_id, user_id, seat_number, status, reference, created_at)
    VALUES (%s, %s, 7, 'booked', 'ACDEFGHJ', now())
"""
PLAN = """
    INSERT INTO booking_show (movie_id, screen_id, starts_at, ends_at, total_seats, seats_per_row)
    VALUES (%s, %s, now(), now() + interval '2 hours', 50, 10)
"""


def test_a_user_who_books_at_the_same_time_is_not_deleted(staff, alice):
    path = f"/admin/booking/user/{alice.pk}/delete/"
    answer = post_during(BOOK, make_show().pk, alice.pk, client=staff, path=path, data={"post": "yes"})
    assert (User.objects.filter(pk=alice.pk).exists(), SENTENCE in answer.content.decode()) == (True, True)


@pytest.mark.parametrize("model", [Movie, Screen])
def test_a_row_that_a_new_show_refers_to_is_not_deleted(staff, model):
    used = {Movie: make_movie(), Screen: make_screen()}
    path = f"/admin/booking/{model._meta.model_name}/{used[model].pk}/delete/"
    planned = (used[Movie].pk, used[Screen].pk)
    answer = post_during(PLAN, *planned, client=staff, path=path, data={"post": "yes"})
    assert (model.objects.filter(pk=used[model].pk).exists(), SENTENCE in answer.content.decode()) == (True, True)


def test_selected_users_who_book_at_the_same_time_are_not_deleted(staff, alice):
    data = {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"}
    show = make_show()
    answer = post_during(BOOK, show.pk, alice.pk, client=staff, path="/admin/booking/user/", data=data)
    assert (User.objects.filter(pk=alice.pk).exists(), SENTENCE in answer.content.decode()) == (True, True)
